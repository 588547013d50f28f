#include "registry/access/access-file.h"

#include <errno.h>
#include <stdlib.h>

#include "registry/access/oidc.h"
#include "registry/access/watched-table.h"

static void warn_of_keys(void *watched, const char *text)
{
    watched_table_warn(watched, "%s", text);
}

/*
 * -ESTALE makes the watched table try again later. A missing key file may appear although the
 * access file does not change.
 */
static int open_keys(struct watched_table *watched, struct rules *rules, struct error *err)
{
    struct oidc *oidc = NULL;

    if (rules_get_oidc_rules(rules)->count == 0)
        return 0;
    if (oidc_open(rules_get_oidc_rules(rules), watched_table_path(watched), warn_of_keys, watched,
                  &oidc, err) < 0) {
        err->code = err->code == ENOMEM ? ENOMEM : ESTALE;
        return -err->code;
    }
    rules_set_oidc(rules, oidc);
    return 0;
}

static int parse_rules(struct watched_table *watched, struct file_content *content, void **ret,
                       struct error *err)
{
    const char *path = watched_table_path(watched);
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    int r = rules_parse(path, content->text, content->size, &rules, err);

    if (r == 0)
        r = open_keys(watched, rules, err);
    if (r < 0)
        return r;
    watched_table_warn_if_open(watched, content);
    *ret = steal_ptr(&rules);
    return 0;
}

static bool is_of(const void *table, const char *text, size_t size)
{
    return rules_are_of(table, text, size);
}

static void *ref_rules(void *table)
{
    return rules_ref(table);
}

static void unref_rules(void *table)
{
    rules_unref(table);
}

static const struct watched_table_type rules_type = {
    .parse = parse_rules,
    .is_of = is_of,
    .ref = ref_rules,
    .unref = unref_rules,
    .stays = "the previous rules stay in force",
};

int access_file_open(const char *path, void (*warn)(void *context, const char *text), void *context,
                     struct watched_table **ret, struct error *err)
{
    const struct watched_table_options options = {
        .path = path, .type = &rules_type, .warn = warn, .context = context};

    return watched_table_open(&options, ret, err);
}

struct rules *access_file_get_rules(struct watched_table *file)
{
    return watched_table_get(file);
}
