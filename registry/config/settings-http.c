/*
 * Reads the settings http.*: addresses, names and headers of the server.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "registry/config/place.h"
#include "registry/config/settings-private.h"

/* Without TLS and without an address only this machine can connect. */
#define ADDRESS_DEFAULT ":5000"
#define ADDRESS_WITHOUT_TLS "127.0.0.1:5000"

/* Refuses the value, and shows it. */
static int refuse_shown(const struct reader *reader, const char *path, const char *wanted)
{
    char shown[READER_SHOWN_SIZE];

    reader_show(path, reader_find(reader, path), shown);
    return reader_refuse(reader, path, "%s%s", shown, wanted);
}

/* A number up to 65535, or a service's name as in /etc/services. */
static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    if (*text && !text[digits])
        return digits <= 5 && strtoul(text, NULL, 10) <= 65535;
    for (const char *at = text; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '-')
            return false;
    return *text != '\0';
}

static bool is_host(const char *text, size_t size)
{
    const char *allowed = ".-_";

    if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
        text++;
        size -= 2;
        allowed = ".:%";
        if (size == 0)
            return false;
    }
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr(allowed, text[i]))
            return false;
    return true;
}

/* "host:port", ":port", "[::1]:port". */
static int check_address(const struct reader *reader, const char *path, const char *address)
{
    const char *colon = strrchr(address, ':');

    if (!colon || !is_port(colon + 1) || !is_host(address, (size_t)(colon - address)))
        return refuse_shown(reader, path,
                            "not an address such as :5000, 127.0.0.1:5000 or \"[::1]:5000\"");
    return 0;
}

static int read_address(const struct reader *reader, struct settings_http *http)
{
    static const char *const nets[] = {"tcp", "unix", NULL};
    unsigned net = 0;
    int r = reader_get_choice(reader, "http.net", nets, &net);

    if (r == 0)
        r = reader_get_text(reader, "http.addr", &http->address);
    if (r < 0)
        return r;
    http->net = nets[net];
    if (net == 1)
        return http->address ? 0
                             : reader_refuse(reader, "http.net",
                                             "unix needs http.addr, the path of the socket");
    if (http->address)
        return check_address(reader, "http.addr", http->address);
    http->address = http->tls.key ? ADDRESS_DEFAULT : ADDRESS_WITHOUT_TLS;
    if (!http->tls.key)
        return reader_warn(
            reader,
            "no http.tls and no http.addr: only this machine can connect (" ADDRESS_WITHOUT_TLS
            "); set REGISTRY_HTTP_ADDR=" ADDRESS_DEFAULT " to change that");
    return 0;
}

/* Changes the text in the tree. */
static void trim_slashes(struct yaml_tree *node)
{
    while (node->size > 0 && node->text[node->size - 1] == '/')
        node->text[--node->size] = '\0';
}

/* Whether the path needs no escaping in a URL. */
static bool is_url_path(const char *path)
{
    for (; *path; path++)
        if (!isalnum((unsigned char)*path) && !strchr("/-._~!$&'()*+,;=:@", *path))
            return false;
    return true;
}

static bool is_origin(const char *text)
{
    size_t scheme = strncasecmp(text, "https://", 8) == 0  ? 8
                    : strncasecmp(text, "http://", 7) == 0 ? 7
                                                           : 0;
    size_t size, host;
    const char *end;

    if (!scheme)
        return false;
    text += scheme;
    size = strcspn(text, "/");
    end = text[0] == '[' ? memchr(text, ']', size) : memchr(text, ':', size);
    host = end ? (size_t)(end - text) + (text[0] == '[') : size;
    if (host == 0 || !is_host(text, host) || !is_url_path(text + size))
        return false;
    return host == size ||
           (text[host] == ':' && size - host <= 6 && strspn(text + host + 1, "0123456789") >= 1 &&
            strspn(text + host + 1, "0123456789") == size - host - 1);
}

static int read_host(const struct reader *reader, const char **host)
{
    int r = reader_get_text(reader, "http.host", host);

    if (r < 0 || !*host)
        return r;
    if (!is_origin(*host))
        return refuse_shown(
            reader, "http.host",
            "not a URL such as https://registry.example.com or https://registry.example.com:5000");
    trim_slashes(reader_find(reader, "http.host"));
    return 0;
}

/* registry:2 requires "/a/b/"; here the last slash is optional. */
static int read_prefix(const struct reader *reader, const char **prefix)
{
    int r = reader_get_text(reader, "http.prefix", prefix);

    if (r < 0 || !**prefix)
        return r;
    if (**prefix != '/' || !is_url_path(*prefix) || strstr(*prefix, "//"))
        return refuse_shown(reader, "http.prefix", "not a path such as /registry/");
    trim_slashes(reader_find(reader, "http.prefix"));
    return 0;
}

