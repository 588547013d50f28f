#include "registry/http/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *request_get_header(const struct request *request, const char *name)
{
    return head_find(request->head, name);
}

int request_join_header(const struct request *request, const char *name, char *ret_value,
                        size_t size)
{
    const struct head *head = request->head;
    static const char separator[] = ", ";
    size_t used = 0, value_size;
    bool has_any = false;
    const char *value;

    for (unsigned i = 0; i < head->header_count; i++) {
        if (strcasecmp(head->text + head->headers[i].name, name) != 0)
            continue;
        value = head->text + head->headers[i].value;
        value_size = strlen(value);
        if (value_size + sizeof(separator) > size - used)
            return -E2BIG;
        if (has_any) {
            memcpy(ret_value + used, separator, sizeof(separator) - 1);
            used += sizeof(separator) - 1;
        }
        memcpy(ret_value + used, value, value_size + 1);
        used += value_size;
        has_any = true;
    }
    return has_any ? 0 : -ENOENT;
}

/* --- the origin as the client sees it ---------------------------------------------- */

static bool is_host(const char *text)
{
    size_t size =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]");

    return size > 0 && size < REQUEST_HOST_MAX && text[size] == '\0';
}

/* Copies the first element of a list, without white space and quotes; "" if it is too long. */
static void copy_first(const char *list, char *ret_text, size_t size)
{
    size_t length;

    list += strspn(list, " \t\"");
    length = strcspn(list, " \t\",;");
    snprintf(ret_text, size, "%.*s", length < size ? (int)length : 0, list);
}

/* Copies a parameter of the first element of a Forwarded header (RFC 7239); "" if it is missing. */
static void copy_parameter(const char *forwarded, const char *name, char *ret_text, size_t size)
{
    size_t name_size = strlen(name);

    ret_text[0] = '\0';
    while (forwarded && *forwarded && *forwarded != ',') {
        forwarded += strspn(forwarded, " \t;");
        if (strncasecmp(forwarded, name, name_size) == 0 && forwarded[name_size] == '=') {
            copy_first(forwarded + name_size + 1, ret_text, size);
            return;
        }
        forwarded += strcspn(forwarded, ";,");
    }
}

/*
 * Like registry:2, prefers Forwarded to the X- headers, and the proxy's headers to the request's
 * own values.
 */
static void find_out(const struct request *request, const char *parameter, const char *header,
                     char *ret_text, size_t size)
{
    const char *value = request_get_header(request, header);

    copy_parameter(request_get_header(request, "Forwarded"), parameter, ret_text, size);
    if (!*ret_text && value)
        copy_first(value, ret_text, size);
}

void request_get_origin(const struct request *request, char *ret_origin, size_t size)
{
    char scheme[8], host[REQUEST_HOST_MAX];
    const char *asked = request_get_header(request, "Host");

    find_out(request, "proto", "X-Forwarded-Proto", scheme, sizeof(scheme));
    find_out(request, "host", "X-Forwarded-Host", host, sizeof(host));
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        snprintf(scheme, sizeof(scheme), "%s", request->is_tls ? "https" : "http");
    ret_origin[0] = '\0';
    if (is_host(host))
        snprintf(ret_origin, size, "%s://%s", scheme, host);
    else if (asked && is_host(asked))
        snprintf(ret_origin, size, "%s://%s", scheme, asked);
}

void request_get_direct_origin(const struct request *request, char *ret_origin, size_t size)
{
    const char *asked = request_get_header(request, "Host");

    ret_origin[0] = '\0';
    if (asked && is_host(asked))
        snprintf(ret_origin, size, "%s://%s", request->is_tls ? "https" : "http", asked);
}
