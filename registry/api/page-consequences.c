/*
 * Says what goes with a tag or manifest if it is deleted, so that the page can ask before. A
 * deleted tag takes nothing along; a deleted manifest takes its tags.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/api/page-answer.h"
#include "registry/api/page-query.h"
#include "registry/api/page-space.h"
#include "registry/core/consequences.h"

enum {
    TAGS_SHOWN_MAX = 1000,
    TAGS_MS = 500, /* how long a request reads tags */
};

struct target {
    char tag[TAG_MAX_SIZE + 1]; /* "" for a manifest */
    struct digest digest;
    char last[TAG_MAX_SIZE + 1]; /* of the part before; "" for the first one */
};

static bool get_target(const struct call *call, struct response *response, struct target *ret)
{
    char text[DIGEST_TEXT_SIZE];

    if (!page_query_text(call, response, "tag", ret->tag, sizeof(ret->tag)) ||
        !page_query_text(call, response, "digest", text, sizeof(text)) ||
        !page_query_text(call, response, "last", ret->last, sizeof(ret->last)))
        return false;
    if (*ret->tag && *text)
        return page_query_refuse(response, "parameter", "digest");
    if (*ret->tag)
        return name_is_tag(ret->tag, strlen(ret->tag)) ||
               page_query_refuse(response, "parameter", "tag");
    return digest_parse(text, strlen(text), &ret->digest) == 0 ||
           page_query_refuse(response, "parameter", "digest");
}

static void add_tags(struct text *text, const struct store_names *tags)
{
    text_add_string(text, "{\"tags\":[");
    for (size_t i = 0; i < tags->count && i < TAGS_SHOWN_MAX; i++) {
        text_add_string(text, i ? "," : "");
        text_add_quoted(text, tags->items[i]);
    }
    text_add_string(text, "]");
    page_add_number(text, "tag_count", tags->count);
}

/* The bytes of the blobs that no other repository has, of those that the user may pull. */
static uint64_t sum_freed(const struct call *call, const struct page_space *seen,
                          const struct consequences *consequences)
{
    size_t own = store_find_repository(&seen->space->names, call->route.name);
    uint64_t bytes = 0;

    for (size_t i = 0; i < consequences->blob_count; i++)
        if (!usage_ledger_has_other(&seen->space->ledger, seen->counts, own,
                                    &consequences->blobs[i].canonical))
            bytes += consequences->blobs[i].size;
    return bytes;
}

static void add_part(struct text *text, const struct manifest_names_part *part)
{
    page_add_number(text, "seen", part->seen);
    page_add_number(text, "total", part->total);
    if (*part->next)
        page_add_text(text, "next", part->next);
}

/* What only the first part says: referrers and bytes. 0, STORE_BUSY or negative. */
static int add_more(const struct call *call, const struct consequences *consequences,
                    size_t referrers, struct text *text, struct error *err)
{
    struct page_space seen = {0};
    int measured = page_space_get(call, &seen, err);

    if (measured < 0 && measured != -E2BIG)
        return measured;
    if (measured == STORE_BUSY && call_may_park(call))
        return STORE_BUSY;
    page_add_number(text, "referrers", referrers);
    if (measured == 0 && consequences->are_blobs_known)
        page_add_number(text, "bytes_freed", sum_freed(call, &seen, consequences));
    page_space_done(call, &seen);
    return 0;
}

/* 0, STORE_WOULD_WAIT and the like, or negative. */
static int format_manifest(const struct call *call, const struct target *target, struct text *text,
                           struct error *err)
{
    CLEANUP(consequences_done) struct consequences consequences = {0};
    CLEANUP(store_digests_done) struct store_digests referrers = {0};
    struct manifest_names_part part = {.last = target->last, .end_ms = monotonic_ms() + TAGS_MS};
    const struct consequences_query query = {
        .name = call->route.name, .digest = &target->digest, .part = &part};
    struct store *store = api_of(call)->store;
    bool is_first = !*target->last;
    int r = 0;

    if (is_first)
        r = store_list_referrers(store, call->route.name, &target->digest, &referrers, err);
    if (r == 0)
        r = store_find_consequences(store, &query, &consequences, err);
    if (r != 0)
        return r;
    add_tags(text, &consequences.tags);
    add_part(text, &part);
    if (is_first)
        r = add_more(call, &consequences, referrers.count, text, err);
    text_add_string(text, "}\n");
    return r;
}

static int format_tag(const struct call *call, const char *tag, struct text *text,
                      struct error *err)
{
    char *const items[] = {(char *)tag};
    const struct store_names tags = {.items = (char **)items, .count = 1};
    struct digest digest;
    int r = store_resolve_tag(api_of(call)->store, call->route.name, tag, STORE_MAY_WAIT, &digest,
                              err);

    if (r != 0 && r != -EBADMSG) /* a damaged tag can be deleted, too */
        return r;
    add_tags(text, &tags);
    page_add_number(text, "referrers", 0);
    page_add_number(text, "bytes_freed", 0);
    text_add_string(text, "}\n");
    return 0;
}

static enum http_result answer_consequences(struct call *call, struct response *response)
{
    struct target target = {0};
    struct text text = {0};
    struct error err = {0};
    int r;

    if (!call_is_on_worker(call))
        return call_move_to_computer(call);
    if (!get_target(call, response, &target))
        return HTTP_DONE;
    r = *target.tag ? format_tag(call, target.tag, &text, &err)
                    : format_manifest(call, &target, &text, &err);
    if (r == 0) {
        page_answer(response, &text);
        return HTTP_DONE;
    }
    text_done(&text);
    if (r == STORE_WOULD_WAIT) /* the search for referrers goes on after other requests */
        return call_move_to_computer(call);
    if (r == STORE_BUSY)
        return call_park(call);
    if (r == STORE_NOT_FOUND)
        answer_unknown(response, ERROR_CODE_MANIFEST_UNKNOWN, "name", call->route.name);
    else
        response_fail(response, &err);
    return HTTP_DONE;
}

const struct endpoint endpoint_page_consequences = {.answer = answer_consequences};
