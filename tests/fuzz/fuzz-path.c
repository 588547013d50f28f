/*
 * The pass path: an accepted username stays below its server's directory, and a directory's name
 * is decoded to the URL from which it was made.
 */
#include <string.h>

#include "helper/pass/path.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static void check_part(const char *part, size_t size)
{
    REQUIRE(size > 0 && size <= 255);
    REQUIRE(!(size == 1 && part[0] == '.'));
    REQUIRE(!(size == 2 && part[0] == '.' && part[1] == '.'));
}

static void check_file(const char *file, const uint8_t *username, size_t size)
{
    REQUIRE(strlen(file) == size + strlen(PASS_SUFFIX) && memcmp(file, username, size) == 0);
    REQUIRE(pass_path_is_entry(strrchr(file, '/') ? strrchr(file, '/') + 1 : file));
    for (;;) {
        size_t length = strcspn(file, "/");

        check_part(file, length);
        if (!file[length])
            return;
        file += length + 1;
    }
}

static void check_url(struct pass_path *path, const uint8_t *url, size_t size)
{
    unsigned char again[256];
    size_t length;

    if (pass_path_set_url(path, url, size) < 0) {
        REQUIRE(size > PASS_URL_MAX);
        return;
    }
    REQUIRE(strlen(path->directory) <= 255 && !strpbrk(path->directory, "/."));
    if (size > 0)
        REQUIRE(pass_path_parse_directory(path->directory, again, &length) == 0 && length == size &&
                memcmp(again, url, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pass_path path;

    check_url(&path, data, size);
    fuzz_was_accepted = pass_path_set_username(&path, data, size) == 0;
    if (fuzz_was_accepted)
        check_file(path.file, data, size);
    return 0;
}
