#include "registry/api/page-query.h"

#include <errno.h>
#include <string.h>

#include "registry/api/answer.h"
#include "registry/spec/escape.h"
#include "registry/spec/range.h"

bool page_query_refuse(struct response *response, const char *key, const char *text)
{
    answer_unknown(response, ERROR_CODE_UNSUPPORTED, key, text);
    response->status = 400;
    return false;
}

bool page_query_n(const struct call *call, struct response *response, size_t *ret)
{
    char text[24];
    uint64_t n = PAGE_N_DEFAULT;
    int r = escape_find(call->query, "n", text, sizeof(text));

    if (r != -ENOENT && (r < 0 || range_parse_length(text, &n) < 0 || n == 0)) {
        answer_unknown(response, ERROR_CODE_PAGINATION_NUMBER_INVALID, "n", r < 0 ? "" : text);
        return false;
    }
    *ret = n < PAGE_N_MAX ? (size_t)n : PAGE_N_MAX;
    return true;
}

static bool has_no_control_characters(const char *text)
{
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return false;
    return true;
}

bool page_query_text(const struct call *call, struct response *response, const char *key,
                     char *ret_text, size_t size)
{
    int r = escape_find(call->query, key, ret_text, size);

    if (r == -ENOENT)
        ret_text[0] = '\0';
    else if (r < 0 || !has_no_control_characters(ret_text))
        return page_query_refuse(response, "parameter", key);
    return true;
}
