#include "registry/access/robot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base64.h"
#include "common/random.h"
#include "registry/access/pattern.h"
#include "registry/access/rules.h"

enum { SECRET_SIZE = 32 };

/* --- names, times, permissions ---------------------------------------------------------- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool robot_is_name(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!is_plain(name[i]) && (i == 0 || i + 1 == size || !memchr("._-", name[i], 3)))
            return false;
    return size > 0 && size <= ROBOT_NAME_MAX;
}

void robot_format_time(int64_t time_s, char ret_text[RFC3339_SIZE])
{
    if (time_s == ROBOT_NEVER)
        snprintf(ret_text, RFC3339_SIZE, "never");
    else
        rfc3339_format(time_s, ret_text);
}

int robot_parse_time(const char *text, size_t size, int64_t *ret_s)
{
    static const char never[] = "never";

    if (size != strlen(never) || memcmp(text, never, size) != 0)
        return rfc3339_parse(text, size, ret_s);
    *ret_s = ROBOT_NEVER;
    return 0;
}

size_t robot_pattern_size(const char *allow, size_t size)
{
    const char *colon = memchr(allow, ':', size);

    return colon ? (size_t)(colon - allow) : size;
}

static const char *find_action_fault(const char *at, const char *end)
{
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma ? comma : end;

        unsigned bits = rules_action_parse(at, (size_t)(stop - at));

        if (bits & RULES_HEALTH)
            return "names the action health, which robots cannot have; only users can";
        if (bits == 0)
            return "names an unknown action; actions are pull, push, push-new, delete and all";
        if (comma && comma + 1 == end)
            return "ends with a comma";
        at = comma ? comma + 1 : end;
    }
    return NULL;
}

const char *robot_find_fault(const char *allow, size_t size)
{
    size_t pattern = robot_pattern_size(allow, size);

    if (pattern + 1 >= size)
        return "is not PATTERN:ACTIONS, such as team/**:pull,push";
    if (memchr(allow, '"', size) || memchr(allow, '#', size))
        return "has a quote or a '#', which are invalid in patterns";
    if (pattern_find_fault(allow, pattern))
        return pattern_find_fault(allow, pattern);
    return find_action_fault(allow + pattern + 1, allow + size);
}

/* --- passwords -------------------------------------------------------------------------- */

int robot_digest(const char *name, const struct secbuf *password, struct digest *ret)
{
    static const char label[] = "registryd robot 1";
    CLEANUP(hasher_freep) struct hasher *hasher = NULL;

    if (hasher_new(DIGEST_SHA256, &hasher) < 0)
        return -ENOMEM;
    hasher_write(hasher, label, sizeof(label));
    hasher_write(hasher, name, strlen(name) + 1);
    if (password->size > 0)
        hasher_write(hasher, password->data, password->size);
    hasher_get(hasher, ret);
    return 0;
}

int robot_make_password(struct secbuf *ret)
{
    CLEANUP(secbuf_done) struct secbuf password = {0};
    unsigned char *bytes = secure_malloc(SECRET_SIZE);
    size_t start = strlen(ROBOT_PASSWORD_PREFIX), size = base64url_encoded_size(SECRET_SIZE);
    int r = bytes ? secbuf_append(&password, ROBOT_PASSWORD_PREFIX, start) : -ENOMEM;

    if (r == 0)
        r = secbuf_reserve(&password, size + 1);
    if (r == 0) {
        random_bytes(bytes, SECRET_SIZE);
        base64url_encode(bytes, SECRET_SIZE, (char *)password.data + start);
        password.size = ROBOT_PASSWORD_SIZE; /* without the '=' at the end */
        *ret = password;
        password = (struct secbuf){0};
    }
    secure_free(bytes);
    return r;
}
