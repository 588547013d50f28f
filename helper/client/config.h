#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "common/error.h"
#include "common/json.h"
#include "common/secbuf.h"

/*
 * The configuration file of a registry client: docker's config.json (docker/cli, cli/config), and
 * the auth.json of podman, buildah and skopeo (containers-auth.json(5)), which has the same form.
 * Passwords in it are base64, so all of it is kept in secure memory.
 *
 * Names of members are compared as Go's encoding/json does, in any case ("credSstore"). A member
 * may occur several times: of several texts the last one counts, several objects are merged, and
 * null empties what came before.
 */
struct client_config {
    char *path;      /* as the user knows it */
    char *real_path; /* path with all symbolic links followed */
    bool exists;
    bool is_cut;      /* json is the first object of text alone; then nothing can be changed */
    bool is_legacy;   /* ~/.dockercfg: the document is what other files call "auths" */
    struct stat stat; /* of the file, if it exists */
    struct secbuf text;
    struct secbuf on_disk; /* what text was when it was read or written */
    struct json *json;     /* of text; never NULL after client_config_open() */
};

/*
 * Reads it; a missing file is not a failure ("{}"). Refuses, with the reason, what is not a regular
 * file, more than 16 MiB, or not a JSON object. On success *ret is owned by the caller
 * (client_config_done).
 */
int client_config_open(const char *path, struct client_config *ret, struct error *err) MUST_USE;
void client_config_done(struct client_config *config);

/*
 * The same, as docker reads a file in which something follows the object: only to look at it,
 * because changing it fails.
 */
int client_config_open_first_object(const char *path, struct client_config *ret,
                                    struct error *err) MUST_USE;

/*
 * The value of credsStore, and that of credHelpers[host], which may be "" (docker then keeps logins
 * to that host in the file). NULL if it is not set; borrowed, valid until the next change.
 */
const char *client_config_get_creds_store(const struct client_config *config);
const char *client_config_get_helper(const struct client_config *config, const char *host);

/*
 * The index-th host of credHelpers, a host that occurs twice counts twice; NULL at the end.
 * Borrowed as above.
 */
const char *client_config_get_helper_host(const struct client_config *config, size_t index);

/*
 * The name of a member that docker cannot decode, because it has another type than docker's field
 * ("credHelpers": []). NULL if there is none. Borrowed as above.
 */
const char *client_config_find_wrong_member(const struct client_config *config);

/* Changes the text in memory; client_config_save() writes it. 0 or negative. */
int client_config_set_creds_store(struct client_config *config, const char *store,
                                  struct error *err) MUST_USE;
int client_config_set_helper(struct client_config *config, const char *host, const char *store,
                             struct error *err) MUST_USE;

/* A login whose password is in the file. */
struct client_login {
    /* the name of its member in "auths": what the client calls the server */
    char *host;
    struct secbuf username;
    struct secbuf secret;
    bool is_token; /* an identity token: username is "<token>", as docker stores it */
    /* NULL, or why it cannot be moved, in words ("its base64 is malformed"); then without secret */
    const char *problem;
};
struct client_logins {
    struct client_login *items;
    size_t count;
};

/*
 * All of them, in the order of the file, without entries that hold no password (docker leaves {}
 * behind). 0 or negative.
 */
int client_config_list_logins(const struct client_config *config, struct client_logins *ret,
                              struct error *err) MUST_USE;
void client_logins_done(struct client_logins *logins);

/*
 * Whether two logins are the same, apart from line ends at the end of their secrets: "_json_key"
 * files often end in one.
 */
bool client_login_is_same(const struct client_login *a, const struct client_login *b);

/*
 * Removes "auth" and "identitytoken" (and docker's old "username" and "password") from all of a
 * host's entries, in memory; the entries stay, as docker leaves them. 0 or negative.
 */
int client_config_remove_secret(struct client_config *config, const char *host,
                                struct error *err) MUST_USE;

/*
 * Writes it: temporary file in the same directory, fsync, rename, fsync of the directory. Its mode
 * and, if permitted, its owner stay, and a symbolic link stays one; a new file gets 0600, a new
 * directory 0700. -ESTALE, with nothing changed, if another program changed the file since it was
 * read. 0 or negative.
 */
int client_config_save(struct client_config *config, struct error *err) MUST_USE;
