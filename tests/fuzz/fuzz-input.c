/*
 * A client's input: lines are joined, and a server URL has no white space at its ends.
 */
#include <string.h>
#include <sys/mman.h>

#include "common/file.h"
#include "common/utf8.h"
#include "helper/input.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static int open_input(const uint8_t *data, size_t size)
{
    int fd = memfd_create("input", MFD_CLOEXEC);

    REQUIRE(fd >= 0 && file_write_all(fd, data, size) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static void require_trimmed(const struct secbuf *url)
{
    const unsigned char *start;
    size_t size;

    utf8_trim(url->data, url->size, &start, &size);
    REQUIRE(start == url->data && size == url->size && size > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(secbuf_done) struct secbuf text = {0}, url = {0};
    CLEANUP_CLOSE int fd = open_input(data, size);
    struct error err;
    int r = input_read(fd, &text, &err);

    REQUIRE((r == 0) == (size <= INPUT_MAX));
    REQUIRE(text.size <= size && (r < 0 || !text.size || !memchr(text.data, '\n', text.size)));
    REQUIRE(lseek(fd, 0, SEEK_SET) == 0);
    fuzz_was_accepted = input_read_url(fd, &url, &err) == 0;
    if (fuzz_was_accepted)
        require_trimmed(&url);
    return 0;
}
