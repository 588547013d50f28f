#include "registry/api/routes.h"

#include "tests/unit/check.h"

static void each_route_says_what_it_allows(void **state)
{
    static const struct { enum route_kind kind; const char *allow; } allowed[] = {
        {ROUTE_NONE, ""},
        {ROUTE_NAME_INVALID, ""},
        {ROUTE_TAGS, "GET, HEAD"},
        {ROUTE_CATALOG, "GET, HEAD"},
        {ROUTE_HEALTH, "GET, HEAD"},
        {ROUTE_PAGE_ASSET, "GET, HEAD"},
        {ROUTE_PAGE_SELF, "GET, HEAD"},
        {ROUTE_REFERRERS, "GET, HEAD"},
        {ROUTE_REFERRERS_BAD_DIGEST, "GET, HEAD"},
        {ROUTE_MANIFEST_TAG, "DELETE, GET, HEAD, PUT"},
        {ROUTE_MANIFEST_DIGEST, "DELETE, GET, HEAD, PUT"},
        {ROUTE_MANIFEST_BAD_DIGEST, "DELETE, GET, HEAD, PUT"},
        {ROUTE_BLOB, "DELETE, GET, HEAD"},
        {ROUTE_BLOB_BAD_DIGEST, "DELETE, GET, HEAD"},
        {ROUTE_UPLOADS, "POST"},
        {ROUTE_UPLOAD, "DELETE, GET, HEAD, PATCH, PUT"},
        {ROUTE_UPLOAD_BAD, "DELETE, GET, HEAD, PATCH, PUT"},
        {ROUTE_BASE, "DELETE, GET, HEAD, PATCH, POST, PUT"},
    };
    char text[ROUTES_ALLOW_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
        routes_format_allow(allowed[i].kind, text);
        assert_string_equal(text, allowed[i].allow);
    }
    assert_non_null(routes_find(ROUTE_ROOT, 0)); /* any method at all, as in registry:2 */
    assert_non_null(routes_find(ROUTE_BASE, 0));
    assert_non_null(routes_find(ROUTE_BASE_REDIRECT, 0));
    assert_false(routes_is_known(ROUTE_NONE));
}

static const char *handler_of(enum route_kind kind)
{
    const char *names[ROUTES_HANDLERS_MAX];

    assert_in_range(routes_list_handlers(names), 1, ROUTES_HANDLERS_MAX - 1);
    return names[routes_find_handler(kind)];
}

/* Dashboards for registry:2 name these. */
static void handlers_have_the_names_of_registry_2(void **state)
{
    (void)state;
    assert_string_equal(handler_of(ROUTE_BASE), "base");
    assert_string_equal(handler_of(ROUTE_BLOB), "blob");
    assert_string_equal(handler_of(ROUTE_BLOB_BAD_DIGEST), "blob");
    assert_string_equal(handler_of(ROUTE_UPLOADS), "blob_upload");
    assert_string_equal(handler_of(ROUTE_UPLOAD_BAD), "blob_upload_chunk");
    assert_string_equal(handler_of(ROUTE_MANIFEST_TAG), "manifest");
    assert_string_equal(handler_of(ROUTE_TAGS), "tags");
    assert_string_equal(handler_of(ROUTE_CATALOG), "catalog");
    assert_string_equal(handler_of(ROUTE_NONE), "none");
    assert_string_equal(handler_of(ROUTE_NAME_INVALID), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_route_says_what_it_allows),
        cmocka_unit_test(handlers_have_the_names_of_registry_2),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
