/*
 * Lists the tags of a repository (end-8 of the specification) and the repositories (registry:2's
 * catalog). Both lists have pages; the header Link contains the address of the next page.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/words.h"
#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/api/text.h"
#include "registry/spec/escape.h"
#include "registry/spec/range.h"
#include "registry/runtime/log.h"

enum { CATALOG_DEFAULT = 100 };

struct page {
    size_t n;
    char last[NAME_MAX_SIZE + 1]; /* "" for the first page */
};

static const char list_type[] = "application/json; charset=utf-8";

/* Like registry:2, writes a valid number as a number in the detail, and other text as a string. */
static void refuse_n(struct response *response, const char *text)
{
    uint64_t n;
    char detail[40];

    if (range_parse_length(text, &n) < 0) {
        answer_unknown(response, ERROR_CODE_PAGINATION_NUMBER_INVALID, "n", text);
        return;
    }
    snprintf(detail, sizeof(detail), "{\"n\":%" PRIu64 "}", n);
    response_refuse(response, ERROR_CODE_PAGINATION_NUMBER_INVALID, detail);
}

/* Returns false, with a refusal in response, if n is not a number or is more than most. */
static bool get_page(const struct call *call, struct response *response, size_t standard,
                     size_t most, struct page *ret)
{
    char text[24];
    uint64_t n = standard;
    int r = escape_find(call->query, "n", text, sizeof(text));

    if (r != -ENOENT && (r < 0 || range_parse_length(text, &n) < 0 || n > most)) {
        refuse_n(response, r < 0 ? "" : text);
        return false;
    }
    ret->n = (size_t)n;
    /* A "last" that is too long for a name is ignored: the list starts at its beginning. */
    if (escape_find(call->query, "last", ret->last, sizeof(ret->last)) < 0)
        ret->last[0] = '\0';
    return true;
}

static const char *last_of(const struct page *page)
{
    return *page->last ? page->last : NULL;
}

static void add_names(struct text *text, const struct store_names *names)
{
    text_add_string(text, "[");
    for (size_t i = 0; i < names->count; i++) {
        text_add_string(text, i ? "," : "");
        text_add_quoted(text, names->items[i]);
    }
    text_add_string(text, "]");
}

static void log_unreadable(const struct store_names *names)
{
    if (names->unreadable > 0)
        log_warn("a list omits %zu %s that cannot be read: %s", names->unreadable,
                 words_plural(names->unreadable, "entry", "entries"),
                 names->unreadable_why ? names->unreadable_why : "out of memory");
}

/* Takes ownership of text. path is the list's, for the link to the next page. */
static void answer_page(const struct call *call, struct response *response, struct text *text,
                        const struct store_names *names, const struct page *page, const char *path)
{
    size_t size;
    char *data;

    log_unreadable(names);
    text_add_string(text, "}\n");
    data = text_steal(text, &size);
    response_set_body(response, 200, list_type, data, size);
    if (names->has_more && names->count > 0)
        answer_next_page(call, response, path, names->items[names->count - 1], page->n, "");
}

static enum http_result answer_tags(struct call *call, struct response *response)
{
    const char *name = call->route.name;
    CLEANUP(store_names_done) struct store_names names = {0};
    struct text text = {0};
    size_t most = api_of(call)->tags_max ? api_of(call)->tags_max : SIZE_MAX;
    struct page page;
    struct error err = {0};
    char path[NAME_MAX_SIZE + 16];
    int r;

    if (!call_is_on_worker(call))
        return call_move_to_reader(call);
    if (!get_page(call, response, most, most, &page))
        return HTTP_DONE;
    r = store_list_tags(api_of(call)->store, name, last_of(&page), page.n, &names, &err);
    if (r < 0) {
        response_fail(response, &err);
        return HTTP_DONE;
    }
    if (r == STORE_NOT_FOUND) {
        answer_unknown(response, ERROR_CODE_NAME_UNKNOWN, "name", name);
        return HTTP_DONE;
    }
    text_add_string(&text, "{\"name\":");
    text_add_quoted(&text, name);
    text_add_string(&text, ",\"tags\":");
    add_names(&text, &names);
    snprintf(path, sizeof(path), "%s/tags/list", name);
    answer_page(call, response, &text, &names, &page, path);
    return HTTP_DONE;
}

static bool may_pull(const void *object, const char *name)
{
    const struct call *call = object;

    return access_may_pull(call->api->access, &call->principal, name);
}

static enum http_result answer_catalog(struct call *call, struct response *response)
{
    size_t most = api_of(call)->catalog_max;
    CLEANUP(store_names_done) struct store_names names = {0};
    struct text text = {0};
    struct page page;
    struct error err = {0};
    const struct store_filter permitted = {.is_shown = may_pull, .object = call};

    if (!call_is_on_worker(call))
        return call_move_to_reader(call);
    if (!get_page(call, response, most < CATALOG_DEFAULT ? most : CATALOG_DEFAULT, most, &page))
        return HTTP_DONE;
    if (store_list_repositories(
            api_of(call)->store, last_of(&page), page.n,
            access_is_restricted(api_of(call)->access, &call->principal) ? &permitted : NULL,
            &names, &err) < 0) {
        response_fail(response, &err);
        return HTTP_DONE;
    }
    text_add_string(&text, "{\"repositories\":");
    add_names(&text, &names);
    answer_page(call, response, &text, &names, &page, "_catalog");
    return HTTP_DONE;
}

const struct endpoint endpoint_tags = {.answer = answer_tags};
const struct endpoint endpoint_catalog = {.answer = answer_catalog};
