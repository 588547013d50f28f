#include "registry/storage/s3/key-endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Addresses that Amazon documents. */
#define CONTAINER_URL "http://169.254.170.2"
#define INSTANCE_URL "http://169.254.169.254"
#define INSTANCE_URL_6 "http://[fd00:ec2::254]"

#define FULL_URI "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define RELATIVE_URI "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define TOKEN "AWS_CONTAINER_AUTHORIZATION_TOKEN"

enum { PORT_HTTP = 80, PORT_HTTPS = 443, PORT_MAX = 65535 };

const char *key_endpoint_get_variable(const char *const *environment, const char *name)
{
    size_t size = strlen(name);

    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
            return *environment + size + 1;
    return "";
}

static bool is_true(const char *const *environment, const char *name)
{
    return strcasecmp(key_endpoint_get_variable(environment, name), "true") == 0;
}

void key_endpoint_free(struct key_endpoint *endpoint)
{
    if (!endpoint)
        return;
    secbuf_done(&endpoint->token);
    free(endpoint->url);
    free(endpoint->origin);
    free(endpoint->host);
    free(endpoint->header);
    free(endpoint->token_file);
    free(endpoint->role);
    free(endpoint->session);
    free(endpoint);
}

/* --- URLs ------------------------------------------------------------------------------------ */

/* The parts of a URL, which point into it. */
struct url {
    const char *start;
    bool is_encrypted;
    struct piece host; /* without brackets */
    struct piece authority;
    const char *rest; /* from the first slash on */
    unsigned port;
};

/* ":8080" or nothing, up to the path. */
static bool parse_port(const char *text, const char *end, struct url *url)
{
    char *stop;
    unsigned long port;

    url->port = url->is_encrypted ? PORT_HTTPS : PORT_HTTP;
    if (text == end)
        return true;
    if (*text != ':' || !isdigit((unsigned char)text[1]))
        return false;
    port = strtoul(text + 1, &stop, 10);
    url->port = (unsigned)port;
    return stop == end && port > 0 && port <= PORT_MAX;
}

/* "http[s]://host[:port][/path]", without a user. */
static bool parse_url(const char *text, struct url *ret)
{
    const char *start, *end, *close;

    for (const char *at = text; *at; at++)
        if (!isgraph((unsigned char)*at) || strchr("@\\\"<>^`{|}#", *at))
            return false;
    *ret = (struct url){.start = text, .is_encrypted = strncmp(text, "https://", 8) == 0};
    if (!ret->is_encrypted && strncmp(text, "http://", 7) != 0)
        return false;
    start = strstr(text, "://") + 3;
    end = start + strcspn(start, "/?");
    close = *start == '[' ? memchr(start, ']', (size_t)(end - start)) : NULL;
    if (*start == '[' && !close)
        return false;
    ret->authority = (struct piece){start, (size_t)(end - start)};
    ret->rest = end;
    if (close)
        ret->host = (struct piece){start + 1, (size_t)(close - start - 1)};
    else
        ret->host = (struct piece){start, strcspn(start, ":/?")};
    return ret->host.size > 0 &&
           parse_port(close ? close + 1 : start + ret->host.size, end, ret);
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 ==
               127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

/* An address that only the machine itself reaches, or one of those on which ECS and EKS answer. */
static bool is_near(const struct addrinfo *found)
{
    static const char *const agents[] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23"};
    char text[NI_MAXHOST];

    if (is_loopback(found->ai_addr))
        return true;
    if (getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0,
                    NI_NUMERICHOST) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(agents); i++)
        if (strcmp(text, agents[i]) == 0)
            return true;
    return false;
}

/*
 * The address of a host, as it is written in a URL, if all addresses of the host are near. Free
 * with free(). NULL: some are not, or the name was not found.
 */
static char *find_near_address(const char *host)
{
    struct addrinfo *found = NULL;
    char text[NI_MAXHOST], *address = NULL;
    bool is_right;

    if (getaddrinfo(host, NULL, &(struct addrinfo){.ai_socktype = SOCK_STREAM}, &found) != 0)
        return NULL;
    is_right = getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0,
                           NI_NUMERICHOST) == 0;
    for (const struct addrinfo *at = found; is_right && at; at = at->ai_next)
        is_right = is_near(at);
    if (is_right && asprintf(&address, found->ai_family == AF_INET6 ? "[%s]" : "%s", text) < 0)
        address = NULL;
    freeaddrinfo(found);
    return address;
}

