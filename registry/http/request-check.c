/*
 * libmicrohttpd 0.9.75 is lenient: of two lengths it takes the first, a name with a blank before the colon is another
 * name, what follows a NUL is gone. A proxy that reads such a request otherwise would pass on one request where we see
 * two ("request smuggling"), or check one user where we see another. So what RFC 9112 calls invalid is refused
 * here, and the connection closed.
 */
#include "registry/http/request-check.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "registry/spec/range.h"

struct check {
    const char *flaw;
    unsigned hosts, authorizations, lengths, encodings;
    const char *length, *encoding;
};

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && (!text[i] || !strchr("!#$%&'*+-.^_`|~", text[i])))
            return false;
    return size > 0;
}

/* RFC 9110 section 5.5: no NUL, no line end, no other control character. */
static bool is_value(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return false;
    return true;
}

static enum MHD_Result check_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                    const char *value, size_t value_size)
{
    struct check *check = cls;

    (void)kind;
    if (!is_token(name, name_size))
        check->flaw = "the name of a header is none";
    else if (value && !is_value(value, value_size))
        check->flaw = "a header has a control character";
    else if (strcasecmp(name, "Host") == 0)
        check->hosts++;
    else if (strcasecmp(name, "Authorization") == 0)
        check->authorizations++;
    else if (strcasecmp(name, "Content-Length") == 0)
        check->lengths++, check->length = value;
    else if (strcasecmp(name, "Transfer-Encoding") == 0)
        check->encodings++, check->encoding = value;
    return MHD_YES;
}

static enum MHD_Result wipe_authorization(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                          const char *value, size_t value_size)
{
    (void)cls, (void)kind, (void)name_size;
    if (value && strncasecmp(name, "Authorization", strlen("Authorization")) == 0)
        explicit_bzero((char *)value, value_size);
    return MHD_YES;
}

/* RFC 9112 section 6: how long the body is must be said once, or not at all. */
static const char *check_framing(struct request *request, const struct check *check, bool is_1_1)
{
    uint64_t size = 0;

    request->body_size = -1; /* of a refused one nothing is known */
    if (check->lengths + check->encodings > 1)
        return "how long the body is is said twice";
    if (check->encodings == 1 && (!is_1_1 || !check->encoding || strcasecmp(check->encoding, "chunked") != 0))
        return "no Transfer-Encoding but chunked is understood, and that in HTTP/1.1";
    if (check->encodings == 1)
        return NULL;
    if (check->lengths == 1 && (!check->length || range_parse_length(check->length, &size) < 0 || size > INT64_MAX))
        return "Content-Length is no length";
    request->body_size = (int64_t)size;
    return NULL;
}

/* What follows the target is the version: otherwise the target went on behind a NUL. */
static bool is_whole_target(const struct exchange *exchange, const char *url, const char *version)
{
    return version == url + strlen(exchange->uri) + 1 && !strpbrk(exchange->uri, " \t");
}

const char *request_check(struct exchange *exchange, const char *url, const char *version)
{
    bool is_1_1 = strcmp(version, "HTTP/1.0") != 0;
    struct check check = {0};
    const char *flaw;

    MHD_get_connection_values_n(exchange->connection, MHD_HEADER_KIND, check_header, &check);
    flaw = check_framing(&exchange->request, &check, is_1_1);
    if (!flaw)
        flaw = check.flaw;
    if (!flaw && !is_whole_target(exchange, url, version))
        flaw = "the target has a NUL or a blank";
    if (!flaw && (check.hosts > 1 || (check.hosts == 0 && is_1_1)))
        flaw = "there is to be one Host header";
    if (!flaw && check.authorizations > 1)
        flaw = "there is to be one Authorization header";
    if (flaw)
        MHD_get_connection_values_n(exchange->connection, MHD_HEADER_KIND, wipe_authorization, NULL);
    return flaw;
}
