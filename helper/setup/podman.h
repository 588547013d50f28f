#pragma once

#include <stdbool.h>

#include "helper/client/registries-conf.h"

/*
 * podman, buildah and skopeo use the helpers that registries.conf(5) names for all registries.
 * setup writes a drop-in of its own, ~/.config/containers/registries.conf.d/pass.conf.
 */
struct setup_podman {
    char *path;                     /* our drop-in */
    struct client_helpers in_force; /* now */
    struct client_helpers others;   /* if our drop-in did not exist */
    bool is_ours;                   /* the drop-in exists, and this program wrote it */
};

/* Reads what is in force. *ret is owned by the caller (setup_podman_done). 0 or negative. */
int setup_podman_find(struct setup_podman *ret, struct error *err) MUST_USE;
void setup_podman_done(struct setup_podman *podman);

/*
 * Whether the drop-in may be written: refuses to replace another helper (unless is_forced), or a
 * file of that name with other content. If a later drop-in names another helper, is_forced chooses
 * a name that comes after it.
 */
int setup_podman_check(struct setup_podman *podman, bool is_forced, struct error *err) MUST_USE;

/* Whether podman asks this program first, and with needs_files also reads its files with logins. */
bool setup_podman_is_right(const struct setup_podman *podman, bool needs_files);

/* Writes it atomically, and checks that it is in force. 0 or negative. */
int setup_podman_write(struct setup_podman *podman, bool needs_files, struct error *err) MUST_USE;
