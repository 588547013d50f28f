/*
 * A sequence of requests to a registry; each answer is compared with a simple model. The input is a
 * sequence of commands of a few bytes each. Every input is valid, so no file's name starts with
 * should-fail.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/core/collect.h"
#include "registry/core/verify.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/registry-api/in-process.h"
#include "tests/fuzz/registry-api/model.h"

bool fuzz_was_accepted;

enum { MOST_ORDERS = 60, TARGET_SIZE = 700 };

struct session {
    struct in_process registry;
    struct model model;
    const uint8_t *data;
    size_t size;
    char target[TARGET_SIZE];
};

/* The next byte as a number below limit. */
static int take(struct session *session, int limit)
{
    if (session->size == 0)
        return 0;
    session->size--;
    return *session->data++ % limit;
}

static const char *aim(struct session *session, const char *format, ...) PRINTF_LIKE(2, 3);
static const char *aim(struct session *session, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(session->target, sizeof(session->target), format, args);
    va_end(args);
    return session->target;
}

static const char *text_of(const struct digest *digest)
{
    static char texts[2][DIGEST_TEXT_SIZE];
    static int next;

    next = !next;
    digest_format(digest, texts[next]);
    return texts[next];
}

static struct answer send(struct session *session, const struct sent *sent, unsigned wanted)
{
    struct answer answer;

    in_process_send(&session->registry, sent, &answer);
    if (answer.status != wanted) {
        fprintf(stderr, "%s %s: %u instead of %u: %s\n", sent->method, sent->target, answer.status,
                wanted, answer.body);
        abort();
    }
    return answer;
}

static void ask(struct session *session, const struct sent *sent, unsigned wanted)
{
    struct answer answer = send(session, sent, wanted);

    answer_done(&answer);
}

/* --- uploads ----------------------------------------------------------------------------- */

static void take_id(struct model_upload *upload, const struct answer *answer)
{
    const char *id = strstr(answer->location, "/blobs/uploads/");

    REQUIRE(id);
    id += strlen("/blobs/uploads/");
    REQUIRE(strcspn(id, "?") < sizeof(upload->id));
    snprintf(upload->id, sizeof(upload->id), "%.*s", (int)strcspn(id, "?"), id);
}

static void start_upload(struct session *session)
{
    struct model_upload *upload = &session->model.uploads[take(session, MODEL_UPLOADS)];
    int repository = take(session, MODEL_REPOSITORIES);
    const struct sent sent = {
        .method = "POST",
        .target = aim(session, "/v2/%s/blobs/uploads/", model_repository(repository)),
    };
    struct answer answer = send(session, &sent, 202);

    *upload = (struct model_upload){.repository = repository}; /* the previous upload is dropped */
    take_id(upload, &answer);
    answer_done(&answer);
}

static const char *place_of(struct session *session, const struct model_upload *upload)
{
    if (upload->repository == MODEL_NONE)
        return aim(session, "/v2/a/blobs/uploads/00000000-0000-4000-8000-000000000000");
    return aim(session, "/v2/%s/blobs/uploads/%s", model_repository(upload->repository),
               upload->id);
}

/* A part of one of the contents, or other bytes. */
static const char *take_piece(struct session *session, size_t *ret_size)
{
    size_t size, from, to;
    const char *content = model_blob(take(session, MODEL_BLOBS), &size);

    from = size ? (size_t)take(session, (int)size) : 0;
    to = from + (size_t)take(session, 32);
    *ret_size = (to < size ? to : size) - from;
    return content + from;
}

static void check_place(const struct answer *answer, const struct model_upload *upload)
{
    char range[64];

    snprintf(range, sizeof(range), "0-%zu", upload->size ? upload->size - 1 : 0);
    REQUIRE(strcmp(answer->range, range) == 0);
    REQUIRE(strstr(answer->location, upload->id));
}

