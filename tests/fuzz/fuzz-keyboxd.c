/*
 * Input from keyboxd's socket: the greeting, then the answers to SEARCH and NEXT. For any input, the stored data is bounded,
 * and an accepted key has the requested id.
 */
#include "gpg/keyboxd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gpg/keygrip.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

/* All input is sent before the first read; it fits into the socket's buffer. */
enum { MOST_INPUT = 64 << 10 };

/* The last eight bytes of the fingerprint of the encryption key in the corpus. */
#define KEY_ID UINT64_C(0x9CBBFF577C2C84C3)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(assuan_done) struct assuan keyboxd = ASSUAN_INIT;
    CLEANUP_FREE unsigned char *bytes = NULL;
    unsigned char fingerprint[FINGERPRINT_SIZE];
    struct keybox_entry entry;
    int ends[2];

    fuzz_was_accepted = false;
    if (size > MOST_INPUT || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0)
        return 0;
    keyboxd.fd = ends[0];
    keyboxd.deadline_ms = ASSUAN_FOREVER;
    REQUIRE(size == 0 || send(ends[1], data, size, 0) == (ssize_t)size);
    shutdown(ends[1], SHUT_WR);
    if (keyboxd_greet(&keyboxd) == 0 && keyboxd_find(&keyboxd, KEY_ID, &entry, &bytes) == 0) {
        fuzz_was_accepted = true;
        REQUIRE(public_key_fingerprint(&entry.key, fingerprint) == 0);
        REQUIRE(memcmp(fingerprint, entry.fingerprint, FINGERPRINT_SIZE) == 0);
        REQUIRE(entry.key_id == KEY_ID && entry.key.packet.data > bytes);
    }
    close(ends[1]);
    return 0;
}
