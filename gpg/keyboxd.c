/*
 * SEARCH returns the first key with the id, NEXT the second one, if any. Both are sent at once, so
 * that they take one round trip.
 */
#include "gpg/keyboxd.h"

#include <errno.h>
#include <gpg-error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpg/keyblock.h"
#include "gpg/patience.h"

enum { TIMEOUT_MS = 5000, LARGEST_KEYBLOCK = 4 << 20 };

int keyboxd_greet(struct assuan *keyboxd)
{
    int64_t patience_ms = (int64_t)gpg_patience() * 1000;
    struct assuan_line line;
    int r;

    assuan_set_timeout(keyboxd, patience_ms < TIMEOUT_MS ? patience_ms : TIMEOUT_MS);
    r = assuan_receive(keyboxd, &line);
    return r < 0 ? r : assuan_is(&line, "OK", NULL) ? 0 : -EPROTO;
}

/* "134217755 Not found <Keybox>": libgpg-error's number, source and code. */
static int error_of(const struct assuan_line *text)
{
    switch (gpg_err_code(assuan_parse_error(text))) {
    case GPG_ERR_NOT_FOUND:
    case GPG_ERR_EOF:
    case GPG_ERR_NOTHING_FOUND:
        return -ENOENT;
    default:
        return -EPROTO;
    }
}

/*
 * Receives the answer to one command: data lines, which are appended to ret, and status lines, then
 * OK (0) or ERR (negative).
 */
static int receive_keyblock(struct assuan *keyboxd, struct secbuf *ret)
{
    struct assuan_line line, rest;
    int r = 0;

    while (r == 0) {
        r = assuan_receive(keyboxd, &line);
        if (r < 0 || assuan_is(&line, "OK", NULL))
            return r;
        if (assuan_is(&line, "ERR", &rest))
            return error_of(&rest);
        if (assuan_is(&line, "D", &rest))
            r = ret->size + rest.size > LARGEST_KEYBLOCK ? -EFBIG : assuan_unescape(&rest, ret);
        else if (!assuan_is(&line, "S", NULL))
            r = -EPROTO;
    }
    return r;
}

int keyboxd_find(struct assuan *keyboxd, uint64_t key_id, struct keybox_entry *ret,
                 unsigned char **ret_bytes)
{
    CLEANUP(secbuf_done) struct secbuf answer = {0}, second = {0};
    CLEANUP_FREE unsigned char *bytes = NULL;
    char command[96];
    size_t size;
    int r;

    snprintf(command, sizeof(command), "SEARCH --openpgp 0x%016" PRIX64 "\nNEXT\n", key_id);
    r = assuan_send(keyboxd, command, strlen(command));
    if (r == 0)
        r = receive_keyblock(keyboxd, &answer);
    if (r < 0 && r != -ENOENT)
        return r;
    switch (receive_keyblock(keyboxd, &second)) {
    case -ENOENT:
        break;
    case 0:
        return -ENOTUNIQ;
    default:
        return -EPROTO;
    }
    if (r < 0)
        return r;
    /* Public keys stay out of secure memory, which is needed for the session key. */
    size = answer.size;
    bytes = malloc(size ? size : 1);
    if (!bytes)
        return -ENOMEM;
    if (size)
        memcpy(bytes, answer.data, size);
    r = keyblock_find(bytes, size, key_id, ret);
    if (r == 0)
        *ret_bytes = steal_ptr(&bytes);
    return r;
}
