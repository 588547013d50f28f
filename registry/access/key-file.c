#include "registry/access/key-file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct key_table *key_table_ref(struct key_table *table)
{
    __atomic_add_fetch(&table->references, 1, __ATOMIC_RELAXED);
    return table;
}

void key_table_unref(struct key_table *table)
{
    if (!table || __atomic_sub_fetch(&table->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    jwt_key_set_unref(table->keys);
    jwt_roots_free(table->roots);
    free(table->text);
    free(table);
}

void key_table_unrefp(struct key_table **table)
{
    key_table_unref(*table);
}

/* --- reading the file ------------------------------------------------------------------- */

static int new_table(struct file_content *content, struct key_table **ret)
{
    static uint64_t last_id; /* atomic */
    CLEANUP(key_table_unrefp) struct key_table *table = calloc(1, sizeof(*table));

    if (!table)
        return -ENOMEM;
    table->references = 1;
    table->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    if (jwt_key_set_new(&table->keys) < 0)
        return -ENOMEM;
    table->size = content->size;
    table->text = steal_ptr(&content->text);
    *ret = steal_ptr(&table);
    return 0;
}

static int parse_table(struct watched_table *watched, struct file_content *content,
                       enum key_file_kind kind, void **ret, struct error *err)
{
    const char *path = watched_table_path(watched);
    CLEANUP(key_table_unrefp) struct key_table *table = NULL;
    int r;

    if (new_table(content, &table) < 0)
        return error_set_oom(err);
    if (kind == KEY_FILE_JWKS)
        r = jwt_key_set_add_jwks(table->keys, path, table->text, table->size, err);
    else
        r = jwt_key_set_add_certificates(table->keys, path, table->text, table->size, err);
    if (r == 0 && kind == KEY_FILE_CERTIFICATES)
        r = jwt_roots_new(path, table->text, table->size, &table->roots, err);
    if (r < 0)
        return r;
    watched_table_warn_if_open(watched, content);
    *ret = steal_ptr(&table);
    return 0;
}

static int parse_jwks(struct watched_table *watched, struct file_content *content, void **ret,
                      struct error *err)
{
    return parse_table(watched, content, KEY_FILE_JWKS, ret, err);
}

static int parse_certificates(struct watched_table *watched, struct file_content *content,
                              void **ret, struct error *err)
{
    return parse_table(watched, content, KEY_FILE_CERTIFICATES, ret, err);
}

static bool is_of(const void *object, const char *text, size_t size)
{
    const struct key_table *table = object;

    return table->size == size && memcmp(table->text, text, size) == 0;
}

static void *ref_table(void *table)
{
    return key_table_ref(table);
}

static void unref_table(void *table)
{
    key_table_unref(table);
}

#define TYPE(parse_function)                                                                       \
    {                                                                                              \
        .parse = parse_function, .is_of = is_of, .ref = ref_table, .unref = unref_table,           \
        .stays = "the previous keys stay in force",                                                \
    }

static const struct watched_table_type types[] = {
    [KEY_FILE_JWKS] = TYPE(parse_jwks),
    [KEY_FILE_CERTIFICATES] = TYPE(parse_certificates),
};

/* --- public ----------------------------------------------------------------------------- */

int key_file_open(const char *path, enum key_file_kind kind,
                  void (*warn)(void *context, const char *text), void *context,
                  struct watched_table **ret, struct error *err)
{
    const struct watched_table_options options = {
        .path = path, .type = &types[kind], .warn = warn, .context = context};

    return watched_table_open(&options, ret, err);
}

struct key_table *key_file_get(struct watched_table *file)
{
    return watched_table_get(file);
}
