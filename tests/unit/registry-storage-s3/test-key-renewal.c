/* Keys from endpoints that behave well and badly, and what becomes of them over time. */
#include "registry/storage/s3/keyring.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/monotonic.h"
#include "common/rfc3339.h"
#include "registry/storage/s3/client.h"
#include "registry/storage/s3/key-fetch.h"
#include "registry/storage/s3/xml.h"
#include "tests/unit/check.h"
#include "tests/unit/registry-storage-s3/fake-server.h"
#include "tests/unit/scratch.h"

#define METADATA "AWS_EC2_METADATA_SERVICE_ENDPOINT="
#define FULL_URI "AWS_CONTAINER_CREDENTIALS_FULL_URI="
#define KEYS "{\"AccessKeyId\":\"AK1\",\"SecretAccessKey\":\"sEcReT\"}"

static struct fake_server *server;
static struct keyring *keyring;

static void tear_down(void)
{
    keyring_free(keyring);
    keyring = NULL;
    fake_server_free(server);
}

/* name: the variable that gets the address, followed by rest; more: another variable. */
static int prepare(fake_function *answer, const char *name, const char *rest, const char *more,
                   struct error *err)
{
    char variable[256];
    const char *environment[] = {variable, more, "HOME=nowhere", NULL};

    server = fake_server_new(answer);
    snprintf(variable, sizeof(variable), "%s%s%s", name, fake_server_get_endpoint(server), rest);
    return keyring_new(&(struct keyring_options){.environment = environment, .region = "r"},
                       &keyring, err);
}

static int start(fake_function *answer, const char *name, const char *rest, const char *more,
                 struct error *err)
{
    int r = prepare(answer, name, rest, more, err);

    return r < 0 ? r : keyring_start(keyring, err);
}

static bool starts(const struct fake_request *request, const char *text)
{
    return strncmp(request->head, text, strlen(text)) == 0;
}

static void check_keys(const char *expected)
{
    struct keys *keys;
    struct error err = {0};
    char text[256];

    if (keyring_get(keyring, &keys, &err) < 0)
        fail_msg("%s", err.text);
    snprintf(text, sizeof(text), "%s %.*s %.*s", keys->access, (int)keys->secret.size,
             (const char *)keys->secret.data, (int)keys->token.size,
             (const char *)keys->token.data);
    keyring_put(keys);
    assert_string_equal(text, expected);
}

/* --- one conversation with each kind --------------------------------------------------------- */

static bool is_instance(int socket, const struct fake_request *request)
{
    bool is_token = fake_has_line(request, "x-aws-ec2-metadata-token: toKen==");

    if (starts(request, "PUT /latest/api/token HTTP/1.1\r\n") &&
        fake_has_line(request, "x-aws-ec2-metadata-token-ttl-seconds: 21600"))
        return fake_say(socket, "200 OK", "", "toKen==");
    if (is_token && starts(request, "GET /latest/meta-data/iam/security-credentials/ "))
        return fake_say(socket, "200 OK", "", "my-role\n");
    if (is_token && starts(request, "GET /latest/meta-data/iam/security-credentials/my-role "))
        return fake_say(socket, "200 OK", "",
                        "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":"
                        "\"sEcReT\",\"Token\":\"session\",\"Expiration\":\"2999-01-01T00:00:00Z\"}");
    return fake_say(socket, "401 Unauthorized", "", "");
}

static void the_instance_is_asked_with_a_token(void **state)
{
    struct error err = {0};

    (void)state;
    if (start(is_instance, METADATA, "/", "A=b", &err) < 0)
        fail_msg("%s", err.text);
    check_keys("ASIA sEcReT session");
    assert_non_null(strstr(keyring_get_origin(keyring), "the endpoint of the instance, http://127"));
    assert_int_equal(fake_server_count_requests(server), 3);
    tear_down();
}

static bool is_old_instance(int socket, const struct fake_request *request)
{
    if (starts(request, "PUT"))
        return fake_say(socket, "404 Not Found", "", "");
    if (strcasestr(request->head, "\r\nx-aws"))
        return fake_say(socket, "400 Bad Request", "", "");
    return fake_say(socket, "200 OK", "", strstr(request->head, "/role") ? KEYS : "role");
}

static bool refuses_tokens(int socket, const struct fake_request *request)
{
    return fake_say(socket, starts(request, "PUT") ? "400 Bad Request" : "200 OK", "", KEYS);
}