/* --- making ---------------------------------------------------------------------------------- */

static struct key_endpoint *make(enum key_endpoint_kind kind, const struct url *url)
{
    struct key_endpoint *endpoint = calloc(1, sizeof(*endpoint));

    if (!endpoint)
        return NULL;
    endpoint->kind = kind;
    endpoint->port = url->port;
    endpoint->is_encrypted = url->is_encrypted;
    endpoint->url = strdup(url->start);
    endpoint->host = strndup(url->host.text, url->host.size);
    if (endpoint->url && endpoint->host)
        return endpoint;
    key_endpoint_free(endpoint);
    return NULL;
}

/* Without its path, which may be as good as a password. */
static int set_origin(struct key_endpoint *endpoint, const char *what, const struct url *url)
{
    if (asprintf(&endpoint->origin, "the endpoint of the %s, http%s://%.*s", what,
                 url->is_encrypted ? "s" : "", (int)url->authority.size, url->authority.text) >= 0)
        return 0;
    endpoint->origin = NULL;
    return -ENOMEM;
}

static int set_text(char **place, const char *text)
{
    *place = strdup(text);
    return *place ? 0 : -ENOMEM;
}

/* Takes ownership of endpoint. */
static int finish(int r, struct key_endpoint *endpoint, struct key_endpoint **ret,
                  struct error *err)
{
    if (r < 0) {
        key_endpoint_free(endpoint);
        return error_set_oom(err);
    }
    *ret = endpoint;
    return 0;
}

/* --- the container --------------------------------------------------------------------------- */

static int set_token(struct key_endpoint *endpoint, const char *const *environment)
{
    const char *file = key_endpoint_get_variable(environment, TOKEN "_FILE");
    const char *token = key_endpoint_get_variable(environment, TOKEN);

    return *file ? set_text(&endpoint->token_file, file)
                 : secbuf_append(&endpoint->token, token, strlen(token));
}

/*
 * A name was looked up to be allowed, so its address is asked from then on: the name may lead
 * elsewhere later.
 */
static int set_address(struct key_endpoint *endpoint, const struct url *url, const char *address)
{
    char *new;

    if (asprintf(&endpoint->header, "host: %.*s", (int)url->authority.size, url->authority.text) <
        0) {
        endpoint->header = NULL;
        return -ENOMEM;
    }
    if (asprintf(&new, "http://%s:%u%s", address, url->port, url->rest) < 0)
        return -ENOMEM;
    free(endpoint->url);
    endpoint->url = new;
    return 0;
}

static int make_container(const char *text, bool is_checked, const char *const *environment,
                          struct key_endpoint **ret, struct error *err)
{
    CLEANUP_FREE char *address = NULL;
    struct key_endpoint *endpoint;
    struct url url;
    int r;

    if (!parse_url(text, &url))
        return error_set(err, EINVAL, FULL_URI " or " RELATIVE_URI " makes an invalid URL");
    endpoint = make(KEY_ENDPOINT_CONTAINER, &url);
    if (!endpoint)
        return error_set_oom(err);
    if (is_checked && !url.is_encrypted && !(address = find_near_address(endpoint->host))) {
        r = error_set(err, EINVAL,
                      FULL_URI ": %s is not this machine (or 169.254.170.2, 169.254.170.23 or "
                               "fd00:ec2::23), so the URL must begin with https://",
                      endpoint->host);
        key_endpoint_free(endpoint);
        return r;
    }
    r = address ? set_address(endpoint, &url, address) : 0;
    if (r == 0)
        r = set_origin(endpoint, "container", &url);
    return finish(r == 0 ? set_token(endpoint, environment) : r, endpoint, ret, err);
}

static int make_relative(const char *path, const char *const *environment,
                         struct key_endpoint **ret, struct error *err)
{
    CLEANUP_FREE char *url = NULL;

