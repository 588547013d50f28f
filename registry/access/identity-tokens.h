#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/secbuf.h"
#include "registry/access/keyed-digest.h"
#include "registry/storage/storage.h"

/*
 * Identity tokens: random texts that represent a login until they are revoked (docs/tokens.md). The
 * storage has a record of each token, at a key that consists of keyed digests of user and token; so
 * it contains no token. Several servers may share a storage. Any thread may call these functions.
 * All except identity_token_has_form() wait for the storage.
 */
struct identity_tokens;

/* The client name of the web page. A tab that was closed in a crash cannot end its token. */
#define IDENTITY_PAGE_CLIENT "registryd-page"

enum {
    IDENTITY_TOKEN_SIZE = 92,  /* characters */
    IDENTITY_ID_SIZE = 16,     /* the ID that people use for a token: hexadecimal digits */
    IDENTITY_USER_MAX = 255,   /* bytes */
    IDENTITY_CLIENT_MAX = 64,  /* bytes; a longer client name is truncated */
    IDENTITY_ADDRESS_MAX = 63, /* bytes */
    IDENTITY_UNUSED_MAX_S = 90 * 24 * 3600, /* a token expires if it is unused for this time */
    IDENTITY_PAGE_UNUSED_MAX_S = 24 * 3600, /* the same for a token of the page */
    IDENTITY_PER_CLIENT = 50,               /* tokens of one user, client and address */
    IDENTITY_PER_USER = 500,
};

/* A digest of the credential that a login was made with; it changes with the password. */
struct identity_credential {
    unsigned char bytes[KEYED_DIGEST_SIZE];
};

struct identity_record {
    char id[IDENTITY_ID_SIZE + 1];
    char user[IDENTITY_USER_MAX + 1];
    char client[IDENTITY_CLIENT_MAX + 1]; /* "" if unknown */
    char address[IDENTITY_ADDRESS_MAX + 1];
    int64_t created_s, used_s; /* on the storage's clock; used_s is 0 if the token was never used */
    struct identity_credential credential;
    char key[128];   /* of the object in the storage */
    bool is_damaged; /* the object cannot be parsed; only id, key and version are valid */
    struct storage_version version;
};

/*
 * Reads the key of the digests, or creates it. storage is borrowed. 0 with *ret owned by the caller
 * (identity_tokens_close), or negative.
 */
int identity_tokens_open(struct storage *storage, struct identity_tokens **ret,
                         struct error *err) MUST_USE;
void identity_tokens_close(struct identity_tokens *tokens); /* takes NULL */

/* Computes the credential of a record from the stamp of access_find_stamp(). 0 or -ENOMEM. */
int identity_tokens_get_credential(const struct identity_tokens *tokens, const unsigned char *stamp,
                                   size_t size, struct identity_credential *ret) MUST_USE;

/*
 * Makes a token for user, client, address and credential of login, and appends it to ret_token. If
 * the client and address, or the user, have too many tokens, removes some of theirs: first those
 * that were never used, then those that were used longest ago. 0 or negative.
 */
int identity_tokens_create(struct identity_tokens *tokens, const struct identity_record *login,
                           struct secbuf *ret_token, struct error *err) MUST_USE;

/* Whether a password has the form of a token. */
bool identity_token_has_form(const struct secbuf *token);

enum { IDENTITY_TOKEN_INVALID = 1 };

/*
 * Finds a token's record. 0; IDENTITY_TOKEN_INVALID if the token is unknown, was revoked, or was
 * unused for too long; or negative. Refuses an invented token without reading the storage.
 */
int identity_tokens_find(struct identity_tokens *tokens, const struct secbuf *token,
                         struct identity_record *ret, struct error *err) MUST_USE;

/*
 * Records that a token was used now from this address. Writes at most once in ten minutes for each
 * token, and never restores a record that was removed meanwhile. Best effort: ignores failures.
 */
void identity_tokens_note_use(struct identity_tokens *tokens, const struct identity_record *record,
                              const char *address);

/*
 * Calls each() for every record, including damaged ones, user by user. Stops if each() returns
 * another value than 0, and returns that value.
 */
typedef int identity_visitor(void *context, const struct identity_record *record,
                             struct error *err);
int identity_tokens_for_each(struct identity_tokens *tokens, identity_visitor *each, void *context,
                             struct error *err) MUST_USE;

/*
 * Removes the records of tokens that have expired because they were unused. pace() is called
 * between two records; a negative result of it ends the run and is returned. 0 with the number of
 * removed records in *ret_count, or negative.
 */
int identity_tokens_prune(struct identity_tokens *tokens,
                          int (*pace)(void *object, struct error *err), void *object,
                          size_t *ret_count, struct error *err) MUST_USE;

/* Removes a token permanently. Returns 0, also if it was already removed, or negative. */
int identity_tokens_revoke(struct identity_tokens *tokens, const struct identity_record *record,
                           struct error *err) MUST_USE;