static void patch(struct session *session)
{
    struct model_upload *upload = &session->model.uploads[take(session, MODEL_UPLOADS)];
    size_t size, offset = upload->size;
    const char *piece = take_piece(session, &size);
    int how = take(session, 4);
    char range[64];
    struct sent sent = {.method = "PATCH",
                        .body = piece,
                        .size = size,
                        .chunk = (size_t)take(session, 5),
                        .is_chunked = how == 1,
                        .content_type = "application/octet-stream"};
    bool has_range = how >= 2 && size > 0, is_there = upload->repository != MODEL_NONE, fits;
    struct answer answer;

    if (how == 3)
        offset += (size_t)take(session, 3);
    fits = !has_range || offset == upload->size;
    snprintf(range, sizeof(range), "%zu-%zu", offset, offset + size - 1);
    sent.content_range = has_range ? range : NULL;
    sent.target = place_of(session, upload);
    answer = send(session, &sent, !is_there ? 404 : fits ? 202 : 416);
    if (is_there && fits) {
        REQUIRE(upload->size + size < sizeof(upload->bytes));
        memcpy(upload->bytes + upload->size, piece, size);
        upload->size += size;
    }
    if (is_there)
        check_place(&answer, upload);
    answer_done(&answer);
}

static void finish_upload(struct session *session)
{
    struct model_upload *upload = &session->model.uploads[take(session, MODEL_UPLOADS)];
    int blob = take(session, MODEL_BLOBS);
    size_t size = 0;
    const char *piece = take(session, 2) ? take_piece(session, &size) : "";
    bool is_there = upload->repository != MODEL_NONE;
    struct sent sent = {.method = "PUT", .body = piece, .size = size};
    char target[TARGET_SIZE + DIGEST_TEXT_SIZE];

    snprintf(target, sizeof(target), "%s?digest=%s", place_of(session, upload),
             text_of(model_blob_digest(blob)));
    sent.target = target;
    if (is_there) {
        memcpy(upload->bytes + upload->size, piece, size);
        upload->size += size;
    }
    ask(session, &sent,
        !is_there                                            ? 404
        : model_finish_upload(&session->model, upload, blob) ? 201
                                                             : 400);
}

static void look_at_upload(struct session *session)
{
    const struct model_upload *upload = &session->model.uploads[take(session, MODEL_UPLOADS)];
    const struct sent sent = {.method = "GET", .target = place_of(session, upload)};
    struct answer answer = send(session, &sent, upload->repository == MODEL_NONE ? 404 : 204);

    if (upload->repository != MODEL_NONE)
        check_place(&answer, upload);
    answer_done(&answer);
}

static void cancel_upload(struct session *session)
{
    struct model_upload *upload = &session->model.uploads[take(session, MODEL_UPLOADS)];
    const struct sent sent = {.method = "DELETE", .target = place_of(session, upload)};

    ask(session, &sent, upload->repository == MODEL_NONE ? 404 : 204);
    upload->repository = MODEL_NONE;
}

/* --- blobs ------------------------------------------------------------------------------- */

static void push_blob(struct session *session)
{
    int repository = take(session, MODEL_REPOSITORIES), blob = take(session, MODEL_BLOBS);
    struct sent sent = {.method = "POST"};

    sent.body = model_blob(blob, &sent.size);
    sent.target = aim(session, "/v2/%s/blobs/uploads/?digest=%s", model_repository(repository),
                      text_of(model_blob_digest(blob)));
    ask(session, &sent, 201);
    session->model.has_blob[repository][blob] = session->model.has_bytes[blob] = true;
}

static void mount(struct session *session)
{
    struct model *model = &session->model;
    int to = take(session, MODEL_REPOSITORIES), from = take(session, MODEL_REPOSITORIES + 1) - 1;
    int blob = take(session, MODEL_BLOBS);
    bool is_there = from == MODEL_NONE ? model->has_bytes[blob] : model->has_blob[from][blob];
    const struct sent sent = {
        .method = "POST",
        .target = aim(session, "/v2/%s/blobs/uploads/?mount=%s%s%s", model_repository(to),
                      text_of(model_blob_digest(blob)), from == MODEL_NONE ? "" : "&from=",
                      from == MODEL_NONE ? "" : model_repository(from)),
    };

    ask(session, &sent, is_there ? 201 : 202);
    model->has_blob[to][blob] |= is_there;
}

static void get_blob(struct session *session)
{
    int repository = take(session, MODEL_REPOSITORIES), blob = take(session, MODEL_BLOBS),
        how = take(session, 4);
    size_t size;
    const char *content = model_blob(blob, &size);
    size_t first = (size_t)take(session, 40), last = first + (size_t)take(session, 40);
    /* An empty blob has no ranges, so all of it is sent. */
    bool is_there = session->model.has_blob[repository][blob], is_part = how == 2 && size > 0,
         fits = first < size;
    char range[64];
    struct sent sent = {
        .method = how == 1 ? "HEAD" : "GET",
        .target = aim(session, "/v2/%s/blobs/%s", model_repository(repository),
                      text_of(model_blob_digest(blob))),
    };
    struct answer answer;

    snprintf(range, sizeof(range), "bytes=%zu-%zu", first, last);
    sent.range = is_part ? range : NULL;
    answer = send(session, &sent, !is_there ? 404 : !is_part ? 200 : fits ? 206 : 416);
    if (is_there && is_part && fits)
        REQUIRE(answer.size == (last < size ? last + 1 : size) - first &&
                memcmp(answer.body, content + first, answer.size) == 0);
    else if (is_there && !is_part)
        REQUIRE(answer.size == size && (how == 1 || memcmp(answer.body, content, size) == 0));
    answer_done(&answer);
}

