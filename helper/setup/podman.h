#pragma once

#include <stdbool.h>

#include "common/error.h"

/*
 * podman, buildah and skopeo use helpers that registries.conf(5) names, for all registries; a file of our own in
 * ~/.config/containers/registries.conf.d/ does it.
 */
struct setup_podman {
    char *path;
    bool is_right; /* it is there already, as it should be */
};

/* Looks. Refuses a file of that name that says something else. *ret is owned by the caller (setup_podman_done). */
int setup_podman_find(struct setup_podman *ret, struct error *err) MUST_USE;
void setup_podman_done(struct setup_podman *podman);

/* Whether one of the lines of such a file is that setting. Pure. */
bool setup_podman_parse(const char *content);

/* Writes it, at once or not at all. 0 or negative. */
int setup_podman_write(const struct setup_podman *podman, struct error *err) MUST_USE;
