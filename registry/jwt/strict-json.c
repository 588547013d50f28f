#include "registry/jwt/strict-json.h"

#include <errno.h>
#include <string.h>

/*
 * Each name is compared with all others, so the number of members is limited. The check recurses,
 * so the depth is limited.
 */
enum { MEMBERS_MAX = 500, DEPTH_MAX = 50 };

static bool has_equal_before(const struct json *object, const struct json *member)
{
    for (const struct json *other = json_get_first(object); other != member;
         other = json_get_next(other))
        if (strcmp(json_get_name(other), json_get_name(member)) == 0)
            return true;
    return false;
}

static bool is_unambiguous(const struct json *node, int depth)
{
    size_t count = 0;

    if (depth > DEPTH_MAX)
        return false;
    for (const struct json *child = json_get_first(node); child; child = json_get_next(child)) {
        if (json_get_type(node) == JSON_OBJECT &&
            (++count > MEMBERS_MAX || has_equal_before(node, child)))
            return false;
        if (!is_unambiguous(child, depth + 1))
            return false;
    }
    return true;
}

int strict_json_parse(const void *text, size_t size, struct json **ret)
{
    CLEANUP(json_freep) struct json *document = NULL;
    int r = json_parse_public(text, size, &document);

    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    if (json_get_type(document) != JSON_OBJECT || !is_unambiguous(document, 0))
        return -EBADMSG;
    *ret = steal_ptr(&document);
    return 0;
}