static void delete_blob(struct session *session)
{
    int repository = take(session, MODEL_REPOSITORIES), blob = take(session, MODEL_BLOBS);
    bool *has = &session->model.has_blob[repository][blob];
    const struct sent sent = {
        .method = "DELETE",
        .target = aim(session, "/v2/%s/blobs/%s", model_repository(repository),
                      text_of(model_blob_digest(blob))),
    };

    ask(session, &sent, *has ? 202 : 404);
    *has = false;
}

/* --- manifests --------------------------------------------------------------------------- */

/* By tag, if tag is valid. */
static const char *aim_at_manifest(struct session *session, int repository, int manifest, int tag)
{
    return aim(session, "/v2/%s/manifests/%s", model_repository(repository),
               tag == MODEL_NONE ? text_of(&model_manifest(manifest)->digest) : model_tag(tag));
}

static void put_manifest(struct session *session)
{
    int repository = take(session, MODEL_REPOSITORIES), manifest = take(session, MODEL_MANIFESTS);
    int tag = take(session, MODEL_TAGS + 1) - 1;
    const struct model_manifest *item = model_manifest(manifest);
    bool is_whole = model_has_parts(&session->model, repository, manifest);
    const struct sent sent = {
        .method = "PUT",
        .target = aim_at_manifest(session, repository, manifest, tag),
        .body = item->text,
        .size = item->size,
        .content_type = item->media_type,
    };

    ask(session, &sent, is_whole ? 201 : 400);
    if (is_whole)
        model_put(&session->model, repository, manifest, tag);
}

static void get_manifest(struct session *session)
{
    int repository = take(session, MODEL_REPOSITORIES), manifest = take(session, MODEL_MANIFESTS);
    int tag = take(session, MODEL_TAGS + 1) - 1;
    const struct sent sent = {
        .method = take(session, 2) ? "HEAD" : "GET",
        .target = aim_at_manifest(session, repository, manifest, tag),
    };
    const struct model_manifest *item;
    struct answer answer;
    bool is_there;

    if (tag != MODEL_NONE)
        manifest = session->model.tags[repository][tag];
    is_there = manifest != MODEL_NONE && session->model.has_manifest[repository][manifest];
    answer = send(session, &sent, is_there ? 200 : 404);
    if (is_there) {
        item = model_manifest(manifest);
        REQUIRE(answer.size == item->size && strcmp(answer.content_type, item->media_type) == 0);
        REQUIRE(strcmp(answer.digest, text_of(&item->digest)) == 0);
        REQUIRE(strcmp(sent.method, "HEAD") == 0 ||
                memcmp(answer.body, item->text, item->size) == 0);
    }
    answer_done(&answer);
}

static void delete_manifest(struct session *session)
{
    struct model *model = &session->model;
    int repository = take(session, MODEL_REPOSITORIES), manifest = take(session, MODEL_MANIFESTS);
    int tag = take(session, MODEL_TAGS + 1) - 1;
    bool is_there = tag == MODEL_NONE ? model->has_manifest[repository][manifest]
                                      : model->tags[repository][tag] != MODEL_NONE;
    const struct sent sent = {.method = "DELETE",
                              .target = aim_at_manifest(session, repository, manifest, tag)};

    ask(session, &sent, is_there ? 202 : 404);
    if (tag == MODEL_NONE)
        model_delete_manifest(model, repository, manifest);
    else
        model->tags[repository][tag] = MODEL_NONE;
}

/* --- lists ------------------------------------------------------------------------------- */