    if (*path != '/')
        return error_set(err, EINVAL, RELATIVE_URI ": must begin with a slash");
    if (asprintf(&url, CONTAINER_URL "%s", path) < 0) {
        url = NULL;
        return error_set_oom(err);
    }
    return make_container(url, false, environment, ret, err);
}

/* --- the instance ---------------------------------------------------------------------------- */

static const char *choose_instance_url(const char *const *environment)
{
    const char *text = key_endpoint_get_variable(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT");

    if (*text)
        return text;
    return strcasecmp(key_endpoint_get_variable(environment,
                                                "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"),
                      "IPv6") == 0
               ? INSTANCE_URL_6
               : INSTANCE_URL;
}

static int make_instance(const char *const *environment, struct key_endpoint **ret,
                         struct error *err)
{
    struct key_endpoint *endpoint;
    struct url url;
    size_t size;

    if (!parse_url(choose_instance_url(environment), &url))
        return error_set(err, EINVAL, "AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL");
    endpoint = make(KEY_ENDPOINT_INSTANCE, &url);
    if (!endpoint)
        return error_set_oom(err);
    size = strlen(endpoint->url);
    while (size > 0 && endpoint->url[size - 1] == '/')
        endpoint->url[--size] = '\0';
    endpoint->has_old_form = !is_true(environment, "AWS_EC2_METADATA_V1_DISABLED");
    return finish(set_origin(endpoint, "instance", &url), endpoint, ret, err);
}

int key_endpoint_find(const char *const *environment, struct key_endpoint **ret, struct error *err)
{
    const char *full = key_endpoint_get_variable(environment, FULL_URI);
    const char *relative = key_endpoint_get_variable(environment, RELATIVE_URI);

    if (*full)
        return make_container(full, true, environment, ret, err);
    if (*relative)
        return make_relative(relative, environment, ret, err);
    return is_true(environment, "AWS_EC2_METADATA_DISABLED") ? KEY_ENDPOINT_NONE
                                                             : make_instance(environment, ret, err);
}

/* --- a token for keys ------------------------------------------------------------------------ */

static int make_identity(const char *text, const char *const *environment,
                         struct key_endpoint **ret, struct error *err)
{
    const char *session = key_endpoint_get_variable(environment, "AWS_ROLE_SESSION_NAME");
    struct key_endpoint *endpoint;
    struct url url;
    int r;

    if (!parse_url(text, &url) || (*url.rest && strcmp(url.rest, "/") != 0))
        return error_set(err, EINVAL, "AWS_ENDPOINT_URL_STS: must be a URL without a path");
    endpoint = make(KEY_ENDPOINT_IDENTITY, &url);
    if (!endpoint)
        return error_set_oom(err);
    r = set_text(&endpoint->token_file,
                 key_endpoint_get_variable(environment, "AWS_WEB_IDENTITY_TOKEN_FILE"));
    if (r == 0)
        r = set_text(&endpoint->role, key_endpoint_get_variable(environment, "AWS_ROLE_ARN"));
    if (r == 0)
        r = set_text(&endpoint->session, *session ? session : "registryd");
    if (r == 0)
        r = set_origin(endpoint, "token service", &url);
    return finish(r, endpoint, ret, err);
}

int key_endpoint_find_identity(const char *const *environment, const char *region,
                               struct key_endpoint **ret, struct error *err)
{
    const char *given = key_endpoint_get_variable(environment, "AWS_ENDPOINT_URL_STS");
    const char *top = strncmp(region, "cn-", 3) == 0 ? "amazonaws.com.cn" : "amazonaws.com";
    CLEANUP_FREE char *usual = NULL;

    if (!*key_endpoint_get_variable(environment, "AWS_WEB_IDENTITY_TOKEN_FILE"))
        return KEY_ENDPOINT_NONE;
    if (!*key_endpoint_get_variable(environment, "AWS_ROLE_ARN"))
        return error_set(err, EINVAL, "AWS_WEB_IDENTITY_TOKEN_FILE needs AWS_ROLE_ARN");
    if (asprintf(&usual, "https://sts.%s.%s", region, top) < 0) {
        usual = NULL;
        return error_set_oom(err);
    }
    return make_identity(*given ? given : usual, environment, ret, err);
}