static int read_secret(const struct reader *reader, struct secbuf *secret)
{
    struct yaml_tree *node = reader_find(reader, "http.secret");

    if (!node)
        return 0;
    if (secbuf_append(secret, node->text, node->size) < 0)
        return error_set_oom(reader->err);
    yaml_tree_forget(node);
    return 0;
}

/* ---- http.headers: a mapping of names to lists of values ---- */

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *text)
{
    for (const char *at = text; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("!#$%&'*+-.^_`|~", *at))
            return false;
    return *text != '\0';
}

static bool is_header_value(const struct yaml_tree *node)
{
    if (node->kind != YAML_SCALAR)
        return false;
    for (size_t i = 0; i < node->size; i++)
        if ((unsigned char)node->text[i] < 0x20 || node->text[i] == 0x7f)
            return false;
    return true;
}

/* Headers that frame the message, or that the server sets itself. */
static bool is_reserved(const char *name)
{
    static const char *const names[] = {"Connection", "Content-Length", "Transfer-Encoding",
                                        "Upgrade",    "Trailer",        "Date",
                                        "Location",   "Range",          "WWW-Authenticate"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static int add_header(const struct reader *reader, const char *path, const char *name,
                      const struct yaml_tree *value, struct settings_pairs *headers)
{
    struct settings_pair *larger;

    if (!is_header_value(value))
        return place_refuse(value, path, reader->err,
                            "must be a list of lines of text, such as [nosniff]");
    larger = reallocarray(headers->items, headers->count + 1, sizeof(*larger));
    if (!larger)
        return error_set_oom(reader->err);
    headers->items = larger;
    larger[headers->count++] = (struct settings_pair){.name = name, .value = value->text};
    return 0;
}

static int read_header(const struct reader *reader, const struct yaml_member *member,
                       struct settings_pairs *headers)
{
    const struct yaml_tree *list = member->value;
    char path[PLACE_SIZE];
    int r = 0;

    snprintf(path, sizeof(path), "http.headers.%.200s", member->name);
    if (!is_token(member->name))
        return place_refuse(list, path, reader->err, "invalid header name");
    if (is_reserved(member->name))
        return place_refuse(list, path, reader->err,
                            "the server sets this header itself; remove it from http.headers");
    if (list->kind == YAML_SCALAR)
        return yaml_tree_is_null(list) ? 0 : add_header(reader, path, member->name, list, headers);
    if (list->kind == YAML_MAPPING)
        return place_refuse(list, path, reader->err,
                            "must be a list of lines of text, such as [nosniff]");
    for (size_t i = 0; r == 0 && i < list->count; i++)
        r = add_header(reader, path, member->name, list->members[i].value, headers);
    return r;
}

static int read_headers(const struct reader *reader, struct settings_pairs *headers)
{
    const struct yaml_tree *node = reader_find(reader, "http.headers");
    int r = 0;

    if (!node)
        return 0;
    if (node->kind != YAML_MAPPING)
        return place_refuse(node, "http.headers", reader->err,
                            "must be a mapping of names to lists of values");
    for (size_t i = 0; r == 0 && i < node->count; i++)
        r = read_header(reader, &node->members[i], headers);
    return r;
}

/* ---- */

static int read_debug(const struct reader *reader, struct settings_debug *debug)
{
    int r = reader_get_text(reader, "http.debug.addr", &debug->address);

    if (r == 0 && debug->address)
        r = check_address(reader, "http.debug.addr", debug->address);
    if (r == 0)
        r = reader_get_bool(reader, "http.debug.prometheus.enabled", &debug->has_prometheus);
    if (r == 0)
        r = reader_get_text(reader, "http.debug.prometheus.path", &debug->prometheus_path);
    if (r == 0 && (*debug->prometheus_path != '/' || !is_url_path(debug->prometheus_path)))
        return refuse_shown(reader, "http.debug.prometheus.path", "not a path such as /metrics");
    return r;
}

static int read_drain_timeout(const struct reader *reader, uint64_t *timeout_ms)
{
    int r = reader_get_duration(reader, "http.draintimeout", timeout_ms);

    if (*timeout_ms > INT_MAX)
        *timeout_ms = INT_MAX;
    return r;
}

int settings_read_http(const struct reader *reader, struct settings_http *http)
{
    int r = settings_read_tls(reader, &http->tls);

    if (r == 0)
        r = read_address(reader, http);
    if (r == 0)
        r = read_host(reader, &http->host);
    if (r == 0)
        r = read_prefix(reader, &http->prefix);
    if (r == 0)
        r = read_secret(reader, &http->secret);
    if (r == 0)
        r = reader_get_bool(reader, "http.relativeurls", &http->has_relative_urls);
    if (r == 0)
        r = read_drain_timeout(reader, &http->drain_timeout_ms);
    if (r == 0)
        r = read_headers(reader, &http->headers);
    if (r == 0)
        r = read_debug(reader, &http->debug);
    if (r == 0)
        r = settings_read_proxies(reader, http);
    if (r == 0)
        r = settings_read_limits(reader, &http->limits);
    return r;
}
