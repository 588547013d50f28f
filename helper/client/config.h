#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "common/error.h"
#include "common/json.h"
#include "common/secbuf.h"

/*
 * The configuration file of a registry client: docker's config.json (docker/cli, cli/config), and the
 * auth.json of podman and skopeo (containers-auth.json(5)), which has the same form.
 * Passwords in it are base64, so all of it is kept in secure memory.
 */
struct client_config {
    char *path;        /* as the user knows it */
    char *real_path;   /* where the file lies, symlinks followed */
    bool exists;
    struct stat stat;  /* of the file, if it exists */
    struct secbuf text;
    struct secbuf on_disk; /* what text was when it was read or written */
    struct json *json;     /* of text; never NULL after client_config_open() */
};

/* podman's and skopeo's: $REGISTRY_AUTH_FILE, else ${XDG_RUNTIME_DIR}/containers/auth.json, else ~/.config/containers/auth.json. */
int client_config_find_podman(char **ret_path, struct error *err) MUST_USE;

/*
 * Reads it; that there is no file is no failure ("{}"). Refuses, with the reason, what is no regular file, more
 * than 16 MiB, or no JSON object. On success *ret is owned by the caller (client_config_done).
 */
int client_config_open(const char *path, struct client_config *ret, struct error *err) MUST_USE;
void client_config_done(struct client_config *config);

/* The values of credsStore and credHelpers[host]; NULL where there is none; borrowed, valid until the next change. */
const char *client_config_get_store(const struct client_config *config);
const char *client_config_get_helper(const struct client_config *config, const char *host);

/* In memory; client_config_save() makes it so on disk. 0 or negative. */
int client_config_set_store(struct client_config *config, const char *store, struct error *err) MUST_USE;
int client_config_set_helper(struct client_config *config, const char *host, const char *store, struct error *err) MUST_USE;

/* A login whose password stands in the file. */
struct client_login {
    char *host;              /* the name of its member in "auths": what the client calls the server */
    struct secbuf username;
    struct secbuf secret;
    bool is_token;           /* an identity token: username is "<token>", as docker stores it */
    const char *problem;     /* NULL, or why it cannot be moved, in words ("its base64 is malformed"); then without secret */
};
struct client_logins {
    struct client_login *items;
    size_t count;
};

/* All of them, in the order of the file; entries without a password (docker leaves {} behind) are none. 0 or negative. */
int client_config_list_logins(const struct client_config *config, struct client_logins *ret, struct error *err) MUST_USE;
void client_logins_done(struct client_logins *logins);

/* Takes "auth" and "identitytoken" (and docker's old "username" and "password") out of a host's entry, in memory; the entry stays, as docker leaves it. 0 or negative. */
int client_config_remove_secret(struct client_config *config, const char *host, struct error *err) MUST_USE;

/*
 * Writes it: temporary file in the same folder, fsync, rename, fsync of the folder; the mode and (where we may) the
 * owner stay, a symlink stays one; a new file has 0600 and a new folder 0700. ESTALE, and nothing changed, where somebody
 * else changed the file since it was read. 0 or negative.
 */
int client_config_save(struct client_config *config, struct error *err) MUST_USE;