static void an_instance_without_tokens_is_asked_without(void **state)
{
    struct error err = {0};

    (void)state;
    if (start(is_old_instance, METADATA, "", "A=b", &err) < 0)
        fail_msg("%s", err.text);
    check_keys("AK1 sEcReT ");
    tear_down();
    assert_true(start(is_old_instance, METADATA, "", "AWS_EC2_METADATA_V1_DISABLED=true", &err) <
                0);
    assert_says(&err, "it refused a token with the status 404");
    tear_down();
    assert_true(start(refuses_tokens, METADATA, "", "A=b", &err) < 0);
    assert_says(&err, "it refused a token with the status 400");
    assert_says(&err, "there are no keys for the bucket in the configuration, the environment and "
                      "nowhere/.aws/credentials");
    tear_down();
}

static bool is_container(int socket, const struct fake_request *request)
{
    bool is_right = starts(request, "GET /v1/credentials?id=1 HTTP/1.1\r\n") &&
                    fake_has_line(request, "authorization: Bearer of.file") &&
                    strcasestr(request->head, "\r\nhost: 127.0.0.1:");

    return fake_say(socket, is_right ? "200 OK" : "403 Forbidden", "", is_right ? KEYS : "");
}

static void a_container_is_asked_with_the_token_of_a_file(void **state)
{
    static const char path[] = "/v1/credentials?id=1";
    static const char file[] = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=token";
    struct error err = {0};

    (void)state;
    assert_true(start(is_container, FULL_URI, path, file, &err) < 0);
    assert_says(&err, "there is no file token");
    tear_down();
    make_file("token", "Bearer of.file\n");
    if (start(is_container, FULL_URI, path, file, &err) < 0)
        fail_msg("%s", err.text);
    check_keys("AK1 sEcReT ");
    tear_down();
    make_file("token", "a\nhost: elsewhere");
    assert_true(start(is_container, FULL_URI, path, file, &err) < 0);
    assert_says(&err, "the value of the header authorization is invalid");
    tear_down();
    assert_true(start(is_container, FULL_URI, path, "AWS_CONTAINER_AUTHORIZATION_TOKEN=wrong", &err) < 0);
    assert_says(&err, "it answered with the status 403");
    tear_down();
}

static bool gives_for_identity(int socket, const struct fake_request *request)
{
    bool is_right = starts(request, "POST / HTTP/1.1\r\n") &&
                    strstr(request->body, "&RoleArn=arn%3Ax&") &&
                    strstr(request->body, "&WebIdentityToken=web.token") &&
                    fake_has_line(request, "content-type: application/x-www-form-urlencoded");

    return fake_say(socket, is_right ? "200 OK" : "400 Bad Request", "",
                    "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>"
                    "<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>sEcReT"
                    "</SecretAccessKey><SessionToken>t</SessionToken><Expiration>"
                    "2999-01-01T00:00:00Z</Expiration></Credentials>"
                    "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>");
}

static void a_web_identity_gets_keys_for_its_role(void **state)
{
    const char *environment[] = {"AWS_ROLE_ARN=arn:x", "AWS_WEB_IDENTITY_TOKEN_FILE=token",
                                 "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/x", NULL, NULL};
    struct error err = {0};
    char variable[256];

    (void)state;
    make_file("token", "web.token\n");
    assert_int_equal(xml_load(&err), 0);
    server = fake_server_new(gives_for_identity);
    snprintf(variable, sizeof(variable), "AWS_ENDPOINT_URL_STS=%s",
             fake_server_get_endpoint(server));
    environment[3] = variable;
    if (keyring_new(&(struct keyring_options){.environment = environment}, &keyring, &err) < 0 ||
        keyring_start(keyring, &err) < 0)
        fail_msg("%s", err.text);
    check_keys("ASIA sEcReT t");
    tear_down();
}

/* --- answers that are wrong ------------------------------------------------------------------ */

static const char *said; /* by an instance instead of keys */

static bool says_wrong(int socket, const struct fake_request *request)
{
    if (!strstr(request->head, "/role "))
        return fake_say(socket, "200 OK", "", "role");
    fake_write(socket, said, strlen(said));
    return false;
}

