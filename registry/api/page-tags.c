/*
 * Lists the tags of a repository for the page: the newest first or by name, those that a search
 * finds, with what people want to know about each. Only the tags of one page are looked at closely.
 * In a large repository the first request reads the times of all tags, in steps between which other
 * requests run, and answers with what is known if that takes long. Tags that are asked for by their
 * names need none of that.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "common/time-units.h"
#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/api/page-answer.h"
#include "registry/api/page-query.h"
#include "registry/api/page-state.h"
#include "registry/core/pulls.h"
#include "registry/core/pushes.h"

enum {
    PATIENCE_MS = 300,  /* for a complete index */
    SCAN_MS = 300,      /* how long a request looks for tags of a platform */
    PLATFORM_MAX = 200,
    NAMES_MAX = 8, /* tags that are asked for by name */
};

/* A request, while it waits for the index. */
struct tags_request {
    int64_t began_ms; /* of monotonic_ms() */
};

struct tags_query {
    struct tag_query tags;
    char last[TAG_CURSOR_SIZE], platform[PLATFORM_MAX + 1];
    char names[NAMES_MAX * (TAG_MAX_SIZE + 1) + 1]; /* with blanks between; "": it is a search */
    size_t n;
};

static bool get_order(const struct call *call, struct response *response, enum tag_order *ret)
{
    char text[16];

    if (!page_query_text(call, response, "order", text, sizeof(text)))
        return false;
    *ret = strcmp(text, "name") == 0 ? TAG_ORDER_NAME : TAG_ORDER_NEWEST;
    if (!*text || strcmp(text, "name") == 0 || strcmp(text, "newest") == 0)
        return true;
    return page_query_refuse(response, "order", text);
}

static bool get_query(const struct call *call, struct response *response, struct tags_query *ret)
{
    char words[NAME_SEARCH_MAX + 1];

    if (!page_query_n(call, response, &ret->n) ||
        !page_query_text(call, response, "search", words, sizeof(words)) ||
        !page_query_text(call, response, "last", ret->last, sizeof(ret->last)) ||
        !page_query_text(call, response, "platform", ret->platform, sizeof(ret->platform)) ||
        !page_query_text(call, response, "names", ret->names, sizeof(ret->names)) ||
        !get_order(call, response, &ret->tags.order))
        return false;
    name_search_init(&ret->tags.search, words);
    ret->tags.last = ret->last;
    ret->tags.n = *ret->platform ? PAGE_N_MAX : ret->n;
    return true;
}

/* --- rows ----------------------------------------------------------------------------------- */

/* The rows of an answer. */
struct rows {
    const struct call *call;
    const struct tags_query *query;
    struct text text;
    size_t count;
    char next[TAG_CURSOR_SIZE];
    int64_t end_ms; /* of monotonic_ms() */
};

/* Who pushed is for users only: names of users help to guess passwords. */
static void add_people(const struct rows *rows, const char *tag, const struct digest *digest,
                       struct text *row)
{
    const struct call *call = rows->call;
    const char *name = call->route.name;
    char actor[PUSH_ACTOR_MAX + 1];
    struct error ignored;
    int64_t pulled_s;

    if (*call->principal.name &&
        store_find_push(api_of(call)->store, name, tag, digest, actor, &ignored) == 0) {
        text_add_string(row, ",\"pushed_by\":");
        text_add_quoted(row, actor);
    }
    if (store_find_pull(api_of(call)->store, name, tag, digest, &pulled_s, &ignored) == 0 &&
        pulled_s > 0)
        page_add_time(row, "pulled", pulled_s);
}

static int format_row(const struct rows *rows, const char *tag, struct text *row,
                      bool *ret_matches, struct error *err)
{
    const struct call *call = rows->call;
    struct store *store = api_of(call)->store;
    struct store_tag_state state;
    char text[DIGEST_TEXT_SIZE];
    int r = store_stat_tag(store, call->route.name, tag, &state, err);

    *ret_matches = false;
    if (r != 0) /* deleted meanwhile, or damaged */
        return store_is_general_failure(r) ? r : 0;
    text_add_string(row, "{\"name\":");
    text_add_quoted(row, tag);
    text_add_string(row, ",\"digest\":");
    digest_format(&state.digest, text);
    text_add_quoted(row, text);
    page_add_time(row, "pushed", state.pushed_ns / NS_PER_S);
    r = summary_add(api_of(call)->page->summaries, store, call->route.name, &state.digest,
                    rows->query->platform, row, ret_matches, err);
    if (r == 0 && *ret_matches)
        add_people(rows, tag, &state.digest, row);
    text_add_string(row, "}");
    return store_is_general_failure(r) ? r : 0;
}

static int add_row(struct rows *rows, const char *tag, struct error *err)
{
    CLEANUP(text_done) struct text row = {0};
    bool matches = false;
    int r = format_row(rows, tag, &row, &matches, err);

    if (r == 0 && matches) {
        text_add_string(&rows->text, rows->count++ ? "," : "");
        text_add(&rows->text, row.data, row.size);
    }
    return r;
}

/* The page of the answer may end before that of the index. */
static int add_rows(struct rows *rows, const struct tag_page *page, struct error *err)
{
    int r = 0;

    memcpy(rows->next, page->next, sizeof(rows->next));
    for (size_t i = 0; r == 0 && i < page->count; i++) {
        bool is_last = i + 1 == page->count;

        r = add_row(rows, page->items[i].name, err);
        if (!is_last && (rows->count == rows->query->n || monotonic_ms() >= rows->end_ms)) {
            tag_found_format_cursor(&page->items[i], rows->query->tags.order, rows->next);
            break;
        }
    }
    return r;
}

