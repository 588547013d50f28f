/*
 * Checks the answers of the server at its own address, and at its public address, where a proxy may
 * be in front of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry/cli/doctor/checks.h"
#include "registry/cli/doctor/request.h"
#include "registry/http/listen.h"

enum { VALUE_SIZE = 1024, CLOCK_S = 120 };

bool address_is_local(const struct settings_http *http)
{
    static const char *const local[] = {"127.", "localhost:", "[::1]:"};

    if (strcmp(http->net, "unix") == 0)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(local); i++)
        if (strncmp(http->address, local[i], strlen(local[i])) == 0)
            return true;
    return false;
}

/* Does not try a socket in the file system, because that would remove a stale one. */
void check_port(struct examination *examination)
{
    const struct settings_http *http = &examination->settings->http;
    struct listeners listeners;
    struct error err;
    int r;

    if (strcmp(http->net, "tcp") != 0)
        return;
    r = listen_open(http->net, http->address, &listeners, &err);
    if (r == 0)
        listeners_close(&listeners);
    examination->is_port_free = r == 0;
    examination->cannot_listen = r < 0 && r != -EADDRINUSE;
    if (!examination->cannot_listen)
        return;
    report_add(
        &examination->report, "address", r == -EACCES ? FINDING_UNCHECKED : FINDING_BAD,
        r == -EACCES
            ? "Only root can open ports below 1024. Run doctor in the same way as the server."
            : "The server does not start.",
        "%s", err.text);
}

/* --- the server itself ----------------------------------------------------------------------- */

static bool is_registry(const struct answer *answer)
{
    char value[VALUE_SIZE];

    return (answer->status == 200 || answer->status == 401) &&
           answer_find(answer, "Docker-Distribution-Api-Version", value, sizeof(value));
}

static void check_listener(struct examination *examination)
{
    const struct settings_http *http = &examination->settings->http;
    struct report *report = &examination->report;
    struct public_address address;
    struct answer answer;
    struct error err;
    char path[512];

    if (examination->cannot_listen || strcmp(http->net, "tcp") != 0 ||
        public_address_of_listener(http->address, http->tls.certificate, &address) < 0)
        return;
    snprintf(path, sizeof(path), "%s/v2/", http->prefix);
    if (http->tls.client_ca_count > 0 && !http->tls.is_client_optional)
        return; /* it refuses clients without a certificate in the handshake */
    if (request_send(&address, "GET", path, "", &answer, &err) < 0)
        report_add(report, "server-silent", FINDING_WARNING,
                   "No server with this configuration is running here, or it hangs.", "%s",
                   err.text);
    else if (!is_registry(&answer))
        report_add(report, "port-taken", FINDING_BAD, "The server cannot use this port.",
                   "the server at %s is not a registry: it answers with status %d", http->address,
                   answer.status);
}

/* --- the public address ---------------------------------------------------------------------- */

static void check_trust(struct examination *examination, const struct public_address *address,
                        const struct answer *answer)
{
    if (answer->is_trusted)
        return;
    report_add(&examination->report, "public-trust", FINDING_WARNING,
               "docker says \"x509: ...\" unless the client has the authority's certificate as "
               "/etc/docker/certs.d/HOST:PORT/ca.crt "
               "or among those of its system.",
               "this machine does not trust the certificate of %s: %s", address->host,
               *answer->distrust ? answer->distrust : "no certificate authorities are installed");
}

static void check_clock(struct examination *examination, const struct answer *answer)
{
    char value[VALUE_SIZE];
    struct tm tm = {0};
    const char *date = answer_find(answer, "Date", value, sizeof(value));
    int64_t theirs_s;

    if (!date || !strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm))
        return;
    theirs_s = timegm(&tm);
    if (theirs_s > examination->now_s - CLOCK_S && theirs_s < examination->now_s + CLOCK_S)
        return;
    report_add(&examination->report, "clock-differs", FINDING_WARNING,
               "Certificates and tokens are valid for a limited time only.",
               "the clock of %s differs from the clock of this machine: it shows %s",
               examination->settings->http.host, date);
}

