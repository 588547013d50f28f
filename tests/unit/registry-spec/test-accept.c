#include "registry/spec/accept.h"

#include "registry/spec/manifest.h"
#include "tests/unit/check.h"

static void a_client_that_names_no_manifest_excludes_none(void **state)
{
    (void)state;
    assert_true(accept_allows(NULL, MANIFEST_DOCKER_LIST));
    assert_true(accept_allows("", MANIFEST_DOCKER_LIST));
    assert_true(accept_allows("text/html, application/json;q=0.9", MANIFEST_DOCKER_LIST));
    assert_true(accept_allows("*/*", MANIFEST_OCI_INDEX));
}

static void a_client_that_names_some_excludes_the_others(void **state)
{
    (void)state;
    assert_true(accept_allows(MANIFEST_DOCKER_IMAGE, MANIFEST_DOCKER_IMAGE));
    assert_false(accept_allows(MANIFEST_DOCKER_IMAGE, MANIFEST_DOCKER_LIST));
    assert_false(accept_allows("application/json, " MANIFEST_OCI_IMAGE, MANIFEST_OCI_INDEX));
    assert_true(accept_allows(MANIFEST_OCI_IMAGE ", */*", MANIFEST_OCI_INDEX));
    assert_true(accept_allows(MANIFEST_OCI_IMAGE ",application/*;q=0.1", MANIFEST_OCI_INDEX));
    assert_true(
        accept_allows(" ,, APPLICATION/VND.OCI.IMAGE.INDEX.V1+JSON ; q=0.5 ,", MANIFEST_OCI_INDEX));
    assert_false(accept_allows("application/vnd.docker.distribution.manifest.v1+prettyjws",
                               MANIFEST_DOCKER_IMAGE));
}

static void q_0_excludes(void **state)
{
    (void)state;
    assert_false(accept_allows("*/*, " MANIFEST_DOCKER_LIST ";q=0", MANIFEST_DOCKER_LIST));
    assert_false(accept_allows(MANIFEST_DOCKER_LIST "; a=b; q=0.000, */*", MANIFEST_DOCKER_LIST));
    assert_true(accept_allows(MANIFEST_DOCKER_LIST ";q=0.001", MANIFEST_DOCKER_LIST));
    assert_false(accept_allows(MANIFEST_OCI_IMAGE ", */*;q=0", MANIFEST_DOCKER_LIST));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_names_no_manifest_excludes_none),
        cmocka_unit_test(a_client_that_names_some_excludes_the_others),
        cmocka_unit_test(q_0_excludes),
    };

    return cmocka_run_group_tests_name("accept", tests, NULL, NULL);
}
