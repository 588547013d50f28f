#pragma once

#include "gpg/public-key.h"

/* A session key for one recipient (RFC 4880, section 5.1; RFC 6637, section 10). */
struct session_packet {
    uint64_t key_id;
    enum public_key_algorithm algorithm;
    struct bytes number;  /* RSA: the encrypted session key; ECDH: the ephemeral point */
    struct bytes counted; /* ECDH: the wrapped session key, after a byte that says its size */
};

enum { MESSAGE_MOST_KEYS = 32 };

/* An encrypted message. It points into the bytes that it was read from. */
struct message {
    struct session_packet keys[MESSAGE_MOST_KEYS];
    size_t key_count;
    struct packet sealed; /* of tag PACKET_SEALED_MDC or PACKET_SEALED_OCB */
};

/*
 * Reads a message of exactly this form: session keys for visible recipients, then sealed data, then
 * nothing. Skips session keys of unsupported algorithms. 0; -ENOTSUP for every other message;
 * -EBADMSG if it is damaged. Pure.
 */
int message_parse(const unsigned char *data, size_t size, struct message *ret) MUST_USE;
