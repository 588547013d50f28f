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

/* --- where it is ------------------------------------------------------------------------- */

static int join(char **ret, struct error *err, const char *folder, const char *rest)
{
    if (!folder || !*folder)
        return error_set(err, ENOENT, "HOME is not set, and with it nobody knows where your configuration files are");
    return asprintf(ret, "%s/%s", folder, rest) < 0 ? error_set_oom(err) : 0;
}

int client_config_find_podman(char **ret_path, struct error *err)
{
    const char *file = getenv("REGISTRY_AUTH_FILE"), *runtime = getenv("XDG_RUNTIME_DIR");

    if (file && *file) {
        *ret_path = strdup(file);
        return *ret_path ? 0 : error_set_oom(err);
    }
    if (runtime && *runtime)
        return join(ret_path, err, runtime, "containers/auth.json");
    return join(ret_path, err, getenv("HOME"), ".config/containers/auth.json");
}

/* --- reading ----------------------------------------------------------------------------- */

/* Of text as it is now. */
static int parse(struct client_config *config, struct error *err)
{
    CLEANUP(json_freep) struct json *json = NULL;
    int r = json_edit_check(&config->text);

    if (r == -EBADMSG)
        return error_set(err, EBADMSG, "%s is no JSON object; mend it, or move it away", config->path);
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

int client_config_open(const char *path, struct client_config *ret, struct error *err)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    int r;

    config.path = strdup(path);
    if (!config.path)
        return error_set_oom(err);
    r = file_follow_links(path, &config.real_path);
    if (r < 0)
        return error_set_errno(err, -r, "cannot read %s", path);
    r = read_secret_file(config.real_path, &config.text, &config.stat);
    if (r == -EINVAL)
        return error_set(err, EINVAL, "%s is no regular file", path);
    if (r < 0 && r != -ENOENT)
        return error_set_errno(err, -r, "cannot read %s", path);
    config.exists = r == 0;
    if (secbuf_append(&config.on_disk, config.text.data, config.text.size) < 0)
        return error_set_oom(err);
    r = parse(&config, err);
    if (r < 0)
        return r;
    *ret = config;
    config = (struct client_config){0};
    return 0;
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

const char *client_config_get_store(const struct client_config *config)
{
    return json_get_text(json_find(config->json, "credsStore"));
}

const char *client_config_get_helper(const struct client_config *config, const char *host)
{
    return json_get_text(json_find(json_find(config->json, "credHelpers"), host));
}

/* --- changing ---------------------------------------------------------------------------- */

static int explain_edit(const struct client_config *config, int r, const char *name, struct error *err)
{
    if (r == -ENOTDIR)
        return error_set(err, EINVAL, "%s: \"%s\" is no JSON object; mend it by hand", config->path, name);
    return r == -ENOMEM ? error_set_oom(err) : error_set_errno(err, -r, "cannot change %s", config->path);
}

static int set(struct client_config *config, const char *const *path, const char *value, struct error *err)
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

int client_config_set_store(struct client_config *config, const char *store, struct error *err)
{
    return set(config, (const char *const[]){"credsStore", NULL}, store, err);
}

int client_config_set_helper(struct client_config *config, const char *host, const char *store, struct error *err)
{
    return set(config, (const char *const[]){"credHelpers", host, NULL}, store, err);
}

int client_config_remove_secret(struct client_config *config, const char *host, struct error *err)
{
    static const char *const members[] = {"auth", "identitytoken", "username", "password"};

    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        int r = json_edit_remove(&config->text, (const char *const[]){"auths", host, members[i], NULL});

        if (r < 0)
            return explain_edit(config, r, "auths", err);
    }
    return parse(config, err);
}
