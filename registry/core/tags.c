/*
 * Resolves, deletes and lists tags. A tag names a manifest, and moves to another one atomically.
 */
#include <errno.h>
#include <string.h>

#include "registry/spec/name.h"
#include "registry/core/claims.h"
#include "registry/core/key-window.h"
#include "registry/core/lists.h"
#include "registry/core/store-private.h"
#include "registry/core/tag-names.h"

int store_resolve_tag(struct store *store, const char *name, const char *tag,
                      enum store_waiting waiting, struct digest *ret, struct error *err)
{
    struct key link = key_tag_current(name, tag);

    return store_outcome(link_read(store->storage, &link, store_may_wait(waiting), ret, err));
}

int store_put_tag(struct store *store, const char *name, const char *tag,
                  const struct digest *digest, struct error *err)
{
    struct key index = key_tag_index(name, tag, digest, "link"),
               current = key_tag_current(name, tag);
    CLEANUP_CLAIM struct storage_claim *claim = NULL;
    char text[DIGEST_TEXT_SIZE];
    struct storage_step steps[2] = {
        {.kind = STORAGE_PUT, .key = index.text, .data = text},
        {.kind = STORAGE_PUT, .key = current.text, .data = text},
    };
    int r = store_claim(store, name, STORAGE_SHARED, &claim, err);

    digest_format(digest, text);
    steps[0].size = steps[1].size = strlen(text);
    if (r == 0)
        r = store_write_claimed(store, claim, steps, ARRAY_SIZE(steps), err);
    return r == 0 ? tag_names_mark(store, name, err) : r;
}

int store_stat_tag(struct store *store, const char *name, const char *tag,
                   struct store_tag_state *ret, struct error *err)
{
    struct key link = key_tag_current(name, tag);
    struct storage_object object;
    struct store_tag_state state;
    /* Reads the version first: a later push changes it. */
    int r = storage_head(store->storage, link.text, STORAGE_MAY_WAIT, &object, err);

    if (r == 0)
        r = link_read(store->storage, &link, STORAGE_MAY_WAIT, &state.digest, err);
    if (r == 0)
        r = storage_last_use(store->storage, link.text, &state.pushed_ns, err);
    if (r != 0)
        return store_outcome(r);
    state.version = object.version;
    *ret = state;
    return 0;
}

/* Returns STORE_BUSY if the tag has another version. version NULL: any version. */
static int check_version(struct store *store, const char *name, const char *tag,
                         const struct storage_version *version, struct error *err)
{
    struct key link = key_tag_current(name, tag);
    struct storage_object object;
    int r = version ? storage_head(store->storage, link.text, STORAGE_MAY_WAIT, &object, err) : 0;

    if (r != 0 || !version)
        return store_outcome(r);
    return storage_version_is_same(&object.version, version) ? 0 : STORE_BUSY;
}

int store_delete_tag_if(struct store *store, const char *name, const char *tag,
                        const struct storage_version *version, const char *actor, struct error *err)
{
    struct key prefix = key_tag_prefix(name, tag), pushed = key_pushed_tag(name, tag);
    const char *keys[] = {prefix.text, pushed.text};
    CLEANUP_CLAIM struct storage_claim *claim = NULL;
    struct digest digest;
    int found, r = store_claim(store, name, STORAGE_EXCLUSIVE, &claim, err);

    if (r == 0)
        r = check_version(store, name, tag, version, err);
    if (r != 0)
        return r;
    found = r = store_resolve_tag(store, name, tag, STORE_MAY_WAIT, &digest, err);
    if (found == 0 || found == -EBADMSG) /* a damaged tag can be deleted, too */
        r = store_remove_claimed(store, claim, keys, ARRAY_SIZE(keys), err);
    if (r == 0)
        r = tag_names_mark(store, name, err);
    if (r == 0)
        store_report_event(store, &(struct event){.kind = EVENT_DELETE_TAG,
                                                  .repository = name,
                                                  .tag = tag,
                                                  .digest = found == 0 ? &digest : NULL,
                                                  .actor = actor});
    return r;
}

int store_delete_tag(struct store *store, const char *name, const char *tag, const char *actor,
                     struct error *err)
{
    return store_delete_tag_if(store, name, tag, NULL, actor, err);
}

/* --- lists ----------------------------------------------------------------------------------- */

int store_list_tag_entries(struct store *store, const char *name, struct storage_list *ret,
                           struct error *err)
{
    struct key prefix = key_in_repository(name, KEY_TAGS);

    return storage_list(store->storage, prefix.text, NULL, SIZE_MAX, ret, err);
}

/*
 * A repository without tags exists if it has manifests, or had any. A bucket keeps nothing below
 * _manifests when the last manifest is deleted, but what we note about tags stays.
 */
