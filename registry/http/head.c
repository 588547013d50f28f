#include "registry/http/head.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* --- characters ----------------------------------------------------------------------------- */

/* RFC 9110 section 5.6.2. */
static bool is_token_char(unsigned char c)
{
    return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!is_token_char((unsigned char)text[i]))
            return false;
    return size > 0;
}

/* RFC 9110 section 5.5: no NUL, no line end, no other control character but the tab. */
static bool is_field_value(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return false;
    return true;
}

static bool is_target(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] <= 0x20 || text[i] == 0x7f)
            return false;
    return size > 0;
}

/* --- the end of a head ------------------------------------------------------------------------ */

int head_scan(const char *data, size_t size, size_t *scanned)
{
    if (size > 0 && !is_token_char((unsigned char)data[0]))
        return -EBADMSG;
    while (*scanned < size) {
        const char *line = data + *scanned, *end = memchr(line, '\n', size - *scanned);

        if (!end)
            break;
        if (end == line || end[-1] != '\r')
            return -EBADMSG;
        *scanned = (size_t)(end - data) + 1;
        if (*scanned > HEAD_SIZE_MAX)
            return -E2BIG;
        if (end - line == 1)
            return (int)*scanned;
    }
    return size < HEAD_SIZE_MAX ? 0 : -E2BIG;
}

void head_describe_failure(const char *data, size_t size, int failure, struct head_flaw *ret_flaw)
{
    if (failure != -E2BIG)
        *ret_flaw = (struct head_flaw){
            400, "the request is malformed: every line must end with CR LF"};
    else if (!memchr(data, '\n', size < HEAD_SIZE_MAX ? size : HEAD_SIZE_MAX))
        *ret_flaw = (struct head_flaw){
            414, "the request target is too long: the head of a request may have 32768 bytes"};
    else
        *ret_flaw = (struct head_flaw){
            431, "the headers are too long: the head of a request may have 32768 bytes"};
}

/* --- the request line ------------------------------------------------------------------------ */

static bool refuse(struct head_flaw *ret_flaw, unsigned status, const char *text)
{
    *ret_flaw = (struct head_flaw){status, text};
    return false;
}

static bool parse_version(const char *text, struct head *ret, struct head_flaw *ret_flaw)
{
    if (strncmp(text, "HTTP/", 5) != 0 || !isdigit((unsigned char)text[5]) || text[6] != '.' ||
        !isdigit((unsigned char)text[7]) || text[8])
        return refuse(ret_flaw, 400, "the request line must end with the HTTP version");
    if (text[5] != '1' || text[7] > '1')
        return refuse(ret_flaw, 505, "this server supports HTTP/1.1 and HTTP/1.0");
    ret->minor = (unsigned)(text[7] - '0');
    return true;
}

/*
 * RFC 9112 section 3.2.2: the target may be a whole URL, whose host replaces the Host header. The
 * host is moved two bytes to the left, over the slashes, to make room for its NUL and for the '/'
 * of an empty path.
 */
static bool parse_absolute_form(char *target, struct head *ret, struct head_flaw *ret_flaw)
{
    size_t scheme = strncasecmp(target, "http://", 7) == 0    ? 7
                    : strncasecmp(target, "https://", 8) == 0 ? 8
                                                              : 0;
    size_t size = strcspn(target + scheme, "/?#");
    char *path = target + scheme + size, *authority = target + scheme - 2;

    if (scheme == 0)
        return true;
    if (size == 0 || memchr(target + scheme, '@', size))
        return refuse(ret_flaw, 400, "the URL in the request line has no valid host");
    memmove(authority, target + scheme, size);
    authority[size] = '\0';
    if (*path != '/')
        *--path = '/';
    ret->authority = authority;
    ret->target = path;
    return true;
}

/* line is the request line of that size, with a NUL at its end. */
static bool parse_request_line(char *line, size_t size, struct head *ret,
                               struct head_flaw *ret_flaw)
{
    char *target = memchr(line, ' ', size), *version = memrchr(line, ' ', size);

    if (!target || !is_token(line, (size_t)(target - line)))
        return refuse(ret_flaw, 400,
                      "the request line must be a method, a target and the HTTP version");
    *target++ = '\0';
    if (version < target)
        return refuse(ret_flaw, 400, "the request line must end with the HTTP version");
    *version++ = '\0';
    ret->method = line;
    if (strlen(version) != (size_t)(line + size - version))
        return refuse(ret_flaw, 400, "the request line contains a NUL");
    if (!parse_version(version, ret, ret_flaw))
        return false;
    ret->target = target;
    if (!is_target(target, (size_t)(version - 1 - target)))
        return refuse(ret_flaw, 400,
                      "the request target contains white space or a control character");
    return parse_absolute_form(target, ret, ret_flaw);
}

/* --- headers --------------------------------------------------------------------------------- */

/* line has that size and a NUL at its end. */
static bool parse_header(char *line, size_t size, struct head *ret, struct head_flaw *ret_flaw)
{
    char *colon = memchr(line, ':', size), *value, *end = line + size;

    if (*line == ' ' || *line == '\t')
        return refuse(ret_flaw, 400, "a header line begins with white space");
    if (!colon || !is_token(line, (size_t)(colon - line)))
        return refuse(ret_flaw, 400, "invalid header name");
    value = colon + 1;
    value += strspn(value, " \t");
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (!is_field_value(value, (size_t)(end - value)))
        return refuse(ret_flaw, 400, "a header contains a control character");
    if (ret->header_count == HEAD_HEADERS_MAX)
        return refuse(ret_flaw, 431, "a request may have 256 headers");
    *colon = *end = '\0';
    ret->headers[ret->header_count++] = (struct head_header){
        .name = (uint16_t)(line - ret->text), .value = (uint16_t)(value - ret->text)};
    return true;
}

