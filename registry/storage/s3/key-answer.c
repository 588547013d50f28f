#include "registry/storage/s3/key-answer.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "common/json.h"
#include "common/rfc3339.h"

enum { CODE_MAX = 64 };

static struct piece get_member(const struct json *object, const char *name)
{
    const char *text = json_get_text(json_find(object, name));

    return text ? (struct piece){text, strlen(text)} : (struct piece){"", 0};
}

/* "2026-11-30T07:41:45Z", also with a fraction of a second, which is ignored. */
static int parse_time(struct piece text, int64_t *ret_s)
{
    const char *point = memchr(text.text, '.', text.size);
    char whole[RFC3339_SIZE];
    size_t size = point ? (size_t)(point - text.text) : text.size;

    if (size + 2 > sizeof(whole) || (point && text.text[text.size - 1] != 'Z'))
        return -EINVAL;
    memcpy(whole, text.text, size);
    if (point)
        whole[size++] = 'Z';
    return rfc3339_parse(whole, size, ret_s);
}

/* A word such as "AssumeRoleUnauthorizedAccess", which is shown to people. */
static bool is_code(struct piece code)
{
    for (size_t i = 0; i < code.size; i++)
        if (!isalnum((unsigned char)code.text[i]))
            return false;
    return code.size > 0 && code.size <= CODE_MAX;
}

static int check_code(struct piece code, const char *origin, struct error *err)
{
    if (code.size == 0 || (code.size == 7 && memcmp(code.text, "Success", 7) == 0))
        return 0;
    return is_code(code) ? error_set(err, EACCES, "%s answered with the code %.*s", origin,
                                     (int)code.size, code.text)
                         : error_set(err, EACCES, "%s answered with an invalid code", origin);
}

static int read_object(const struct json *object, const char *origin, struct keys **ret,
                       struct error *err)
{
    struct keys_source source = {
        .access = get_member(object, "AccessKeyId"),
        .secret = get_member(object, "SecretAccessKey"),
        .token = get_member(object, "Token"),
        .origin = origin,
    };
    struct piece expiration = get_member(object, "Expiration");
    struct keys *keys;
    int r = check_code(get_member(object, "Code"), origin, err);

    if (r < 0)
        return r;
    if (expiration.size > 0 && parse_time(expiration, &source.expires_s) < 0)
        return error_set(err, EBADMSG, "%s: the time of Expiration is invalid", origin);
    r = keys_new(&source, &keys, err);
    if (r < 0)
        return r;
    if (!keys_are_expired(keys)) {
        *ret = keys;
        return 0;
    }
    keys_drop(keys);
    return error_set(err, EBADMSG,
                     "%s: its keys have expired already; if they have not, the clock of this "
                     "machine is wrong",
                     origin);
}

int key_answer_parse(struct piece answer, const char *origin, struct keys **ret, struct error *err)
{
    CLEANUP(json_freep) struct json *document = NULL;
    int r = json_parse(answer.text, answer.size, &document);

    if (r == -ENOMEM)
        return error_set_oom(err);
    if (r < 0 || json_get_type(document) != JSON_OBJECT)
        return error_set(err, EBADMSG, "%s: the answer is not a JSON object", origin);
    return read_object(document, origin, ret, err);
}
