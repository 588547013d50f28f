/*
 * Tags: names for manifests, which move in one step.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "registry/spec/name.h"
#include "registry/core/store-private.h"

int store_resolve_tag(struct store *store, const char *name, const char *tag, struct digest *ret, struct error *err)
{
    struct key link = key_tag_current(name, tag);
    int r = link_read(store->driver, &link, ret, err);

    return r > 0 ? STORE_NOT_FOUND : r;
}

int store_put_tag(struct store *store, const char *name, const char *tag, const struct digest *digest,
                  struct error *err)
{
    struct key index = key_tag_index(name, tag, digest, "link"), current = key_tag_current(name, tag);
    CLEANUP_UNLOCK pthread_rwlock_t *lock = store_lock_shared(store, name);
    char text[DIGEST_TEXT_SIZE];
    struct driver_change changes[2] = {
        {.kind = DRIVER_PUT, .key = index.text, .data = text},
        {.kind = DRIVER_PUT, .key = current.text, .data = text},
    };

    digest_format(digest, text);
    changes[0].size = changes[1].size = strlen(text);
    return store->driver->type->publish(store->driver, changes, ARRAY_SIZE(changes), err);
}

int store_delete_tag(struct store *store, const char *name, const char *tag, const char *actor, struct error *err)
{
    struct key folder = key_tag(name, tag);
    const char *keys[] = {folder.text};
    CLEANUP_UNLOCK pthread_rwlock_t *lock = store_lock_alone(store, name);
    struct digest digest;
    int found = store_resolve_tag(store, name, tag, &digest, err), r = found;

    if (found == 0 || found == -EBADMSG) /* a tag that cannot be read can be deleted */
        r = store->driver->type->remove(store->driver, keys, 1, err);
    if (r == 0)
        store_report_event(store, &(struct event){.kind = EVENT_DELETE_TAG, .repository = name, .tag = tag,
                                                  .digest = found == 0 ? &digest : NULL, .actor = actor});
    return r;
}

/* --- lists --------------------------------------------------------------------------------- */

int store_list_tag_folders(struct store *store, const char *name, struct folder_names *ret, struct error *err)
{
    struct key folder = key_in_repository(name, "_manifests/tags");
    int r = store->driver->type->list(store->driver, folder.text, ret, err);

    return r < 0 ? r : 0;
}

/* A repository without tags is known by its manifests. */
static int find_repository(struct store *store, const char *name, struct error *err)
{
    struct key folder = key_in_repository(name, "_manifests");
    struct driver_stat st;
    int r = store->driver->type->stat(store->driver, folder.text, &st, err);

    return r > 0 ? STORE_NOT_FOUND : r;
}

/* A folder without a link was left by a crash, or is being made. */
static int has_link(struct store *store, const char *name, const char *tag, struct error *err)
{
    struct key link = key_tag_current(name, tag);
    struct driver_stat st;

    return name_is_tag(tag, strlen(tag)) ? store->driver->type->stat(store->driver, link.text, &st, err)
                                         : DRIVER_NOT_FOUND;
}

/* Adds a tag to the page, or finds that there is more than fits. */
static int add_tag(struct store *store, const char *name, const char *tag, size_t n, struct store_names *page,
                   struct error *err)
{
    int r = has_link(store, name, tag, err);

    if (r != 0)
        return r < 0 ? r : 0;
    page->has_more = page->count == n;
    return !page->has_more && store_names_add(page, tag) < 0 ? error_set_oom(err) : 0;
}

/* Adds to the page what of the names after that one is a tag; *ret_last is the last of them, "" where there was none. */
static int add_tags(struct store *store, const char *name, const char *after, size_t n, struct store_names *page,
                    char ret_last[NAME_MAX + 1], struct error *err)
{
    CLEANUP(folder_names_done) struct folder_names tags = {0};
    struct key folder = key_in_repository(name, "_manifests/tags");
    size_t wanted = n == SIZE_MAX ? n : n - page->count + 1; /* and whether there are more */
    int r = store->driver->type->list_after(store->driver, folder.text, after, wanted, &tags, err);

    ret_last[0] = '\0';
    if (r < 0)
        return r;
    for (size_t at = 0; at < tags.count && !page->has_more; at++) {
        r = add_tag(store, name, tags.names[at]->text, n, page, err);
        if (r < 0)
            return r;
    }
    if (tags.count > 0 && wanted != SIZE_MAX)
        snprintf(ret_last, NAME_MAX + 1, "%s", tags.names[tags.count - 1]->text);
    return tags.count > 0 ? 0 : DRIVER_NOT_FOUND;
}

int store_list_tags(struct store *store, const char *name, const char *last, size_t n, struct store_names *ret,
                    struct error *err)
{
    CLEANUP(store_names_done) struct store_names page = {0};
    char seen[NAME_MAX + 1];
    int r = 0;

    if (n > 0)
        r = add_tags(store, name, last, n, &page, seen, err);
    /* Where folders without a link stood among the tags, the page is not full yet. */
    while (r == 0 && n > 0 && *seen && !page.has_more)
        r = add_tags(store, name, seen, n, &page, seen, err);
    if (r < 0)
        return r;
    if (page.count == 0) {
        r = find_repository(store, name, err);
        if (r != 0)
            return r;
    }
    *ret = page;
    page = (struct store_names){0};
    return 0;
}
