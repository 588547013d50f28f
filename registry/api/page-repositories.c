/*
 * Lists the repositories for the page: those that a search finds, or one level of their paths, with
 * the rest as groups. Names that the user may not pull count nowhere.
 */
#include <errno.h>
#include <string.h>

#include "common/monotonic.h"
#include "common/time-units.h"
#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/api/page-answer.h"
#include "registry/api/page-query.h"
#include "registry/api/page-state.h"

enum { NEWEST_MS = 150 }; /* how long a request looks for the newest tags */

struct list_query {
    struct name_search search;
    char path[NAME_MAX_SIZE + 2]; /* "" or with a '/' at its end */
    char last[NAME_MAX_SIZE + 2]; /* a name, or a group with a '/' at its end; "" at the start */
    size_t n;
    bool has_groups;
};

static bool get_flag(const struct call *call, struct response *response, const char *key,
                     bool *ret)
{
    char text[8];

    if (!page_query_text(call, response, key, text, sizeof(text)))
        return false;
    *ret = strcmp(text, "1") == 0;
    return true;
}

static bool get_query(const struct call *call, struct response *response, struct list_query *ret)
{
    char words[NAME_SEARCH_MAX + 1];
    size_t size;

    if (!page_query_n(call, response, &ret->n) ||
        !page_query_text(call, response, "search", words, sizeof(words)) ||
        !page_query_text(call, response, "path", ret->path, sizeof(ret->path) - 1) ||
        !page_query_text(call, response, "last", ret->last, sizeof(ret->last)) ||
        !get_flag(call, response, "group", &ret->has_groups))
        return false;
    name_search_init(&ret->search, words);
    size = strlen(ret->path);
    if (size > 0 && ret->path[size - 1] != '/')
        memcpy(ret->path + size, "/", 2);
    return true;
}

/* --- the names ------------------------------------------------------------------------------ */

/* An answer, while it grows. */
struct listing {
    const struct call *call;
    const struct list_query *query;
    bool is_restricted; /* rules restrict the user */
    struct text rows, groups;
    size_t row_count, group_count;
    size_t total; /* repositories that the user may pull and the search finds, on all pages */
    char last[NAME_MAX_SIZE + 2]; /* the last row or group */
    bool has_more;
    int64_t end_ms;
};

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

static bool is_shown(const struct listing *listing, const char *name)
{
    const struct call *call = listing->call;

    return begins_with(name, listing->query->path) &&
           name_search_matches(&listing->query->search, name) &&
           (!listing->is_restricted ||
            access_may_pull(call->api->access, &call->principal, name));
}

static bool is_after_last(const struct list_query *query, const char *name)
{
    size_t size = strlen(query->last);

    if (size > 0 && query->last[size - 1] == '/' && begins_with(name, query->last))
        return false;
    return size == 0 || store_compare_repositories(name, query->last) > 0;
}

/* The size of the group of a name, with its '/'; 0: the name is at this level itself. */
static size_t group_size(const struct list_query *query, const char *name)
{
    const char *slash = query->has_groups ? strchr(name + strlen(query->path), '/') : NULL;

    return slash ? (size_t)(slash - name) + 1 : 0;
}

/* --- rows and groups ------------------------------------------------------------------------ */

static bool is_full(struct listing *listing)
{
    listing->has_more = listing->row_count + listing->group_count >= listing->query->n;
    return listing->has_more;
}

static int add_row(struct listing *listing, const char *name, struct error *err)
{
    struct text *rows = &listing->rows;
    struct tag_count tags = {0};
    int r = tag_index_count(api_of(listing->call)->page->tags, name, listing->end_ms, &tags, err);

    if (store_is_general_failure(r))
        return r;
    text_add_string(rows, listing->row_count++ ? ",{\"name\":" : "{\"name\":");
    text_add_quoted(rows, name);
    if (r >= 0) /* without manifests: no tags */
        page_add_number(rows, "tags", tags.count);
    if (r == 0 && tags.newest_ns > 0)
        page_add_time(rows, "updated", tags.newest_ns / NS_PER_S);
    text_add_string(rows, "}");
    memcpy(listing->last, name, strlen(name) + 1);
    return 0;
}