/* --- the answer ----------------------------------------------------------------------------- */

static void answer_rows(const struct call *call, struct response *response, struct rows *rows,
                        const struct tag_page *page)
{
    struct text text = {0};

    text_add_string(&text, "{\"tags\":[");
    if (rows->text.data)
        text_add(&text, rows->text.data, rows->text.size);
    text_add_string(&text, "],\"next\":");
    if (*rows->next)
        text_add_quoted(&text, rows->next);
    else
        text_add_string(&text, "null");
    if (!*rows->query->platform) /* how many have a platform is not known */
        page_add_number(&text, "total", page->total);
    page_add_bool(&text, "complete", page->is_complete);
    page_add_bool(&text, "may_delete",
                  api_of(call)->is_delete_enabled && !api_of(call)->is_read_only &&
                      access_may_delete(call->api->access, &call->principal, call->route.name));
    text_add_string(&text, "}\n");
    if (rows->text.has_failed)
        text.has_failed = 1;
    page_answer(response, &text);
}

/* Looks at the tags that are asked for by name; those that do not exist are left out. */
static int find_names(struct rows *rows, struct tags_query *query, struct tag_page *ret_page,
                      struct error *err)
{
    char *rest = NULL;
    int r = 0;

    for (char *name = strtok_r(query->names, " ", &rest); r == 0 && name;
         name = strtok_r(NULL, " ", &rest))
        if (name_is_tag(name, strlen(name)))
            r = add_row(rows, name, err);
    *ret_page = (struct tag_page){.total = rows->count, .is_complete = true};
    return r;
}

/*
 * Reads on if the page is not full, until the time is over: tags of a platform may be rare. 0,
 * STORE_*, or negative. *ret_page is the last page that was read.
 */
static int search(const struct call *call, struct rows *rows, struct tags_query *query,
                  enum tag_index_patience patience, struct tag_page *ret_page, struct error *err)
{
    const struct tags_request *request = call->state;
    int r;

    if (*query->names)
        return find_names(rows, query, ret_page, err);

    for (;;) {
        r = tag_index_search(api_of(call)->page->tags, call->route.name, &query->tags,
                             request->began_ms, patience, ret_page, err);
        if (r == 0)
            r = add_rows(rows, ret_page, err);
        if (r != 0 || !*rows->next || rows->count >= query->n || monotonic_ms() >= rows->end_ms)
            return r;
        tag_page_done(ret_page);
        memcpy(query->last, rows->next, sizeof(query->last));
    }
}

static void refuse(const struct call *call, struct response *response, int r, struct error *err)
{
    if (r == STORE_NOT_FOUND) {
        answer_unknown(response, ERROR_CODE_NAME_UNKNOWN, "name", call->route.name);
    } else if (r == -EINVAL) {
        answer_invalid(response, ERROR_CODE_UNSUPPORTED, "invalid cursor in last=");
        response->status = 400;
    } else if (r == -E2BIG) {
        answer_invalid(response, ERROR_CODE_UNSUPPORTED, "too many tags to sort them");
    } else {
        response_fail(response, err);
    }
}

/* Lets other requests run between two steps of reading. */
static enum http_result wait_for_index(struct call *call, int r)
{
    if (r == STORE_BUSY) {
        call_park(call);
        call->request->pool = call->api->computers;
        return HTTP_ON_WORKER;
    }
    return call_move_to_computer(call);
}

/*
 * Nothing is known yet, because another request waits for the storage: this one must not look like a
 * repository without tags if the storage does not answer.
 */
static int check_storage(const struct call *call, const struct rows *rows,
                         const struct tag_page *page, struct error *err)
{
    return page->is_complete || rows->count > 0 ? 0 : health_get(call->api->health, err);
}

static enum http_result answer_tags(struct call *call, struct response *response)
{
    CLEANUP(tag_page_done) struct tag_page page = {0};
    struct tags_request *request = call->state;
    struct tags_query query;
    struct rows rows = {.call = call, .query = &query};
    struct error err = {0};
    bool is_patient;
    int r;

    if (!call_is_on_worker(call))
        return call_move_to_computer(call);
    if (!get_query(call, response, &query))
        return HTTP_DONE;
    if (!request)
        request = call->state = calloc(1, sizeof(*request));
    if (!request) {
        response_fail_oom(response);
        return HTTP_DONE;
    }
    if (request->began_ms == 0)
        request->began_ms = monotonic_ms();
    rows.end_ms = monotonic_ms() + SCAN_MS;
    is_patient = monotonic_ms() - request->began_ms < PATIENCE_MS && call_may_park(call);
    r = search(call, &rows, &query, is_patient ? TAG_INDEX_ALL : TAG_INDEX_WHAT_IS_KNOWN, &page,
               &err);
    if (r == STORE_WOULD_WAIT || r == STORE_BUSY) {
        text_done(&rows.text);
        return wait_for_index(call, r);
    }
    if (r == 0)
        r = check_storage(call, &rows, &page, &err);
    if (r == 0)
        answer_rows(call, response, &rows, &page);
    else
        refuse(call, response, r, &err);
    text_done(&rows.text);
    return HTTP_DONE;
}

static void release(struct call *call)
{
    free(call->state);
    call->state = NULL;
}

const struct endpoint endpoint_page_tags = {.answer = answer_tags, .release = release};
