#include "registry/spec/error-code.h"

#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "tests/unit/check.h"

/* The bodies of docker-registry 2.8.2; the numbers are its Content-Length. */
static void bodies_are_the_same_as_registry_2_s(void **state)
{
    static const struct {
        enum error_code code;
        const char *detail, *body;
        size_t size;
    } cases[] = {
        {ERROR_CODE_UNAUTHORIZED, "null",
         "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication "
         "required\",\"detail\":null}]}\n",
         87},
        {ERROR_CODE_NAME_UNKNOWN, "{\"name\":\"probe/a-22291\"}",
         "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"repository name not known to "
         "registry\","
         "\"detail\":{\"name\":\"probe/a-22291\"}}]}\n",
         121},
        {ERROR_CODE_DIGEST_INVALID, "{}",
         "{\"errors\":[{\"code\":\"DIGEST_INVALID\",\"message\":\"provided digest did not match "
         "uploaded content\","
         "\"detail\":{}}]}\n",
         110},
        {ERROR_CODE_BLOB_UPLOAD_INVALID, NULL,
         "{\"errors\":[{\"code\":\"BLOB_UPLOAD_INVALID\",\"message\":\"blob upload invalid\"}]}\n",
         76},
        {ERROR_CODE_BLOB_UPLOAD_UNKNOWN, "{}",
         "{\"errors\":[{\"code\":\"BLOB_UPLOAD_UNKNOWN\",\"message\":\"blob upload unknown to "
         "registry\","
         "\"detail\":{}}]}\n",
         100},
        {ERROR_CODE_MANIFEST_INVALID, "{}",
         "{\"errors\":[{\"code\":\"MANIFEST_INVALID\",\"message\":\"manifest "
         "invalid\",\"detail\":{}}]}\n",
         82},
        {ERROR_CODE_MANIFEST_UNKNOWN, NULL,
         "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}\n", 70},
        {ERROR_CODE_BLOB_UNKNOWN, NULL,
         "{\"errors\":[{\"code\":\"BLOB_UNKNOWN\",\"message\":\"blob unknown to registry\"}]}\n",
         74},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t size = 0;
        CLEANUP_FREE char *body = error_code_format(cases[i].code, cases[i].detail, &size);

        assert_string_equal(body, cases[i].body);
        assert_int_equal(size, cases[i].size);
        assert_int_equal(strlen(body), size);
    }
}

static void another_message_is_quoted(void **state)
{
    size_t size;
    CLEANUP_FREE char *body =
        error_code_format_message(ERROR_CODE_MANIFEST_UNKNOWN, "say \"<no>\"\n", NULL, &size);

    (void)state;
    assert_string_equal(body, "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"say "
                              "\\\"\\u003cno\\u003e\\\"\\n\"}]}\n");
}

static void each_code_has_its_status(void **state)
{
    static const struct {
        enum error_code code;
        const char *name;
        unsigned status;
    } cases[] = {
        {ERROR_CODE_UNKNOWN, "UNKNOWN", 500},
        {ERROR_CODE_UNSUPPORTED, "UNSUPPORTED", 405},
        {ERROR_CODE_UNAUTHORIZED, "UNAUTHORIZED", 401},
        {ERROR_CODE_DENIED, "DENIED", 403},
        {ERROR_CODE_UNAVAILABLE, "UNAVAILABLE", 503},
        {ERROR_CODE_TOOMANYREQUESTS, "TOOMANYREQUESTS", 429},
        {ERROR_CODE_BLOB_UNKNOWN, "BLOB_UNKNOWN", 404},
        {ERROR_CODE_BLOB_UPLOAD_INVALID, "BLOB_UPLOAD_INVALID", 404},
        {ERROR_CODE_BLOB_UPLOAD_UNKNOWN, "BLOB_UPLOAD_UNKNOWN", 404},
        {ERROR_CODE_DIGEST_INVALID, "DIGEST_INVALID", 400},
        {ERROR_CODE_MANIFEST_BLOB_UNKNOWN, "MANIFEST_BLOB_UNKNOWN", 400},
        {ERROR_CODE_MANIFEST_INVALID, "MANIFEST_INVALID", 400},
        {ERROR_CODE_MANIFEST_UNKNOWN, "MANIFEST_UNKNOWN", 404},
        {ERROR_CODE_MANIFEST_UNVERIFIED, "MANIFEST_UNVERIFIED", 400},
        {ERROR_CODE_NAME_INVALID, "NAME_INVALID", 400},
        {ERROR_CODE_NAME_UNKNOWN, "NAME_UNKNOWN", 404},
        {ERROR_CODE_PAGINATION_NUMBER_INVALID, "PAGINATION_NUMBER_INVALID", 400},
        {ERROR_CODE_RANGE_INVALID, "RANGE_INVALID", 416},
        {ERROR_CODE_SIZE_INVALID, "SIZE_INVALID", 400},
        {ERROR_CODE_TAG_INVALID, "TAG_INVALID", 400},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_string_equal(error_code_get_name(cases[i].code), cases[i].name);
        assert_int_equal(error_code_get_status(cases[i].code), cases[i].status);
        assert_true(*error_code_get_message(cases[i].code));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_the_same_as_registry_2_s),
        cmocka_unit_test(another_message_is_quoted),
        cmocka_unit_test(each_code_has_its_status),
    };

    return cmocka_run_group_tests_name("error-code", tests, NULL, NULL);
}
