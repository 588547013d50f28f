/*
 * Says what takes space: repositories, the tags of one, and how the registry grew. "Alone" and
 * "shared" consider only what the user may pull, so that nothing tells what others have.
 */
#include "registry/api/page-space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/api/page-answer.h"
#include "registry/api/page-query.h"
#include "registry/core/growth.h"
#include "registry/core/lists.h"

enum {
    ROWS_MAX = 1000,
    TAGS_MAX = 2000, /* measured of one repository: the newest */
};

/* --- what the user may see ------------------------------------------------------------------ */

/* Sets counts, and returns whether the user may pull all of the measured repositories. */
static bool find_permitted(const struct call *call, struct page_space *space)
{
    size_t permitted = 0, count = space->space->names.count;

    for (size_t i = 0; i < count; i++) {
        space->counts[i] =
            access_may_pull(call->api->access, &call->principal, space->space->names.items[i]);
        permitted += space->counts[i];
    }
    return permitted == count;
}

int page_space_get(const struct call *call, struct page_space *ret, struct error *err)
{
    const struct api *api = call->api;
    int r = space_cache_get(api->page->space, &ret->space, err);

    if (r != 0)
        return r;
    if (!access_is_restricted(api->access, &call->principal))
        return 0;
    ret->counts = calloc(ret->space->names.count + 1, sizeof(*ret->counts));
    if (!ret->counts) {
        page_space_done(call, ret);
        return error_set_oom(err);
    }
    if (find_permitted(call, ret) && access_may_pull_all(api->access, &call->principal)) {
        free(ret->counts);
        ret->counts = NULL;
    }
    return 0;
}

void page_space_done(const struct call *call, struct page_space *space)
{
    if (space->space)
        space_cache_release(call->api->page->space, space->space);
    free(space->counts);
    *space = (struct page_space){0};
}

/* Answers with the text, or refuses. Empties the text. */
static enum http_result finish(struct call *call, struct response *response, int r,
                               struct text *text, struct error *err)
{
    if (r == 0) {
        page_answer(response, text);
        return HTTP_DONE;
    }
    text_done(text);
    if (r == STORE_BUSY && call_may_park(call))
        return call_park(call);
    if (r == STORE_BUSY)
        error_set(err, EAGAIN, "the space is still being measured");
    if (r == -E2BIG) {
        answer_invalid(response, ERROR_CODE_UNSUPPORTED,
                       "too much to be measured for the page; registryd du measures it");
        response->status = 400;
    } else {
        response_fail(response, err);
    }
    return HTTP_DONE;
}

/* --- repositories --------------------------------------------------------------------------- */

struct row {
    const char *name;
    uint64_t bytes, alone;
};

static int compare_rows(const void *a, const void *b)
{
    const struct row *one = a, *other = b;

    if (one->bytes != other->bytes)
        return one->bytes > other->bytes ? -1 : 1;
    return strcmp(one->name, other->name);
}

/* The largest first. */
static void add_rows(struct text *text, struct row *rows, size_t count)
{
    qsort(rows, count, sizeof(*rows), compare_rows);
    text_add_string(text, "[");
    for (size_t i = 0; i < count && i < ROWS_MAX; i++) {
        text_add_string(text, i ? ",{\"name\":" : "{\"name\":");
        text_add_quoted(text, rows[i].name);
        page_add_number(text, "alone", rows[i].alone);
        page_add_number(text, "shared", rows[i].bytes - rows[i].alone);
        text_add_string(text, "}");
    }
    text_add_string(text, "]");
}

/* It tells about all repositories, so only users whom no rule restricts see it. */
static void add_history(const struct call *call, struct text *text)
{
    CLEANUP_FREE struct growth *growth = malloc(sizeof(*growth));
    struct error ignored;

    if (!growth || growth_read(api_of(call)->store, growth, &ignored) < 0)
        return;
    text_add_string(text, ",\"history\":[");
    for (size_t i = 0; i < growth->count; i++) {
        text_add_string(text, i ? ",{" : "{");
        page_add_time(text, "time", growth->items[i].time_s);
        page_add_number(text, "bytes", growth->items[i].bytes);
        text_add_string(text, "}");
    }
    text_add_string(text, "]");
}

static size_t collect_rows(const struct page_space *seen, const char *path,
                           const struct usage *usages, struct row *ret)
{
    size_t count = 0;

    for (size_t i = 0; i < seen->space->names.count; i++) {
        const char *name = seen->space->names.items[i];

        if ((seen->counts && !seen->counts[i]) || strncmp(name, path, strlen(path)) != 0)
            continue;
        ret[count++] = (struct row){name, usages[i].bytes, usages[i].alone};
    }
    return count;
}

static int format_space(const struct call *call, const struct page_space *seen, const char *path,
                        struct text *text, struct error *err)
{
    size_t count = seen->space->names.count;
    CLEANUP_FREE struct usage *usages = calloc(count + 1, sizeof(*usages));
    CLEANUP_FREE struct row *rows = calloc(count + 1, sizeof(*rows));
    struct usage total;

