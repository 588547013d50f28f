#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

/*
 * "credential-helpers" of registries.conf(5), by which podman, buildah and skopeo find helpers for
 * all registries. Of several files the last one that sets it wins: $CONTAINERS_REGISTRIES_CONF, or
 * ~/.config/containers/registries.conf, or else /etc/containers/registries.conf; then *.conf of
 * /etc/containers/registries.conf.d (not beside a registries.conf of the user's own); then *.conf
 * of ~/.config/containers/registries.conf.d, sorted by name.
 */
#define CLIENT_AUTH_FILES                                                                          \
    "containers-auth.json" /* the helper that stands for the files with logins */

struct client_helpers {
    char **names; /* in the order in which they are asked; NULL-terminated */
    char *source; /* the file that says so; NULL: the default, CLIENT_AUTH_FILES alone */
};

/*
 * The helpers in force. With `without`, as if that file did not exist. *ret is owned by the caller
 * (client_helpers_done). Negative if a file cannot be read or parsed.
 */
int client_helpers_read(const char *without, struct client_helpers *ret,
                        struct error *err) MUST_USE;
void client_helpers_done(struct client_helpers *helpers);

bool client_helpers_has(const struct client_helpers *helpers, const char *name);

/* Whether the helper of that name is asked first. */
bool client_helpers_is_first(const struct client_helpers *helpers, const char *name);

enum client_helpers_result { CLIENT_HELPERS_UNSET, CLIENT_HELPERS_SET };

/*
 * Finds credential-helpers in the text of one file, which is TOML. CLIENT_HELPERS_SET with
 * *ret_names (owned by the caller, as in struct client_helpers), CLIENT_HELPERS_UNSET, -EBADMSG if
 * the text is malformed, or -ENOMEM. Pure.
 */
int client_helpers_parse(const char *text, char ***ret_names) MUST_USE;
void client_helper_names_free(char **names);
