#include "registry/runtime/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static const char *const handlers[] = {"none", "blob"};

static void check_text(const struct metrics *metrics, const char *expected, bool is_there)
{
    size_t size = 0;
    char *text = metrics_format(metrics, NULL, 0, &size);

    assert_non_null(text);
    assert_int_equal(size, strlen(text));
    if ((strstr(text, expected) != NULL) != is_there)
        fail_msg("%s is%s in: %s", expected, is_there ? " not" : "", text);
    free(text);
}

static void count(struct metrics *metrics, const char *method, unsigned status,
                  uint64_t duration_us, uint64_t size)
{
    metrics_begin(metrics, 1);
    metrics_end(metrics, 1,
                &(struct metrics_request){
                    .method = method,
                    .status = status,
                    .duration_us = duration_us,
                    .received = size,
                    .sent = size,
                });
}

static void requests_are_counted_by_code_and_method(void **state)
{
    struct metrics *metrics = metrics_new(handlers, ARRAY_SIZE(handlers));

    (void)state;
    count(metrics, "GET", 200, 1, 1);
    count(metrics, "GET", 200, 1, 1);
    count(metrics, "GET", 412, 1, 1);
    count(metrics, "PROPFIND", 405, 1, 1);
    count(metrics, NULL, 431, 1, 1);
    check_text(metrics,
               "registry_http_requests_total{code=\"200\",handler=\"blob\",method=\"get\"} 2\n",
               true);
    check_text(metrics,
               "registry_http_requests_total{code=\"412\",handler=\"blob\",method=\"get\"} 1\n",
               true);
    check_text(metrics,
               "registry_http_requests_total{code=\"405\",handler=\"blob\",method=\"unknown\"} 1\n",
               true);
    check_text(metrics,
               "registry_http_requests_total{code=\"431\",handler=\"blob\",method=\"unknown\"} 1\n",
               true);
    metrics_free(metrics);
}

static void a_request_without_an_answer_has_a_code_too(void **state)
{
    struct metrics *metrics = metrics_new(handlers, ARRAY_SIZE(handlers));

    (void)state;
    count(metrics, "GET", 0, 1, 1);
    metrics_begin(metrics, 1);
    metrics_end(metrics, 1, &(struct metrics_request){.method = "GET", .was_cut = true});
    check_text(metrics, "{code=\"499\",handler=\"blob\",method=\"get\"} 1\n", true);
    check_text(metrics, "{code=\"408\",handler=\"blob\",method=\"get\"} 1\n", true);
    check_text(metrics, "code=\"0\"", false);
    metrics_free(metrics);
}

static void there_is_room_for_many_codes(void **state)
{
    struct metrics *metrics = metrics_new(handlers, ARRAY_SIZE(handlers));

    (void)state;
    for (unsigned code = 200; code < 600; code++)
        count(metrics, "GET", code, 1, 1);
    check_text(metrics, "{code=\"262\",handler=\"blob\",method=\"get\"} 1\n", true);
    check_text(
        metrics,
        "registry_http_request_duration_seconds_count{handler=\"blob\",method=\"get\"} 400\n",
        true);
    metrics_free(metrics);
}

static void histograms_have_registry_2s_buckets(void **state)
{
    struct metrics *metrics = metrics_new(handlers, ARRAY_SIZE(handlers));

    (void)state;
    count(metrics, "GET", 200, 5000, 1024);
    count(metrics, "GET", 200, 59000000, 1048577);
    count(metrics, "GET", 200, 61000000, (uint64_t)1 << 40);
    check_text(metrics,
               "registry_http_request_duration_seconds_bucket{handler=\"blob\",method=\"get\",le="
               "\"0.005\"} 1\n",
               true);
    check_text(metrics,
               "registry_http_request_duration_seconds_bucket{handler=\"blob\",method=\"get\",le="
               "\"60\"} 2\n",
               true);
    check_text(metrics,
               "registry_http_request_duration_seconds_bucket{handler=\"blob\",method=\"get\",le="
               "\"+Inf\"} 3\n",
               true);
    check_text(metrics,
               "registry_http_response_size_bytes_bucket{handler=\"blob\",le=\"1024\"} 1\n", true);
    check_text(metrics,
               "registry_http_response_size_bytes_bucket{handler=\"blob\",le=\"1.048576e+06\"} 1\n",
               true);
    check_text(
        metrics,
        "registry_http_response_size_bytes_bucket{handler=\"blob\",le=\"2.147483648e+09\"} 2\n",
        true);
    check_text(metrics,
               "registry_http_response_size_bytes_bucket{handler=\"blob\",le=\"+Inf\"} 3\n", true);
    metrics_free(metrics);
}

static void requests_are_in_flight_until_they_end(void **state)
{
    struct metrics *metrics = metrics_new(handlers, ARRAY_SIZE(handlers));

    (void)state;
    metrics_begin(metrics, 1);
    check_text(metrics, "registry_http_in_flight_requests{handler=\"blob\"} 1\n", true);
    metrics_end(metrics, 1, &(struct metrics_request){.status = 200});
    check_text(metrics, "registry_http_in_flight_requests{handler=\"blob\"} 0\n", true);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_counted_by_code_and_method),
        cmocka_unit_test(a_request_without_an_answer_has_a_code_too),
        cmocka_unit_test(there_is_room_for_many_codes),
        cmocka_unit_test(histograms_have_registry_2s_buckets),
        cmocka_unit_test(requests_are_in_flight_until_they_end),
    };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