static void add_group(struct listing *listing, const char *name, size_t size, size_t count)
{
    struct text *groups = &listing->groups;

    memcpy(listing->last, name, size);
    listing->last[size] = '\0';
    text_add_string(groups, listing->group_count++ ? ",{\"path\":" : "{\"path\":");
    text_add_quoted(groups, listing->last);
    page_add_number(groups, "repositories", count);
    text_add_string(groups, "}");
}

/* Repositories of one group that follow each other. */
struct run {
    const char *name; /* of the first; NULL: none */
    size_t size, count;
};

static bool is_in_run(const struct run *run, const char *name)
{
    return run->count > 0 && run->size > 0 && strncmp(run->name, name, run->size) == 0;
}

/* A group of one repository is shown as that repository. */
static int add_run(struct listing *listing, const struct run *run, struct error *err)
{
    if (run->count == 0 || listing->has_more || is_full(listing))
        return 0;
    if (run->size == 0 || run->count == 1)
        return add_row(listing, run->name, err);
    add_group(listing, run->name, run->size, run->count);
    return 0;
}

static int add_names(struct listing *listing, const struct store_names *names, struct error *err)
{
    struct run run = {0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < names->count; i++) {
        const char *name = names->items[i];

        if (!is_shown(listing, name))
            continue;
        listing->total++;
        if (!is_after_last(listing->query, name) || listing->has_more)
            continue;
        if (is_in_run(&run, name)) {
            run.count++;
            continue;
        }
        r = add_run(listing, &run, err);
        run = (struct run){name, group_size(listing->query, name), 1};
    }
    return r < 0 ? r : add_run(listing, &run, err);
}

/* --- the answer ----------------------------------------------------------------------------- */

static void answer_listing(struct response *response, struct listing *listing)
{
    struct text text = {0};

    text_add_string(&text, "{\"repositories\":[");
    if (listing->rows.data)
        text_add(&text, listing->rows.data, listing->rows.size);
    text_add_string(&text, "]");
    if (listing->query->has_groups) {
        text_add_string(&text, ",\"groups\":[");
        if (listing->groups.data)
            text_add(&text, listing->groups.data, listing->groups.size);
        text_add_string(&text, "]");
    }
    page_add_number(&text, "total", listing->total);
    text_add_string(&text, ",\"next\":");
    if (listing->has_more)
        text_add_quoted(&text, listing->last);
    else
        text_add_string(&text, "null");
    text_add_string(&text, "}\n");
    if (listing->rows.has_failed || listing->groups.has_failed)
        text.has_failed = 1;
    page_answer(response, &text);
}

static enum http_result answer_repositories(struct call *call, struct response *response)
{
    struct page_state *page = api_of(call)->page;
    const struct repository_names *names;
    struct list_query query;
    struct listing listing = {.call = call, .query = &query, .end_ms = monotonic_ms() + NEWEST_MS};
    struct error err = {0};
    int r;

    if (!call_is_on_worker(call))
        return call_move_to_computer(call);
    if (!get_query(call, response, &query))
        return HTTP_DONE;
    r = repository_list_get(page->repositories, &names, &err);
    if (r == STORE_BUSY && call_may_park(call))
        return call_park(call);
    if (r == STORE_BUSY)
        r = error_set(&err, EAGAIN, "the list of repositories is still being read");
    if (r == 0) {
        listing.is_restricted = access_is_restricted(call->api->access, &call->principal);
        r = add_names(&listing, &names->names, &err);
        repository_list_release(page->repositories, names);
    }
    if (r == 0)
        answer_listing(response, &listing);
    else
        response_fail(response, &err);
    text_done(&listing.rows);
    text_done(&listing.groups);
    return HTTP_DONE;
}

const struct endpoint endpoint_page_repositories = {.answer = answer_repositories};
