/*
 * The order of the files, and the part of TOML that is needed to find one array of strings at the
 * top of a file.
 */
#include "helper/client/registries-conf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/file.h"
#include "helper/client/home.h"

#define SYSTEM_FILE "/etc/containers/registries.conf"
#define SYSTEM_DIRECTORY "/etc/containers/registries.conf.d"

enum { FILE_MAX = 1 << 20 };

void client_helper_names_free(char **names)
{
    for (char **name = names; name && *name; name++)
        free(*name);
    free(names);
}

static void names_freep(char ***names)
{
    client_helper_names_free(*names);
}

void client_helpers_done(struct client_helpers *helpers)
{
    client_helper_names_free(helpers->names);
    free(helpers->source);
    *helpers = (struct client_helpers){0};
}

bool client_helpers_has(const struct client_helpers *helpers, const char *name)
{
    for (char **one = helpers->names; *one; one++)
        if (strcmp(*one, name) == 0)
            return true;
    return false;
}

bool client_helpers_is_first(const struct client_helpers *helpers, const char *name)
{
    return helpers->names[0] && strcmp(helpers->names[0], name) == 0;
}

static int add_name(char ***names, const char *text, size_t size)
{
    size_t count = 0;
    char **more;

    while (*names && (*names)[count])
        count++;
    more = reallocarray(*names, count + 2, sizeof(*more));
    if (!more)
        return -ENOMEM;
    *names = more;
    more[count + 1] = NULL;
    more[count] = strndup(text, size);
    return more[count] ? 0 : -ENOMEM;
}

/* --- TOML ------------------------------------------------------------------------------------ */

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r");
}

/* Blanks, line ends and comments. */
static const char *skip_space(const char *at)
{
    for (;;) {
        at += strspn(at, " \t\r\n");
        if (*at != '#')
            return at;
        at += strcspn(at, "\n");
    }
}

/*
 * at is a quote; the string's text lies between *ret and the result, less its closing quotes. NULL:
 * it does not end.
 */
static const char *skip_string(const char *at, const char **ret_text, size_t *ret_size)
{
    char quote = *at;
    size_t width = at[1] == quote && at[2] == quote ? 3 : 1;
    const char *end;

    *ret_text = at + width;
    for (end = at + width; *end; end++) {
        if (width == 1 && *end == '\n')
            return NULL;
        if (*end == '\\' && quote == '"' && end[1])
            end++;
        else if (strncmp(end, at, width) == 0)
            break;
    }
    if (!*end)
        return NULL;
    *ret_size = (size_t)(end - *ret_text);
    return end + width;
}

/* Any value: what follows it, or NULL. */
static const char *skip_value(const char *at)
{
    size_t depth = 0, size;
    const char *text;

    for (; at && *at;) {
        if (*at == '"' || *at == '\'') {
            at = skip_string(at, &text, &size);
        } else if (*at == '#') {
            at += strcspn(at, "\n");
        } else if (*at == '\n' && depth == 0) {
            return at;
        } else {
            depth += *at == '[' || *at == '{';
            depth -= depth > 0 && (*at == ']' || *at == '}');
            at++;
        }
    }
    return depth == 0 ? at : NULL;
}

static const char *read_array(const char *at, char ***names, int *result)
{
    *result = -EBADMSG;
    if (*at != '[')
        return NULL;
    for (at = skip_space(at + 1); *at != ']'; at = skip_space(*at == ',' ? at + 1 : at)) {
        const char *text;
        size_t size;

        if (*at != '"' && *at != '\'')
            return NULL;
        at = skip_string(at, &text, &size);
        if (!at || memchr(text, '\\', size)) /* no helper's name has an escape */
            return NULL;
        *result = add_name(names, text, size);
        if (*result < 0)
            return NULL;
        *result = -EBADMSG;
        at = skip_space(at);
        if (*at != ',' && *at != ']')
            return NULL;
    }
    *result = CLIENT_HELPERS_SET;
    return at + 1;
}

/*
 * A key, quoted or bare. *ret_is_wanted: it is the one looked for; its case does not count
 * (BurntSushi/toml).
 */
static const char *read_key(const char *at, bool *ret_is_wanted)
{
    static const char wanted[] = "credential-helpers";
    const char *text = at;
    size_t size = strcspn(at, " \t\r\n=#");

    if (*at == '"' || *at == '\'')
        at = skip_string(at, &text, &size);
    else
        at += size;
    *ret_is_wanted = size == sizeof(wanted) - 1 && strncasecmp(text, wanted, size) == 0;
    if (!at)
        return NULL;
    at += strcspn(at, "=\n"); /* the rest of a dotted key */
    return *at == '=' ? skip_blanks(at + 1) : NULL;
}