static void wrong_answers_are_clear_errors(void **state)
{
    static const struct {
        const char *said, *says;
    } cases[] = {
        {"", "Empty reply"},
        {"HTTP/1.1 200 OK\r\nContent-Le", "the endpoint of the instance"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"AccessKeyId\":\"AK\",",
         "the answer ends early"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"AccessKeyId\":\"AK\",\"S", "not a JSON"},
        {"HTTP/1.1 500 Oh\r\nContent-Length: 6\r\n\r\nsEcReT", "the status 500"},
        {"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
         "the status 301"},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"AccessKeyId\":\"AK\",\"SecretAccessKey\":"
         "\"sEcReT\",\"Expiration\":\"2001-01-01T00:00:00Z\"}",
         "have expired already"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = {0};

        said = cases[i].said;
        assert_true(start(says_wrong, METADATA, "", "A=b", &err) < 0);
        assert_says(&err, cases[i].says);
        assert_null(strstr(err.text, "sEcReT"));
        tear_down();
    }
}

static bool says_without_end(int socket, const struct fake_request *request)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    static const char piece[1024] = {' '};

    if (!strstr(request->head, "/role "))
        return fake_say(socket, "200 OK", "", "role");
    for (bool is_there = fake_write(socket, head, strlen(head)); is_there;)
        is_there = fake_write(socket, piece, sizeof(piece));
    return false;
}

static void an_endless_answer_is_cut(void **state)
{
    struct error err = {0};

    (void)state;
    assert_int_equal(start(says_without_end, METADATA, "", "A=b", &err), -EFBIG);
    tear_down();
}

static bool names_a_wrong_role(int socket, const struct fake_request *request)
{
    (void)request;
    return fake_say(socket, "200 OK", "", "../../user-data");
}

static void a_role_is_a_name(void **state)
{
    struct error err = {0};

    (void)state;
    assert_true(start(names_a_wrong_role, METADATA, "", "A=b", &err) < 0);
    assert_says(&err, "it names an invalid role");
    tear_down();
}

static bool says_nothing(int socket, const struct fake_request *request)
{
    char byte;

    (void)request;
    (void)recv(socket, &byte, 1, 0); /* until the client gives up */
    return false;
}

static void a_silent_endpoint_is_left_at_the_deadline(void **state)
{
    struct error err = {0};

    (void)state;
    assert_int_equal(
        start(says_nothing, FULL_URI, "/", "A=b", &err), -ETIMEDOUT);
    tear_down();
}

static void *start_in_thread(void *err)
{
    return (void *)(intptr_t)keyring_start(keyring, err);
}

static void the_end_ends_a_request_for_keys(void **state)
{
    struct error err = {0};
    pthread_t thread;
    void *result;

    (void)state;
    assert_int_equal(prepare(says_nothing, FULL_URI, "/", "A=b", &err), 0);
    assert_int_equal(pthread_create(&thread, NULL, start_in_thread, &err), 0);
    while (fake_server_count_requests(server) == 0)
        usleep(1000);
    keyring_end_at(keyring, monotonic_ms());
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, -ESHUTDOWN);
    assert_says(&err, "the server is being stopped");
    assert_int_equal(keyring_start(keyring, &err), -ESHUTDOWN);
    tear_down();
}

/* --- over time ------------------------------------------------------------------------------- */

static int64_t first_end_s; /* of the first keys */
static bool is_broken;      /* atomic: the endpoint fails */

/* Keys AK1, which expire after two seconds, and then AK2. */
static bool gives_short_keys(int socket, const struct fake_request *request)
{
    bool is_first = first_end_s == 0;
    char text[256], end[RFC3339_SIZE];

    (void)request;
    if (is_first)
        first_end_s = time(NULL) + 2;
    else if (__atomic_load_n(&is_broken, __ATOMIC_SEQ_CST))
        return fake_say(socket, "500 Internal Server Error", "", "");
    rfc3339_format(is_first ? first_end_s : 32472144000, end);
    snprintf(text, sizeof(text),
             "{\"AccessKeyId\":\"AK%d\",\"SecretAccessKey\":\"s\",\"Expiration\":\"%s\"}",
             is_first ? 1 : 2, end);
    return fake_say(socket, "200 OK", "", text);
}

static bool has_keys(const char *access)
{
    struct error err;
    struct keys *keys;
    bool is_same;

    if (keyring_get(keyring, &keys, &err) < 0)
        return false;
    is_same = strcmp(keys->access, access) == 0;
    keyring_put(keys);
    return is_same;
}