static void list_tags(struct session *session)
{
    int repository = take(session, MODEL_REPOSITORIES);
    const struct sent sent = {
        .method = "GET", .target = aim(session, "/v2/%s/tags/list", model_repository(repository))};
    struct answer answer =
        send(session, &sent, session->model.was_pushed_to[repository] ? 200 : 404);
    char name[32];

    for (int t = 0; session->model.was_pushed_to[repository] && t < MODEL_TAGS; t++) {
        snprintf(name, sizeof(name), "\"%s\"", model_tag(t));
        REQUIRE(!strstr(answer.body, name) == (session->model.tags[repository][t] == MODEL_NONE));
    }
    answer_done(&answer);
}

static void list_referrers(struct session *session)
{
    int repository = take(session, MODEL_REPOSITORIES), subject = take(session, MODEL_MANIFESTS);
    const struct sent sent = {
        .method = "GET",
        .target = aim(session, "/v2/%s/referrers/%s", model_repository(repository),
                      text_of(&model_manifest(subject)->digest)),
    };
    struct answer answer = send(session, &sent, 200);

    for (int m = 0; m < MODEL_MANIFESTS; m++) {
        bool is_wanted =
            session->model.has_manifest[repository][m] && model_manifest(m)->subject == subject;

        REQUIRE((strstr(answer.body, text_of(&model_manifest(m)->digest)) != NULL) == is_wanted);
    }
    answer_done(&answer);
}

static void list_repositories(struct session *session)
{
    const struct sent sent = {.method = "GET", .target = "/v2/_catalog"};
    struct answer answer = send(session, &sent, 200);
    char name[32];

    for (int r = 0; r < MODEL_REPOSITORIES; r++) {
        snprintf(name, sizeof(name), "\"%s\"", model_repository(r));
        REQUIRE(!session->model.was_pushed_to[r] || strstr(answer.body, name));
    }
    answer_done(&answer);
}

/* --- unusual requests -------------------------------------------------------------------- */

static void collect(struct session *session)
{
    struct collect_options options = {.does_untag = take(session, 2)};
    struct collect_result result;
    struct error err = {0};

    REQUIRE(store_collect(session->registry.api.store, &options, &result, &err) == 0);
    model_collect(&session->model, options.does_untag);
}

static void purge(struct session *session)
{
    struct error err = {0};

    REQUIRE(store_purge_uploads(session->registry.api.store, 0, false, NULL, NULL, &err) == 0);
    for (int u = 0; u < MODEL_UPLOADS; u++)
        session->model.uploads[u].repository = MODEL_NONE;
}

static void restart(struct session *session)
{
    in_process_restart(&session->registry);
}

/* Any bytes, in a request that cannot change the model's state. */
static void send_anything(struct session *session)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                          "PATCH", "DELETE", "OPTIONS"};
    int method = take(session, (int)ARRAY_SIZE(methods));
    char target[600], header[64];
    size_t size = (size_t)take(session, 256);
    struct answer answer;
    struct sent sent = {.method = methods[method],
                        .target = target,
                        .range = header,
                        .content_range = header,
                        .content_type = header,
                        .body = target,
                        .size = (size_t)take(session, 64)};

    size = size < session->size ? size : session->size;
    memset(target, 0, sizeof(target));
    memset(header, 0, sizeof(header));
    snprintf(target, sizeof(target), "%s%.*s", method < 2 ? "/" : "/v2/z/", (int)size,
             (const char *)session->data);
    snprintf(header, sizeof(header), "%.*s", (int)(size < 60 ? size : 60),
             (const char *)session->data);
    session->data += size;
    session->size -= size;
    in_process_send(&session->registry, &sent, &answer);
    answer_done(&answer);
}

/* --- main -------------------------------------------------------------------------------- */

static void (*const orders[])(struct session *session) = {
    push_blob,     start_upload,    patch,     finish_upload,  look_at_upload,
    cancel_upload, mount,           get_blob,  delete_blob,    put_manifest,
    get_manifest,  delete_manifest, list_tags, list_referrers, list_repositories,
    collect,       purge,           restart,   send_anything,  put_manifest,
    push_blob,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session session = {.data = data, .size = size};
    struct verify_result found = {0};
    struct error err = {0};

    in_process_start(&session.registry);
    model_start(&session.model);
    for (int i = 0; session.size > 0 && i < MOST_ORDERS; i++)
        orders[take(&session, (int)ARRAY_SIZE(orders))](&session);
    REQUIRE(store_verify(session.registry.api.store, &(struct verify_options){0}, &found, &err) ==
            0);
    REQUIRE(found.damaged == 0 && found.missing == 0);
    in_process_stop(&session.registry);
    fuzz_was_accepted = true;
    return 0;
}
