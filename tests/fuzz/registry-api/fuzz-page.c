/*
 * The page's part of the API with any parameters: it answers each request with JSON or refuses it,
 * never fails, and never answers with a name that was not pushed. The first byte chooses the path.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/json.h"
#include "registry/api/page-state.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/registry-api/in-process.h"

bool fuzz_was_accepted;

static const char *const paths[] = {
    "/v2/_page/repositories", "/v2/_page/space",          "/v2/_page/health",
    "/v2/_page/self",         "/v2/a/_page/tags",         "/v2/a/_page/space",
    "/v2/a/_page/consequences", "/v2/none/_page/tags",    "/v2/none/_page/consequences",
    "/_page/x/app.js",        "/v2/a/b/_page/consequences",
};

static struct in_process registry;

static void stop(void)
{
    page_state_free(registry.api.page);
    in_process_stop(&registry);
}

static void push_empty_index(const char *path)
{
    static const char index[] = "{\"schemaVersion\":2,\"mediaType\":"
                                "\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}";
    const struct sent sent = {.method = "PUT",
                              .target = path,
                              .content_type = "application/vnd.oci.image.index.v1+json",
                              .body = index,
                              .size = sizeof(index) - 1};
    struct answer answer;

    in_process_send(&registry, &sent, &answer);
    REQUIRE(answer.status == 201);
    answer_done(&answer);
}

static void start(void)
{
    struct error err = {0};

    if (registry.api.page)
        return;
    in_process_start(&registry);
    REQUIRE(page_state_new(registry.api.store, false, &registry.api.page, &err) == 0);
    atexit(stop);
    push_empty_index("/v2/a/manifests/one");
    push_empty_index("/v2/a/manifests/two");
    push_empty_index("/v2/a/b/manifests/three");
}

static bool is_known(const char *name)
{
    static const char *const names[] = {"a", "a/b", "one", "two", "three"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void check_names(const struct json *list)
{
    for (const struct json *row = list ? json_get_first(list) : NULL; row;
         row = json_get_next(row)) {
        const char *name = json_get_text(json_find(row, "name"));

        REQUIRE(!name || is_known(name));
    }
}

static void check_answer(const struct answer *answer)
{
    CLEANUP(json_freep) struct json *document = NULL;

    REQUIRE(json_parse_public(answer->body, answer->size, &document) == 0);
    check_names(json_find(document, "repositories"));
    check_names(json_find(document, "tags"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *query = strndup(size ? (const char *)data + 1 : "", size ? size - 1 : 0);
    CLEANUP_FREE char *target = NULL;
    struct sent sent = {.method = "GET"};
    struct answer answer;
    const char *path = paths[(size ? data[0] : 0) % (sizeof(paths) / sizeof(paths[0]))];

    start();
    REQUIRE(query && asprintf(&target, "%s?%s", path, query) >= 0);
    sent.target = target;
    in_process_send(&registry, &sent, &answer);
    fuzz_was_accepted = answer.status == 200;
    if (answer.status == 200 && strncmp(path, "/v2/", 4) == 0)
        check_answer(&answer);
    answer_done(&answer);
    return 0;
}
