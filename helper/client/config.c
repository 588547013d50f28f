#include "helper/client/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/json-edit.h"
#include "common/json-quote.h"
#include "helper/client/read-secret-file.h"

/* --- reading --------------------------------------------------------------------------------- */

/* Of UTF-8 or UTF-16, as editors of Windows write it. */
static bool has_byte_order_mark(const struct secbuf *text)
{
    return (text->size >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0) ||
           (text->size >= 2 &&
            (memcmp(text->data, "\xff\xfe", 2) == 0 || memcmp(text->data, "\xfe\xff", 2) == 0));
}

/*
 * Whether an object is followed by something else: docker uses the object, and podman refuses the
 * file.
 */
static bool has_more_than_an_object(const struct secbuf *text)
{
    CLEANUP(json_freep) struct json *json = NULL;

    return json_parse(text->data, text->size, &json) == 0 && json_get_type(json) == JSON_OBJECT;
}

/* Parses the current text. */
static int parse(struct client_config *config, struct error *err)
{
    CLEANUP(json_freep) struct json *json = NULL;
    int r = config->is_cut ? 0 : json_edit_check(&config->text);

    if (r == -EBADMSG && has_byte_order_mark(&config->text))
        return error_set(
            err, EBADMSG,
            "%s begins with a byte order mark, so docker cannot read it either; save it as UTF-8 "
            "without one",
            config->path);
    if (r == -EBADMSG && has_more_than_an_object(&config->text))
        return error_set(err, EBADMSG,
                         "%s has more than one JSON object; docker reads only the first, and "
                         "podman none: remove what follows it",
                         config->path);
    if (r == -EBADMSG)
        return error_set(err, EBADMSG, "%s is not a JSON object; correct it, or move it away",
                         config->path);
    if (r == 0)
        r = json_parse(config->text.data, config->text.size, &json);
    if (r == -EBADMSG) /* it is blank */
        r = json_parse("{}", 2, &json);
    if (r < 0)
        return error_set_oom(err);
    json_free(config->json);
    config->json = steal_ptr(&json);
    return 0;
}

static int open_config(const char *path, bool is_cut, struct client_config *ret, struct error *err)
{
    CLEANUP(client_config_done) struct client_config config = {.is_cut = is_cut};
    int r;

    config.path = strdup(path);
    if (!config.path)
        return error_set_oom(err);
    r = file_follow_links(path, &config.real_path);
    if (r < 0)
        return error_set_errno(err, -r, "cannot read %s", path);
    r = read_secret_file(config.real_path, &config.text, &config.stat);
    if (r == -EINVAL)
        return error_set(err, EINVAL, "%s is not a regular file", path);
    if (r < 0 && r != -ENOENT)
        return error_set_errno(err, -r, "cannot read %s", path);
    config.exists = r == 0;
    if (secbuf_append(&config.on_disk, config.text.data, config.text.size) < 0)
        return error_set_oom(err);
    config.is_cut &= has_more_than_an_object(&config.text);
    r = parse(&config, err);
    if (r < 0)
        return r;
    *ret = config;
    config = (struct client_config){0};
    return 0;
}

int client_config_open(const char *path, struct client_config *ret, struct error *err)
{
    return open_config(path, false, ret, err);
}

int client_config_open_first_object(const char *path, struct client_config *ret, struct error *err)
{
    return open_config(path, true, ret, err);
}

void client_config_done(struct client_config *config)
{
    free(config->path);
    free(config->real_path);
    secbuf_done(&config->text);
    secbuf_done(&config->on_disk);
    json_free(config->json);
    *config = (struct client_config){0};
}

const char *client_config_get_creds_store(const struct client_config *config)
{
    const char *store = NULL;

    for (const struct json *member = json_get_first(config->json); member;
         member = json_get_next(member)) {
        const char *text =
            json_is_folded(json_get_name(member), "credsstore") ? json_get_text(member) : NULL;

        store = text ? text : store;
    }
    return store;
}

const char *client_config_get_helper(const struct client_config *config, const char *host)
{
    const char *helper = NULL;

    for (const struct json *member = json_get_first(config->json); member;
         member = json_get_next(member)) {
        const char *text;

        if (!json_is_folded(json_get_name(member), "credhelpers"))
            continue;
        text = json_get_text(json_find(member, host));
        helper = text || json_get_type(member) == JSON_NULL ? text : helper;
    }
    return helper;
}

