/*
 * Overrides settings by environment variables, as registry:2 does (distribution's
 * configuration/parser.go). registry:2 panics on REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED;
 * here every setting has a variable.
 */
#include "registry/config/environment.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "registry/config/place.h"
#include "registry/config/schema.h"
#include "registry/config/yaml.h"

/* REGISTRY_CONFIGURATION_PATH names the file and is not a setting. */
#define NO_SETTING VARIABLE_PREFIX "CONFIGURATION_PATH"

enum { NAME_MAX_SIZE = 512 };

struct override {
    const char *name; /* of the variable */
    const char *value;
    struct text_list *warnings;
    struct error *err;
};

static int compare_names(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    size_t x_size = strcspn(x, "="), y_size = strcspn(y, "=");
    int r = memcmp(x, y, x_size < y_size ? x_size : y_size);

    return r ? r : (x_size > y_size) - (x_size < y_size);
}

static bool is_ours(const char *variable)
{
    size_t size = strcspn(variable, "=");

    if (!variable[size] || strncmp(variable, VARIABLE_PREFIX, strlen(VARIABLE_PREFIX)) != 0)
        return false;
    return size != strlen(NO_SETTING) || strncmp(variable, NO_SETTING, size) != 0;
}

/* Kubernetes sets variables such as NAME_PORT_80_TCP_ADDR; rest is the text after "_PORT_". */
static bool is_port_of_service(const char *rest)
{
    rest += strspn(rest, "0123456789");
    return strncmp(rest, "_TCP", 4) == 0 || strncmp(rest, "_UDP", 4) == 0 ||
           strncmp(rest, "_SCTP", 5) == 0;
}

/*
 * Names the owner of a variable that only looks like a setting, or returns NULL. Kubernetes sets
 * such variables in every pod: a service named "registry-auth" leads to
 * REGISTRY_AUTH_PORT=tcp://10.0.0.1:80.
 */
static const char *find_owner(const char *name, const char *value)
{
    const char *port = strstr(name, "_PORT");
    size_t size = strlen(name), host_size = strlen("_SERVICE_HOST");

    if (strcmp(name, "REGISTRY_AUTH_FILE") == 0)
        return "podman's, the path of its file with logins";
    if ((size > host_size && strcmp(name + size - host_size, "_SERVICE_HOST") == 0) ||
        strstr(name, "_SERVICE_PORT") || (port && !port[5] && strstr(value, "://")) ||
        (port && port[5] == '_' && is_port_of_service(port + 6)))
        return "one that Kubernetes sets for a service";
    return NULL;
}

bool environment_has_settings(char *const *environment)
{
    for (; *environment; environment++) {
        char name[NAME_MAX_SIZE];
        size_t size = strcspn(*environment, "=");

        if (!is_ours(*environment) || size >= sizeof(name))
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)size, *environment);
        if (!find_owner(name, *environment + size + 1))
            return true;
    }
    return false;
}

/* The variables with our prefix, sorted by name; free with free(). NULL: out of memory. */
static char **select_variables(char *const *environment, size_t *ret_count)
{
    size_t all = 0, count = 0;
    char **selected;

    while (environment[all])
        all++;
    selected = calloc(all + 1, sizeof(*selected));
    if (!selected)
        return NULL;
    for (size_t i = 0; i < all; i++)
        if (is_ours(environment[i]))
            selected[count++] = environment[i];
    qsort(selected, count, sizeof(*selected), compare_names);
    *ret_count = count;
    return selected;
}

/* REGISTRY_HTTP_ADDR becomes "http.addr". */
static void make_path(const char *name, char ret_path[NAME_MAX_SIZE])
{
    size_t used = 0;

    for (name += strlen(VARIABLE_PREFIX); *name; name++)
        ret_path[used++] = (char)(*name == '_' ? '.' : tolower((unsigned char)*name));
    ret_path[used] = '\0';
}

/* Ignores case, because a key that the user chose may have capitals, as in registry:2. */
static struct yaml_member *find_member(const struct yaml_tree *tree, const char *name)
{
    for (size_t i = 0; i < tree->count; i++)
        if (strcasecmp(tree->members[i].name, name) == 0)
            return &tree->members[i];
    return NULL;
}

