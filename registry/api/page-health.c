/*
 * Says whether the registry is well, to users who may know it: storage, uploads, certificate, last
 * collection, failed logins.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/endpoints.h"
#include "registry/api/page-answer.h"
#include "registry/api/page-state.h"
#include "registry/core/quota.h"
#include "registry/core/records.h"
#include "registry/core/upload-list.h"
#include "registry/http/tls.h"

enum { UPLOADS_MAX = 100 };

static void add_storage(const struct call *call, struct text *text)
{
    const struct api *api = api_of(call);
    struct api_room room;
    struct error ignored;

    text_add_string(text, "{\"storage\":{");
    page_add_bool(text, "reachable", store_check(api->store, &ignored) == 0);
    page_add_bool(text, "writable", !api->is_read_only);
    if (api->find_room && api->find_room(api->find_room_object, &room) == 0) {
        page_add_number(text, "free", room.free);
        page_add_number(text, "total", room.total);
    }
    text_add_string(text, "}");
}

static int add_uploads(const struct call *call, struct text *text, struct error *err)
{
    CLEANUP(upload_list_done) struct upload_list uploads = {0};
    int r = store_list_uploads(api_of(call)->store, UPLOADS_MAX, &uploads, err);

    if (r < 0)
        return r;
    text_add_string(text, ",\"uploads\":[");
    for (size_t i = 0; i < uploads.count; i++) {
        const struct upload_entry *upload = &uploads.items[i];

        text_add_string(text, i ? ",{" : "{");
        page_add_text(text, "repository", upload->repository);
        if (upload->started_s > 0)
            page_add_time(text, "started", upload->started_s);
        page_add_number(text, "bytes", upload->size);
        text_add_string(text, "}");
    }
    text_add_string(text, "]");
    page_add_bool(text, "more_uploads", uploads.has_more);
    return 0;
}

static void add_certificate(struct text *text)
{
    char names[TLS_NAMES_SIZE], *rest = NULL;
    int64_t expires_s;
    size_t count = 0;

    if (!tls_describe(&expires_s, names))
        return;
    text_add_string(text, ",\"certificate\":{");
    page_add_time(text, "not_after", expires_s);
    text_add_string(text, ",\"names\":[");
    for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        text_add_string(text, count++ ? "," : "");
        text_add_quoted(text, name);
    }
    text_add_string(text, "]}");
}

/* registry/cli/serve/maintenance.c writes the record. False: no run was scheduled yet. */
static bool find_scheduled(const struct call *call, int64_t *ret_began_s, char ret_end[16])
{
    CLEANUP_FREE char *record = NULL;
    struct error ignored;

    return store_read_record(api_of(call)->store, "maintenance/last", &record, &ignored) == 0 &&
           sscanf(record, "%" SCNd64 " %15s", ret_began_s, ret_end) == 2;
}

/* When a server or a command completed the last collection, and how the last scheduled one ended. */
static void add_collection(const struct call *call, struct text *text)
{
    int64_t completed_s = store_find_collected(api_of(call)->store), began_s;
    char end[16];
    bool is_scheduled = find_scheduled(call, &began_s, end);

    if (completed_s <= 0 && !is_scheduled)
        return;
    text_add_string(text, ",\"last_collection\":{");
    if (completed_s > 0)
        page_add_time(text, "completed", completed_s);
    if (is_scheduled) {
        page_add_time(text, "started", began_s);
        page_add_text(text, "result", end);
    }
    text_add_string(text, "}");
}

static void add_logins(const struct call *call, struct text *text)
{
    struct failed_logins_seen seen;

    failed_logins_get(call->api->page->failed_logins, &seen);
    text_add_string(text, ",\"failed_logins\":{");
    page_add_number(text, "count", seen.count);
    page_add_time(text, "since", seen.since_s);
    text_add_string(text, ",\"last\":[");
    for (size_t i = 0; i < seen.last_count; i++) {
        text_add_string(text, i ? ",{" : "{");
        page_add_time(text, "time", seen.last[i].time_s);
        page_add_text(text, "user", seen.last[i].user);
        page_add_text(text, "address", seen.last[i].address);
        text_add_string(text, "}");
    }
    text_add_string(text, "]}");
}

static enum http_result answer_health(struct call *call, struct response *response)
{
    struct text text = {0};
    struct error err = {0};
    int r;

    if (!access_may_see_health(call->api->access, &call->principal)) {
        answer_invalid(response, ERROR_CODE_DENIED,
                       "this needs the action \"health\" in the access file");
        return HTTP_DONE;
    }
    if (!call_is_on_worker(call))
        return call_move_to_computer(call);
    add_storage(call, &text);
    r = add_uploads(call, &text, &err);
    if (r < 0) {
        text_done(&text);
        response_fail(response, &err);
        return HTTP_DONE;
    }
    add_certificate(&text);
    add_collection(call, &text);
    if (call->api->access->authenticator)
        add_logins(call, &text);
    text_add_string(&text, "}\n");
    page_answer(response, &text);
    return HTTP_DONE;
}

const struct endpoint endpoint_page_health = {.answer = answer_health};