int client_helpers_parse(const char *text, char ***ret_names)
{
    CLEANUP(names_freep) char **names = NULL;
    int result = CLIENT_HELPERS_UNSET;

    /* A table ends the part of the file that is looked at. */
    for (const char *at = skip_space(text); *at && *at != '['; at = skip_space(at)) {
        bool is_wanted;

        at = read_key(at, &is_wanted);
        if (at && is_wanted && result == CLIENT_HELPERS_UNSET) {
            names = calloc(1, sizeof(*names));
            if (!names)
                return -ENOMEM;
            at = read_array(at, &names, &result);
            if (result < 0)
                return result;
        } else if (at) {
            at = skip_value(at);
        }
        if (!at)
            return -EBADMSG;
    }
    if (result == CLIENT_HELPERS_SET)
        *ret_names = steal_ptr(&names);
    return result;
}

/* --- the files ------------------------------------------------------------------------------- */

static int read_file(const char *path, struct client_helpers *helpers, struct error *err)
{
    CLEANUP(names_freep) char **names = NULL;
    CLEANUP_FREE char *text = NULL;
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, path, NULL);
    size_t size;
    int r = fd < 0 ? fd : file_read_all(fd, FILE_MAX, &text, &size);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return error_set_errno(err, -r, "cannot read %s", path);
    r = client_helpers_parse(text, &names);
    if (r == -EBADMSG)
        return error_set(err, EBADMSG,
                         "%s is not valid TOML, so podman and skopeo cannot read it either", path);
    if (r < 0)
        return error_set_oom(err);
    if (r == CLIENT_HELPERS_UNSET)
        return 0;
    client_helpers_done(helpers);
    helpers->names = steal_ptr(&names);
    helpers->source = strdup(path);
    return helpers->source ? 0 : error_set_oom(err);
}

static int is_conf(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);

    return size >= 5 && strcmp(entry->d_name + size - 5, ".conf") == 0;
}

static int compare_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_one_of(const char *directory, const char *name, const char *without,
                       struct client_helpers *helpers, struct error *err)
{
    CLEANUP_FREE char *path = NULL;

    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        path = NULL;
        return error_set_oom(err);
    }
    return without && strcmp(path, without) == 0 ? 0 : read_file(path, helpers, err);
}

static int read_directory(const char *directory, const char *without,
                          struct client_helpers *helpers, struct error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_conf, compare_bytes), r = 0;

    if (count < 0)
        return errno == ENOENT
                   ? 0
                   : error_set_errno(err, errno, "cannot read the directory %s", directory);
    for (int i = 0; i < count; i++) {
        if (r == 0)
            r = read_one_of(directory, entries[i]->d_name, without, helpers, err);
        free(entries[i]);
    }
    free(entries);
    return r;
}

static int read_all(const char *home, const char *without, struct client_helpers *helpers,
                    struct error *err)
{
    const char *named = getenv("CONTAINERS_REGISTRIES_CONF");
    CLEANUP_FREE char *file = NULL, *directory = NULL;
    bool is_own;
    int r;

    if (asprintf(&file, "%s/.config/containers/registries.conf", home) < 0 ||
        asprintf(&directory, "%s.d", file) < 0)
        return error_set_oom(err);
    is_own = (!named || !*named) && access(file, F_OK) == 0;
    r = read_file(named && *named ? named : is_own ? file : SYSTEM_FILE, helpers, err);
    if (r == 0 && !is_own)
        r = read_directory(SYSTEM_DIRECTORY, without, helpers, err);
    return r == 0 ? read_directory(directory, without, helpers, err) : r;
}

int client_helpers_read(const char *without, struct client_helpers *ret, struct error *err)
{
    CLEANUP(client_helpers_done) struct client_helpers helpers = {0};
    const char *home;
    int r = client_find_home("podman", &home, err);

    if (r < 0)
        return r;
    r = read_all(home, without, &helpers, err);
    /* an empty array stands for the default */
    if (r == 0 && (!helpers.names || !helpers.names[0])) {
        client_helpers_done(&helpers);
        r = add_name(&helpers.names, CLIENT_AUTH_FILES, strlen(CLIENT_AUTH_FILES)) < 0
                ? error_set_oom(err)
                : 0;
    }
    if (r < 0)
        return r;
    *ret = helpers;
    helpers = (struct client_helpers){0};
    return 0;
}