static void failures_keep_the_old_keys_until_they_expire(void **state)
{
    struct keyring_counters counters;
    struct error err = {0};
    struct keys *keys;

    (void)state;
    first_end_s = 0;
    __atomic_store_n(&is_broken, true, __ATOMIC_SEQ_CST);
    if (start(gives_short_keys, FULL_URI, "/", "A=b", &err) < 0)
        fail_msg("%s", err.text);
    while (keyring_get(keyring, &keys, &err) == 0) {
        keyring_put(keys);
        usleep(10000);
    }
    assert_true(time(NULL) >= first_end_s);
    assert_int_equal(err.code, EHOSTDOWN);
    assert_says(&err, "the keys of the bucket have expired");
    do {
        usleep(10000);
        keyring_count(keyring, &counters);
    } while (counters.failures == 0);
    assert_int_equal(counters.renewals, 1);
    __atomic_store_n(&is_broken, false, __ATOMIC_SEQ_CST);
    while (!has_keys("AK2"))
        usleep(10000);
    tear_down();
}

static void keys_are_replaced_before_they_expire(void **state)
{
    struct error err = {0};
    struct keys *first = NULL;

    (void)state;
    first_end_s = 0;
    __atomic_store_n(&is_broken, false, __ATOMIC_SEQ_CST);
    if (start(gives_short_keys, FULL_URI, "/", "A=b", &err) < 0)
        fail_msg("%s", err.text);
    (void)!keyring_get(keyring, &first, &err); /* fails if this machine was stopped meanwhile */
    while (!has_keys("AK2"))
        usleep(10000);
    if (first)
        assert_string_equal(first->access, "AK1"); /* a request that is under way */
    keyring_put(first);
    tear_down();
}

/* --- a store that knows better --------------------------------------------------------------- */

static unsigned fetches; /* atomic */

static bool gives_numbered_keys(int socket, const struct fake_request *request)
{
    char text[256];

    (void)request;
    snprintf(text, sizeof(text), "{\"AccessKeyId\":\"AK%u\",\"SecretAccessKey\":\"s\"}",
             __atomic_add_fetch(&fetches, 1, __ATOMIC_SEQ_CST));
    return fake_say(socket, "200 OK", "", text);
}

static bool takes_second_keys(int socket, const struct fake_request *request)
{
    if (strstr(request->head, "Credential=AK2/"))
        return fake_say(socket, "200 OK", "", "right");
    return fake_say(socket, "400 Bad Request", "",
                    "<Error><Code>ExpiredToken</Code><Message>m</Message></Error>");
}

static bool takes_no_keys(int socket, const struct fake_request *request)
{
    (void)request;
    return fake_say(socket, "400 Bad Request", "", "<Error><Code>ExpiredToken</Code></Error>");
}

static int get_from_store(fake_function *answer, struct s3_answer *ret, struct error *err)
{
    struct fake_server *store = fake_server_new(answer);
    const struct s3_client_options options = {
        .endpoint = fake_server_get_endpoint(store),
        .bucket = "bucket",
        .region = "us-east-1",
        .deadline_ms = 120000,
        .transport = {.connections = 4, .connect_ms = 60000, .idle_s = 60},
    };
    const struct s3_request request = {.method = "GET", .key = "k", .limit = 1000};
    struct s3_client *client;
    int r;

    __atomic_store_n(&fetches, 0, __ATOMIC_SEQ_CST);
    if (start(gives_numbered_keys, FULL_URI, "/", "A=b", err) < 0)
        fail_msg("%s", err->text);
    assert_int_equal(s3_client_new(&options, keyring, &client, err), 0);
    r = s3_call(client, &request, ret, err);
    if (r == 0)
        s3_answer_done(ret);
    s3_client_free(client);
    fake_server_free(store);
    tear_down();
    return r;
}

static void an_expired_token_is_replaced_once(void **state)
{
    struct s3_answer answer;
    struct error err = {0};

    (void)state;
    if (get_from_store(takes_second_keys, &answer, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(__atomic_load_n(&fetches, __ATOMIC_SEQ_CST), 2);
    assert_int_equal(get_from_store(takes_no_keys, &answer, &err), -EHOSTDOWN);
    assert_says(&err, "ExpiredToken");
    assert_int_equal(__atomic_load_n(&fetches, __ATOMIC_SEQ_CST), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(the_instance_is_asked_with_a_token),
        scratch_test(an_instance_without_tokens_is_asked_without),
        scratch_test(a_container_is_asked_with_the_token_of_a_file),
        scratch_test(a_web_identity_gets_keys_for_its_role),
        scratch_test(wrong_answers_are_clear_errors),
        scratch_test(an_endless_answer_is_cut),
        scratch_test(a_role_is_a_name),
        scratch_test(a_silent_endpoint_is_left_at_the_deadline),
        scratch_test(the_end_ends_a_request_for_keys),
        scratch_test(failures_keep_the_old_keys_until_they_expire),
        scratch_test(keys_are_replaced_before_they_expire),
        scratch_test(an_expired_token_is_replaced_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