static bool parse_lines(char *text, size_t size, struct head *ret, struct head_flaw *ret_flaw)
{
    for (char *line = text, *end; (end = memchr(line, '\n', (size_t)(text + size - line)));
         line = end + 1) {
        size_t length = (size_t)(end - line) - 1;
        bool is_good;

        line[length] = '\0';
        if (length == 0)
            return true;
        is_good = line == text ? parse_request_line(line, length, ret, ret_flaw)
                               : parse_header(line, length, ret, ret_flaw);
        if (!is_good)
            return false;
    }
    return true;
}

const char *head_find(const struct head *head, const char *name)
{
    for (unsigned i = 0; i < head->header_count; i++)
        if (strcasecmp(head->text + head->headers[i].name, name) == 0)
            return head->text + head->headers[i].value;
    return NULL;
}

/* --- headers that the transport uses --------------------------------------------------------- */

/* Whether a comma-separated list has that token. */
static bool list_has(const char *list, const char *token)
{
    size_t size = strlen(token);

    while (*list) {
        size_t length;

        list += strspn(list, " \t,");
        length = strcspn(list, " \t,");
        if (length == size && strncasecmp(list, token, size) == 0)
            return true;
        list += length;
    }
    return false;
}

static bool parse_length(const char *text, struct head *ret, struct head_flaw *ret_flaw)
{
    uint64_t size = 0;

    if (!*text || text[strspn(text, "0123456789")])
        return refuse(ret_flaw, 400, "invalid Content-Length");
    for (; *text; text++) {
        if (size > ((uint64_t)INT64_MAX - 9) / 10)
            return refuse(ret_flaw, 413, "Content-Length is too large");
        size = size * 10 + (uint64_t)(*text - '0');
    }
    ret->body_size = (int64_t)size;
    return true;
}

struct meaning {
    unsigned hosts, authorizations, lengths, encodings;
    const char *length, *encoding;
    bool closes, asks_to_stay;
};

static void note_header(const char *name, const char *value, struct meaning *meaning,
                        struct head *ret)
{
    if (strcasecmp(name, "Host") == 0) {
        meaning->hosts++;
    } else if (strcasecmp(name, "Authorization") == 0) {
        meaning->authorizations++;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        meaning->lengths++;
        meaning->length = value;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        meaning->encodings++;
        meaning->encoding = value;
    } else if (strcasecmp(name, "Connection") == 0) {
        meaning->closes = meaning->closes || list_has(value, "close");
        meaning->asks_to_stay = meaning->asks_to_stay || list_has(value, "keep-alive");
    } else if (strcasecmp(name, "Expect") == 0) {
        ret->expects_continue = ret->minor == 1 && strcasecmp(value, "100-continue") == 0;
    }
}

/* RFC 9112 section 6. */
static bool find_framing(const struct meaning *meaning, struct head *ret,
                         struct head_flaw *ret_flaw)
{
    if (meaning->lengths > 1)
        return refuse(ret_flaw, 400, "duplicate Content-Length");
    if (meaning->encodings > 1 || (meaning->encodings > 0 && meaning->lengths > 0))
        return refuse(ret_flaw, 400, "duplicate Transfer-Encoding, or Content-Length beside it");
    if (meaning->encodings == 1 &&
        (ret->minor == 0 || strcasecmp(meaning->encoding, "chunked") != 0))
        return refuse(ret_flaw, 400,
                      "the only supported Transfer-Encoding is chunked, in HTTP/1.1");
    if (meaning->lengths == 1)
        return parse_length(meaning->length, ret, ret_flaw);
    ret->body_size = meaning->encodings == 1 ? -1 : 0;
    return true;
}

static bool interpret(struct head *ret, struct head_flaw *ret_flaw)
{
    struct meaning meaning = {0};

    for (unsigned i = 0; i < ret->header_count; i++) {
        const char *name = ret->text + ret->headers[i].name;

        if (ret->authority && strcasecmp(name, "Host") == 0)
            ret->headers[i].value = (uint16_t)(ret->authority - ret->text);
        note_header(name, ret->text + ret->headers[i].value, &meaning, ret);
    }
    ret->body_size = -1;
    if (!find_framing(&meaning, ret, ret_flaw))
        return false;
    if (meaning.hosts > 1 || (meaning.hosts == 0 && ret->minor == 1))
        return refuse(ret_flaw, 400, "a request must have exactly one Host header");
    if (meaning.authorizations > 1)
        return refuse(ret_flaw, 400, "duplicate Authorization");
    ret->keeps_alive = !meaning.closes && (ret->minor == 1 || meaning.asks_to_stay);
    return true;
}

bool head_parse(char *text, size_t size, struct head *ret, struct head_flaw *ret_flaw)
{
    /*
     * Does not clear the array of headers: clearing 1 KiB would take longer than parsing a usual
     * head.
     */
    ret->text = text;
    ret->method = ret->target = ret->authority = NULL;
    ret->minor = ret->header_count = 0;
    ret->body_size = -1;
    ret->keeps_alive = ret->expects_continue = false;
    return parse_lines(text, size, ret, ret_flaw) && interpret(ret, ret_flaw);
}
