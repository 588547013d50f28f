/*
 * Complete configurations as people use them with registry:2. Comments at the beginning of each
 * file say the expected result: "# warns: TEXT" for each warning, "# refused: TEXT" for the
 * beginning of the error.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/file.h"
#include "tests/unit/registry-config/load.h"

enum { FEWEST = 20, EXPECTATIONS_MAX = 16 };

static const char *directory; /* of the files */

struct expectations {
    char *warnings[EXPECTATIONS_MAX];
    size_t warning_count;
    char *refusal; /* NULL: the configuration is accepted */
};

/* Takes the comments at the head of text, whose lines it cuts. */
static struct expectations read_expectations(char *text)
{
    struct expectations expectations = {0};
    char *rest = text, *line;

    while ((line = strsep(&rest, "\n")) != NULL && *line == '#') {
        if (strncmp(line, "# warns: ", 9) == 0)
            expectations.warnings[expectations.warning_count++] = line + 9;
        else if (strncmp(line, "# refused: ", 11) == 0)
            expectations.refusal = line + 11;
    }
    return expectations;
}

static void check_configuration(const char *name, char *text)
{
    CLEANUP_FREE char *head = strdup(text);
    CLEANUP(settings_freep) struct settings *settings = NULL;
    const struct expectations expectations = read_expectations(head);

    assert_case(name, (strncmp(name, "should-fail-", 12) == 0) == (expectations.refusal != NULL));
    if (expectations.refusal) {
        check_refusal(text, NO_ENVIRONMENT, expectations.refusal);
        return;
    }
    settings = load(text, NO_ENVIRONMENT);
    for (size_t i = 0; i < expectations.warning_count; i++)
        assert_warns(settings, expectations.warnings[i]);
    assert_case(name, settings->warning_count == expectations.warning_count);
    assert_case(name, count_warnings(settings, "sEcReT") == 0);
}

static void real_configurations_have_the_expected_warnings_and_errors(void **state)
{
    DIR *stream = opendir(directory);
    size_t count = 0;

    (void)state;
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        CLEANUP_FREE char *text = NULL;
        CLEANUP_CLOSE int fd = -1;
        size_t size;

        if (*entry->d_name == '.')
            continue;
        fd = openat(dirfd(stream), entry->d_name, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0 && file_read_all(fd, 1 << 20, &text, &size) == 0);
        check_configuration(entry->d_name, text);
        count++;
    }
    closedir(stream);
    assert_true(count >= FEWEST);
}

/*
 * In a docker-compose file, or of Kubernetes: settings of a web interface, and variables that only
 * look like settings.
 */
static void variables_of_real_deployments_are_understood(void **state)
{
    CLEANUP(settings_freep)
    struct settings *settings = load(
        NULL, ENVIRONMENT(
                  "REGISTRY_HTTP_ADDR=0.0.0.0:5000",
                  "REGISTRY_HTTP_HEADERS_Access-Control-Allow-Origin=['http://ui.example.com']",
                  "REGISTRY_HTTP_HEADERS_Access-Control-Allow-Methods=[HEAD,GET,OPTIONS,DELETE]",
                  "REGISTRY_HTTP_HEADERS_Access-Control-Allow-Credentials=[true]",
                  "REGISTRY_STORAGE_DELETE_ENABLED=true",
                  "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/data",
                  "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR=inmemory", "REGISTRY_HTTP_SECRET=sEcReT",
                  "REGISTRY_LOG_ACCESSLOG_DISABLED=true",
                  "REGISTRY_VALIDATION_MANIFESTS_URLS_ALLOW=['^https?://']",
                  "REGISTRY_PORT=tcp://10.0.0.1:5000", "REGISTRY_PORT_5000_TCP=tcp://10.0.0.1:5000",
                  "REGISTRY_PORT_5000_TCP_PROTO=tcp", "REGISTRY_PORT_5000_TCP_PORT=5000",
                  "REGISTRY_PORT_5000_TCP_ADDR=10.0.0.1", "REGISTRY_SERVICE_HOST=10.0.0.1",
                  "REGISTRY_SERVICE_PORT=5000", "REGISTRY_SERVICE_PORT_HTTP=5000",
                  "REGISTRY_AUTH_PORT=tcp://10.0.0.2:80", "REGISTRY_AUTH_PORT_80_TCP_ADDR=10.0.0.2",
                  "REGISTRY_HTTP_PORT=tcp://10.0.0.3:80", "REGISTRY_REDIS_SERVICE_PORT=6379"));

    (void)state;
    assert_string_equal(settings->http.address, "0.0.0.0:5000");
    assert_int_equal(settings->http.headers.count, 6);
    assert_true(settings->storage.is_delete_enabled);
    assert_int_equal(count_warnings(settings, "Kubernetes"), settings->warning_count);
    assert_int_equal(settings->warning_count, 12);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        scratch_test(real_configurations_have_the_expected_warnings_and_errors),
        scratch_test(variables_of_real_deployments_are_understood),
    };

    if (argc != 2)
        return EXIT_FAILURE;
    directory = argv[1];
    return cmocka_run_group_tests_name("configurations", tests, NULL, NULL);
}