/* A null stands for an empty mapping. */
static int open_mapping(const struct override *override, const char *path, struct yaml_tree **value)
{
    struct yaml_tree *mapping;
    char place[PLACE_SIZE];

    if ((*value)->kind == YAML_MAPPING)
        return 0;
    if (!yaml_tree_is_null(*value)) {
        place_format(*value, path, place);
        return error_set(override->err, EINVAL,
                         "%s: cannot be applied, because %s is not a mapping", override->name,
                         place);
    }
    if (yaml_tree_new(YAML_MAPPING, *value, NULL, &mapping) < 0)
        return error_set_oom(override->err);
    yaml_tree_free(*value);
    *value = mapping;
    return 0;
}

/* Returns the value of a member, which is created if it is missing. NULL: out of memory. */
static struct yaml_tree **need_member(const struct override *override, struct yaml_tree *tree,
                                      const char *name)
{
    const struct yaml_tree place = {.source = override->name};
    struct yaml_member *member = find_member(tree, name);
    struct yaml_tree *nothing = NULL;

    if (member)
        return &member->value;
    if (yaml_tree_new_scalar("", 0, true, &place, NULL, &nothing) < 0 ||
        yaml_tree_add(tree, name, 0, nothing) < 0) {
        yaml_tree_free(nothing);
        error_set_oom(override->err);
        return NULL;
    }
    return &tree->members[tree->count - 1].value;
}

/* Puts the value at path. While it walks down, it cuts path at one dot after the other. */
static int put(const struct override *override, struct yaml_tree *tree, char *path,
               struct yaml_tree *value)
{
    struct yaml_tree **at = NULL;
    char *name = path;

    for (;;) {
        char *dot = strchr(name, '.');
        int r;

        if (dot)
            *dot = '\0';
        at = need_member(override, tree, name);
        if (!at)
            return -ENOMEM;
        if (!dot)
            break;
        r = open_mapping(override, path, at);
        if (r < 0)
            return r;
        tree = *at;
        *dot = '.';
        name = dot + 1;
    }
    yaml_tree_free(*at);
    *at = value;
    find_member(tree, name)->line = 0;
    return 0;
}

static int apply(const struct override *override, struct yaml_tree *root)
{
    CLEANUP(yaml_tree_freep) struct yaml_tree *value = NULL;
    const char *owner = find_owner(override->name, override->value);
    char path[NAME_MAX_SIZE];
    int r;

    if (owner) {
        r = text_list_add(override->warnings, "Ignoring %s: it is %s", override->name, owner);
        return r < 0 ? error_set_oom(override->err) : 0;
    }
    make_path(override->name, path);
    if (schema_find(path) == SCHEMA_UNKNOWN || strchr(override->name, '.')) {
        r = text_list_add(override->warnings, "Ignoring unrecognized environment variable %s",
                          override->name);
        return r < 0 ? error_set_oom(override->err) : 0;
    }
    r = yaml_parse(override->name, YAML_VARIABLE, override->value, strlen(override->value), &value,
                   override->err);
    if (r == 0)
        r = put(override, root, path, value);
    if (r < 0)
        return r;
    steal_ptr(&value);
    return schema_expand(root) < 0 ? error_set_oom(override->err) : 0;
}

int environment_apply(char *const *environment, struct yaml_tree *root, struct text_list *sources,
                      struct text_list *warnings, struct error *err)
{
    CLEANUP_FREE char **variables = NULL;
    size_t count = 0;
    int r = 0;

    variables = select_variables(environment, &count);
    if (!variables)
        return error_set_oom(err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        size_t size = strcspn(variables[i], "=");
        struct override override = {
            .value = variables[i] + size + 1, .warnings = warnings, .err = err};

        if (size >= NAME_MAX_SIZE)
            r = text_list_add(warnings, "Ignoring unrecognized environment variable %.*s", 100,
                              variables[i]);
        else
            r = text_list_add(sources, "%.*s", (int)size, variables[i]);
        if (r < 0)
            return error_set_oom(err);
        if (size >= NAME_MAX_SIZE)
            continue;
        override.name = sources->items[sources->count - 1];
        r = apply(&override, root);
    }
    return r;
}
