#pragma once

#include <stdint.h>

#include "registry/access/watched-table.h"
#include "registry/jwt/chain.h"
#include "registry/jwt/key-set.h"

/*
 * A file with the public keys of others, who sign tokens: a JSON Web Key Set, or certificates in
 * PEM. It is read again when it changes; a file that cannot be used leaves the keys as they were.
 * From any thread.
 */
struct key_file;

enum key_file_kind { KEY_FILE_JWKS, KEY_FILE_CERTIFICATES };

/* The keys of a file. It never changes, and references are counted. */
struct key_table {
    unsigned references; /* atomic */
    uint64_t id;         /* larger than that of every table that was read before, of any file */
    struct jwt_key_set *keys;
    struct jwt_roots *roots; /* the same certificates as authorities; NULL for a key set */
    char *text;
    size_t size;
};

struct key_table *key_table_ref(struct key_table *table);
void key_table_unref(struct key_table *table); /* takes NULL */
void key_table_unrefp(struct key_table **table);

/*
 * warn is called with one line of text for the operator, by the thread that reads the file, one at
 * a time. It may be NULL. 0 with *ret owned by the caller (key_file_close), or negative.
 */
int key_file_open(const char *path, enum key_file_kind kind,
                  void (*warn)(void *context, const char *text), void *context,
                  struct key_file **ret, struct error *err) MUST_USE;
void key_file_close(struct key_file *file); /* after the last other call; takes NULL */

bool key_file_is_current(struct key_file *file); /* one stat(2), for event threads, too */
void key_file_refresh(struct key_file *file);    /* reads the file if it has changed */
int key_file_reload(struct key_file *file,
                    struct error *err) MUST_USE;       /* reads it now, for SIGHUP. 0 or negative */
struct key_table *key_file_get(struct key_file *file); /* the keys in force; key_table_unref() */
