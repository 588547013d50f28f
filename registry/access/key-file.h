#pragma once

#include <stdint.h>

#include "registry/access/watched-table.h"
#include "registry/jwt/chain.h"
#include "registry/jwt/key-set.h"

/*
 * A file with the public keys of other servers, which sign tokens: a watched table of struct
 * key_table. If a changed file has a mistake, the previous keys stay in force.
 */

enum key_file_kind { KEY_FILE_JWKS, KEY_FILE_CERTIFICATES };

/* The keys in a file. A table never changes; its references are counted. */
struct key_table {
    unsigned references; /* atomic */
    uint64_t id;         /* unique, and larger than the id of every table that was read earlier */
    struct jwt_key_set *keys;
    struct jwt_roots *roots; /* the same certificates as authorities; NULL for a key set */
    char *text;
    size_t size;
};

struct key_table *key_table_ref(struct key_table *table);
void key_table_unref(struct key_table *table); /* takes NULL */
void key_table_unrefp(struct key_table **table);

/*
 * warn and context are those of struct watched_table_options. 0 with *ret owned by the caller
 * (watched_table_close), or negative.
 */
int key_file_open(const char *path, enum key_file_kind kind,
                  void (*warn)(void *context, const char *text), void *context,
                  struct watched_table **ret, struct error *err) MUST_USE;

/* The keys in force; free with key_table_unref(). */
struct key_table *key_file_get(struct watched_table *file);