    if (!usages || !rows)
        return error_set_oom(err);
    usage_ledger_sum(&seen->space->ledger, seen->counts, usages, &total);
    text_add_string(text, "{\"repositories\":");
    add_rows(text, rows, collect_rows(seen, path, usages, rows));
    page_add_number(text, "total", total.bytes);
    page_add_number(text, "shared", total.bytes - total.alone);
    page_add_time(text, "as_of", seen->space->as_of_s);
    if (!seen->counts && seen->space->has_free)
        page_add_number(text, "free_by_collection", seen->space->free);
    if (!seen->counts)
        add_history(call, text);
    text_add_string(text, "}\n");
    return 0;
}

static enum http_result answer_space(struct call *call, struct response *response)
{
    char path[NAME_MAX_SIZE + 2];
    struct page_space seen = {0};
    struct text text = {0};
    struct error err = {0};
    int r;

    if (!call_is_on_worker(call))
        return call_move_to_computer(call);
    if (!page_query_text(call, response, "path", path, sizeof(path)))
        return HTTP_DONE;
    r = page_space_get(call, &seen, &err);
    if (r == 0)
        r = format_space(call, &seen, path, &text, &err);
    page_space_done(call, &seen);
    return finish(call, response, r, &text, &err);
}

/* --- tags ----------------------------------------------------------------------------------- */

/* The newest tags; *ret_is_all tells whether there are no others. */
static int find_tags(const struct call *call, struct store_names *ret, bool *ret_is_all,
                     struct error *err)
{
    CLEANUP(tag_page_done) struct tag_page page = {0};
    struct tag_query query = {.last = "", .n = TAGS_MAX};
    int r = tag_index_search(call->api->page->tags, call->route.name, &query, monotonic_ms(),
                             TAG_INDEX_WHAT_IS_KNOWN, &page, err);

    *ret_is_all = page.is_complete && !*page.next;
    for (size_t i = 0; r == 0 && i < page.count; i++)
        if (store_names_add(ret, page.items[i].name) < 0)
            return error_set_oom(err);
    return r;
}

static int format_tags(const struct call *call, const struct store_names *tags, bool is_all,
                       struct text *text, struct error *err)
{
    CLEANUP_FREE struct usage *usages = calloc(tags->count + 1, sizeof(*usages));
    CLEANUP_FREE struct row *rows = calloc(tags->count + 1, sizeof(*rows));
    const struct usage_options options = {0};
    struct usage rest, total;
    int r;

    if (!usages || !rows)
        return error_set_oom(err);
    r = store_measure_tags(api_of(call)->store, call->route.name, tags, &options, usages, &rest,
                           &total, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < tags->count; i++)
        rows[i] = (struct row){tags->items[i], usages[i].bytes, usages[i].alone};
    text_add_string(text, "{\"tags\":");
    add_rows(text, rows, tags->count);
    page_add_number(text, "total", total.bytes);
    page_add_number(text, "untagged", is_all ? rest.alone : 0);
    page_add_bool(text, "complete", is_all);
    return 0;
}

/* What the repository has alone, and what it shares with others. */
static int add_repository(const struct call *call, const struct page_space *seen,
                          struct text *text, struct error *err)
{
    const struct space *space = seen->space;
    size_t index = store_find_repository(&space->names, call->route.name);
    CLEANUP_FREE struct usage *usages = calloc(space->names.count + 1, sizeof(*usages));
    struct usage total;

    if (!usages)
        return error_set_oom(err);
    usage_ledger_sum(&space->ledger, seen->counts, usages, &total);
    page_add_number(text, "alone", usages[index].alone);
    page_add_number(text, "shared", usages[index].bytes - usages[index].alone);
    page_add_time(text, "as_of", space->as_of_s);
    text_add_string(text, "}\n");
    return 0;
}

static enum http_result answer_repository_space(struct call *call, struct response *response)
{
    CLEANUP(store_names_done) struct store_names tags = {0};
    struct page_space seen = {0};
    struct text text = {0};
    struct error err = {0};
    bool is_all = false;
    int r;

    if (!call_is_on_worker(call))
        return call_move_to_computer(call);
    r = find_tags(call, &tags, &is_all, &err);
    if (r == STORE_NOT_FOUND) {
        answer_unknown(response, ERROR_CODE_NAME_UNKNOWN, "name", call->route.name);
        return HTTP_DONE;
    }
    if (r == 0)
        r = page_space_get(call, &seen, &err);
    if (r == 0)
        r = format_tags(call, &tags, is_all, &text, &err);
    if (r == 0)
        r = add_repository(call, &seen, &text, &err);
    page_space_done(call, &seen);
    return finish(call, response, r, &text, &err);
}

const struct endpoint endpoint_page_space = {.answer = answer_space};
const struct endpoint endpoint_page_repository_space = {.answer = answer_repository_space};