static int find_repository(struct store *store, const char *name, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    struct key prefix = key_in_repository(name, "");
    int r = storage_list(store->storage, prefix.text, NULL, SIZE_MAX, &list, err);

    for (size_t i = 0; r == 0 && i < list.count; i++) {
        const char *entry = list.entries[i]->name;

        if (strcmp(entry, "_manifests") == 0 || strcmp(entry, "_registryd") == 0)
            return 0;
    }
    return r < 0 ? r : STORE_NOT_FOUND;
}

/* A page of tags while it is filled. */
struct tag_page_reading {
    struct store *store;
    const char *name; /* of the repository */
    size_t n;
    struct store_names names;
    struct key_window *window; /* NULL unless the storage is remote */
};

/* Whether the tag has a link. If not, a crash left it, or it is being created. */
static int has_link(struct tag_page_reading *page, const char *tag, struct error *err)
{
    struct key link = key_tag_current(page->name, tag);
    struct storage_object object;
    bool is_there;
    int r;

    if (!name_is_tag(tag, strlen(tag)))
        return STORAGE_NOT_FOUND;
    if (!page->window)
        return storage_head(page->store->storage, link.text, STORAGE_MAY_WAIT, &object, err);
    r = key_window_has(page->window, strstr(link.text, KEY_TAGS) + strlen(KEY_TAGS), &is_there,
                       err);
    return r == 0 && !is_there ? STORAGE_NOT_FOUND : r;
}

/*
 * Adds a tag to the page, or sets has_more if the page is full. A tag that cannot be read is
 * skipped.
 */
static int add_tag(struct tag_page_reading *page, const char *tag, struct error *err)
{
    struct store_names *names = &page->names;
    int r = store_may_go_on(page->store, err);

    if (r == 0)
        r = has_link(page, tag, err);
    if (store_is_general_failure(r))
        return r;
    if (r < 0)
        store_names_skip(names, err);
    if (r != 0)
        return 0;
    names->has_more = names->count == page->n;
    return !names->has_more && store_names_add(names, tag) < 0 ? error_set_oom(err) : 0;
}

/*
 * Adds the tags after that name to the page. *ret is the list that was read; it is empty after the
 * last name.
 */
static int add_tags(struct tag_page_reading *page, const char *after, struct storage_list *ret,
                    struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    struct key prefix = key_in_repository(page->name, KEY_TAGS);
    /* one more, to see whether there are more */
    size_t limit = page->n == SIZE_MAX ? page->n : page->n - page->names.count + 1;
    int r = storage_list(page->store->storage, prefix.text, after, limit, &list, err);

    for (size_t i = 0; r == 0 && i < list.count && !page->names.has_more; i++)
        r = add_tag(page, list.entries[i]->name, err);
    if (r < 0)
        return r;
    storage_list_done(ret);
    *ret = list;
    list = (struct storage_list){0};
    return 0;
}

/* If some names have no link, one read does not fill the page, so this loops. */
static int fill_page(struct tag_page_reading *page, const char *last, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list seen = {0};
    int r = add_tags(page, last, &seen, err);

    while (r == 0 && seen.has_more && !page->names.has_more) {
        CLEANUP_FREE char *after = strdup(seen.entries[seen.count - 1]->name);

        r = after ? add_tags(page, after, &seen, err) : error_set_oom(err);
    }
    return r;
}

/* On a remote storage, a page that is not in memory is read with the keys around its tags. */
static int read_page(struct store *store, const char *name, const char *last, size_t n,
                     struct store_names *ret, struct error *err)
{
    const struct key prefix = key_in_repository(name, KEY_TAGS);
    CLEANUP(key_window_done) struct key_window window =
        key_window_of(store->storage, prefix.text);
    struct tag_page_reading page = {.store = store, .name = name, .n = n};
    int r = STORE_NOT_FOUND;

    if (storage_is_remote(store->storage)) {
        page.window = &window;
        r = tag_names_list(store, name, last, n, ret, err);
    }
    if (r != STORE_NOT_FOUND)
        return r;
    r = fill_page(&page, last, err);
    if (r == 0)
        *ret = page.names;
    else
        store_names_done(&page.names);
    return r;
}

int store_list_tags(struct store *store, const char *name, const char *last, size_t n,
                    struct store_names *ret, struct error *err)
{
    CLEANUP(store_names_done) struct store_names page = {0};
    int r = n > 0 ? read_page(store, name, last, n, &page, err) : 0;

    if (r == 0 && page.count == 0)
        r = find_repository(store, name, err);
    if (r != 0)
        return r;
    *ret = page;
    page = (struct store_names){0};
    return 0;
}
