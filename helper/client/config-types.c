/*
 * Docker decodes config.json into typed fields (docker/cli, cli/config/configfile). A member of
 * another type makes it print a warning at every command and ignore the logins in the file; it
 * still uses credsStore and credHelpers.
 */
#include <string.h>

#include "helper/client/config.h"

enum shape {
    SHAPE_TEXT,
    SHAPE_TEXTS, /* an array of texts */
    SHAPE_OBJECT_OF_TEXTS,
    SHAPE_OBJECT_OF_OBJECTS,
};

/* The fields of docker 20 to 29, in lower case. */
static const struct {
    const char *folded;
    enum shape shape;
} fields[] = {
    {"aliases", SHAPE_OBJECT_OF_TEXTS},
    {"auths", SHAPE_OBJECT_OF_OBJECTS},
    {"clipluginsextradirs", SHAPE_TEXTS},
    {"configformat", SHAPE_TEXT},
    {"credhelpers", SHAPE_OBJECT_OF_TEXTS},
    {"credsstore", SHAPE_TEXT},
    {"currentcontext", SHAPE_TEXT},
    {"detachkeys", SHAPE_TEXT},
    {"experimental", SHAPE_TEXT},
    {"features", SHAPE_OBJECT_OF_TEXTS},
    {"httpheaders", SHAPE_OBJECT_OF_TEXTS},
    {"imagesformat", SHAPE_TEXT},
    {"networksformat", SHAPE_TEXT},
    {"nodesformat", SHAPE_TEXT},
    {"plugins", SHAPE_OBJECT_OF_OBJECTS},
    {"pluginsformat", SHAPE_TEXT},
    {"proxies", SHAPE_OBJECT_OF_OBJECTS},
    {"prunefilters", SHAPE_TEXTS},
    {"psformat", SHAPE_TEXT},
    {"secretformat", SHAPE_TEXT},
    {"serviceinspectformat", SHAPE_TEXT},
    {"servicesformat", SHAPE_TEXT},
    {"statsformat", SHAPE_TEXT},
    {"tasksformat", SHAPE_TEXT},
    {"volumesformat", SHAPE_TEXT},
};

/* null is the zero value of every type. */
static bool has_type(const struct json *node, enum json_type type)
{
    return json_get_type(node) == type || json_get_type(node) == JSON_NULL;
}

static bool has_shape(const struct json *node, enum shape shape)
{
    enum json_type inner = shape == SHAPE_OBJECT_OF_OBJECTS ? JSON_OBJECT : JSON_STRING;

    if (shape == SHAPE_TEXT)
        return has_type(node, JSON_STRING);
    if (!has_type(node, shape == SHAPE_TEXTS ? JSON_ARRAY : JSON_OBJECT))
        return false;
    for (const struct json *one = json_get_first(node); one; one = json_get_next(one))
        if (!has_type(one, inner))
            return false;
    return true;
}

const char *client_config_find_wrong_member(const struct client_config *config)
{
    for (const struct json *member = json_get_first(config->json); member;
         member = json_get_next(member))
        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
            if (json_is_folded(json_get_name(member), fields[i].folded) &&
                !has_shape(member, fields[i].shape))
                return json_get_name(member);
    return NULL;
}