const char *client_config_get_helper_host(const struct client_config *config, size_t index)
{
    for (const struct json *member = json_get_first(config->json); member;
         member = json_get_next(member)) {
        if (!json_is_folded(json_get_name(member), "credhelpers") ||
            json_get_type(member) != JSON_OBJECT)
            continue;
        for (const struct json *one = json_get_first(member); one; one = json_get_next(one))
            if (index-- == 0)
                return json_get_name(one);
    }
    return NULL;
}

/* --- changing -------------------------------------------------------------------------------- */

static int explain_edit(const struct client_config *config, int r, const char *name,
                        struct error *err)
{
    if (r == -ENOTDIR)
        return error_set(err, EINVAL, "%s: \"%s\" is not a JSON object; correct it by hand",
                         config->path, name);
    return r == -ENOMEM ? error_set_oom(err)
                        : error_set_errno(err, -r, "cannot change %s", config->path);
}

static int set(struct client_config *config, const char *const *path, const char *value,
               struct error *err)
{
    size_t size = json_quote(value, strlen(value), NULL);
    CLEANUP_FREE char *quoted = malloc(size + 1);
    int r;

    if (!quoted)
        return error_set_oom(err);
    json_quote(value, strlen(value), quoted);
    quoted[size] = '\0';
    r = json_edit_set(&config->text, path, quoted);
    return r < 0 ? explain_edit(config, r, path[0], err) : parse(config, err);
}

/*
 * The name of the last member that Go takes for that field, as the file spells it; without one,
 * `standard`. 0 or -ENOMEM.
 */
static int find_spelling(const struct client_config *config, const char *folded,
                         const char *standard, char **ret, enum json_type *ret_type)
{
    const char *spelling = standard;

    *ret_type = JSON_OBJECT;
    for (const struct json *member = json_get_first(config->json); member;
         member = json_get_next(member))
        if (json_is_folded(json_get_name(member), folded)) {
            spelling = json_get_name(member);
            *ret_type = json_get_type(member);
        }
    *ret = strdup(spelling);
    return *ret ? 0 : -ENOMEM;
}

int client_config_set_creds_store(struct client_config *config, const char *store,
                                  struct error *err)
{
    CLEANUP_FREE char *name = NULL;
    enum json_type type;

    if (find_spelling(config, "credsstore", "credsStore", &name, &type) < 0)
        return error_set_oom(err);
    return set(config, (const char *const[]){name, NULL}, store, err);
}

int client_config_set_helper(struct client_config *config, const char *host, const char *store,
                             struct error *err)
{
    CLEANUP_FREE char *name = NULL;
    enum json_type type;

    if (find_spelling(config, "credhelpers", "credHelpers", &name, &type) < 0)
        return error_set_oom(err);
    if (type == JSON_NULL &&
        json_edit_set(&config->text, (const char *const[]){name, NULL}, "{}") < 0)
        return error_set_oom(err);
    return set(config, (const char *const[]){name, host, NULL}, store, err);
}

static int remove_member(struct client_config *config, const char *container, const char *host,
                         const char *name)
{
    const char *path[] = {container, host, name, NULL};

    return json_edit_remove(&config->text, container ? path : path + 1);
}

/* All secret members of one entry. The names in json stay valid: only the text is edited. */
static int remove_from_entry(struct client_config *config, const char *container,
                             const struct json *entry)
{
    static const char *const members[] = {"auth", "identitytoken", "username", "password"};
    int r = 0;

    for (const struct json *one = json_get_first(entry); r == 0 && one; one = json_get_next(one))
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(members); i++)
            if (json_is_folded(json_get_name(one), members[i]))
                r = remove_member(config, container, json_get_name(entry), json_get_name(one));
    return r;
}

static int remove_from_all(struct client_config *config, const char *container,
                           const struct json *entries, const char *host)
{
    int r = 0;

    for (const struct json *entry = json_get_first(entries); r == 0 && entry;
         entry = json_get_next(entry))
        if (strcmp(json_get_name(entry), host) == 0 && json_get_type(entry) == JSON_OBJECT)
            r = remove_from_entry(config, container, entry);
    return r;
}

int client_config_remove_secret(struct client_config *config, const char *host, struct error *err)
{
    int r = config->is_legacy ? remove_from_all(config, NULL, config->json, host) : 0;

    for (const struct json *member = json_get_first(config->json);
         r == 0 && !config->is_legacy && member; member = json_get_next(member))
        if (json_is_folded(json_get_name(member), "auths") && json_get_type(member) == JSON_OBJECT)
            r = remove_from_all(config, json_get_name(member), member, host);
    return r < 0 ? explain_edit(config, r, "auths", err) : parse(config, err);
}
