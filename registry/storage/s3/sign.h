#pragma once

#include <stddef.h>
#include <time.h>

#include "common/digest.h"
#include "common/macros.h"
#include "common/secbuf.h"
#include "registry/storage/s3/escape.h"

/*
 * AWS Signature Version 4 for S3: the proof that a request comes from who knows the secret key.
 * Pure, except for memory; from any thread.
 */

/* What a request is signed with. Borrowed. */
struct s3_keys {
    const char *access; /* the name of the key: not a secret */
    const struct secbuf *secret;
    const struct secbuf *token; /* of temporary credentials; NULL or empty: none */
};

/* The body of a request whose digest is not signed. */
#define S3_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

/* All borrowed. */
struct s3_message {
    const char *method;
    const char *host;    /* as the header of that name is sent */
    const char *path;    /* from its first slash, not escaped */
    const char *payload; /* SHA-256 of the body in hexadecimal, or S3_UNSIGNED_PAYLOAD */
    const struct s3_pair *query;
    size_t query_count;
    const struct s3_pair *headers; /* all that are signed, besides those that signing adds */
    size_t header_count;
};

/* The most parameters and headers of a message: signing adds up to six. */
enum { S3_MESSAGE_PAIRS_MAX = S3_PAIRS_MAX - 6 };

/* "20130524T000000Z" and a NUL. */
enum { S3_DATE_SIZE = 17, S3_AUTHORIZATION_SIZE = 1536 };

/* Headers to be sent with the request, besides host, those of the message, and x-amz-security-token
 * with the token. */
struct s3_signature {
    char date[S3_DATE_SIZE];                   /* x-amz-date */
    char authorization[S3_AUTHORIZATION_SIZE]; /* authorization; x-amz-content-sha256 is the payload
                                                */
};

/* 0, -ENOMEM, or -E2BIG (too many headers, or names too long for the signature). */
int s3_sign(const struct s3_keys *keys, const char *region, const struct s3_message *message,
            time_t now, struct s3_signature *ret) MUST_USE;

/*
 * The path and query of an address with which anybody can make this request until expires_s seconds
 * after now. The payload is not signed. *ret is the caller's, free with free(); it must not be
 * logged. 0, -ENOMEM or -E2BIG.
 */
int s3_presign(const struct s3_keys *keys, const char *region, const struct s3_message *message,
               time_t now, unsigned expires_s, char **ret) MUST_USE;