/* The challenge must be there, and its realm must be an address that clients can reach. */
static void check_challenge(struct examination *examination, const struct answer *answer)
{
    const struct settings *settings = examination->settings;
    struct report *report = &examination->report;
    char value[VALUE_SIZE];
    const char *challenge = answer_find(answer, "WWW-Authenticate", value, sizeof(value));
    const char *realm;

    if (answer->status != 401)
        return;
    if (!challenge) {
        report_add(report, "proxy-challenge", FINDING_BAD,
                   "Clients do not know how to log in: docker login fails.",
                   "the 401 answer of %s has no WWW-Authenticate header; a proxy removes it",
                   settings->http.host);
        return;
    }
    realm = strstr(challenge, "Bearer realm=\"");
    if (realm && !settings->token.is_enabled &&
        strncmp(realm + 14, settings->http.host, strlen(settings->http.host)) != 0)
        report_add(
            report, "proxy-realm", FINDING_BAD,
            "Clients request tokens from an address that they may be unable to reach.",
            "%s names its token server in a header that does not begin with that address: %s",
            settings->http.host, challenge);
}

/*
 * Checks whether a proxy limits the size of bodies, as nginx does by default. The server itself
 * answers with 401 or 404 before it reads the body, because the upload in the request does not
 * exist.
 */
static void check_body_limit(struct examination *examination, const struct public_address *address)
{
    static const char headers[] = "Content-Length: 4294967296\r\nExpect: 100-continue\r\n";
    struct answer answer;
    struct error err;

    if (request_send(address, "PUT",
                     "/v2/doctor/blobs/uploads/00000000-0000-0000-0000-000000000000", headers,
                     &answer, &err) < 0 ||
        answer.status != 413)
        return;
    report_add(&examination->report, "proxy-body-limit", FINDING_BAD,
               "Pushes of large layers fail with status 413.",
               "the proxy at %s limits the size of requests; in nginx: client_max_body_size 0",
               examination->settings->http.host);
}

static void check_public(struct examination *examination)
{
    const char *host = examination->settings->http.host;
    struct report *report = &examination->report;
    struct public_address address;
    struct answer answer;
    struct error err;

    if (!host || public_address_parse(host, &address) < 0)
        return;
    if (request_send(&address, "GET", "/v2/", "", &answer, &err) < 0) {
        report_add(report, "public-silent", FINDING_BAD,
                   "Clients are told to use this address (http.host).", "%s", err.text);
        return;
    }
    check_trust(examination, &address, &answer);
    check_clock(examination, &answer);
    if (!is_registry(&answer)) {
        report_add(report, "public-other", FINDING_BAD,
                   "A proxy does not forward requests to the registry, or removes "
                   "Docker-Distribution-Api-Version.",
                   "the server at %s/v2/ is not a registry: it answers with status %d", host,
                   answer.status);
        return;
    }
    check_challenge(examination, &answer);
    check_body_limit(examination, &address);
}

/* A server without TLS at an address with TLS is behind a proxy. */
static void check_trusted_proxies(struct examination *examination)
{
    const struct settings *settings = examination->settings;
    struct public_address address;

    if (!settings->http.host || settings->http.tls.certificate || !settings->auth.is_htpasswd ||
        settings->http.trusted_proxy_count > 0 ||
        public_address_parse(settings->http.host, &address) < 0 || !address.is_tls)
        return;
    report_add(&examination->report, "proxy-untrusted", FINDING_WARNING,
               "All clients seem to have the proxy's address: the wrong passwords of one delay the "
               "logins of all, and the log does not tell clients apart.",
               "%s leads to a proxy, and http.trustedproxies does not name it",
               settings->http.host);
}

void check_server(struct examination *examination)
{
    check_trusted_proxies(examination);
    check_listener(examination);
    check_public(examination);
}
