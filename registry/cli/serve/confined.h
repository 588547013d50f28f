#pragma once

#include "registry/access/rules.h"
#include "registry/config/settings.h"
#include "registry/confine/confine.h"

/*
 * The confinement of `serve`, and the list of files that the server opens again later. For the main
 * thread. Initialize it with zeros.
 */
struct confined {
    struct confinement confinement;
    const char **files; /* borrowed from the settings and the rules; NULL: not confined */
};

/* Drops rights that opening the sockets needed. Does nothing if confinement is off. 0 or negative.
 */
int confined_begin(struct confined *confined, const struct settings *settings,
                   struct error *err) MUST_USE;

/* Adds the files with keys that the rules name; rules may be NULL. 0 or negative. */
int confined_add_keys(struct confined *confined, const struct rules *rules,
                      struct error *err) MUST_USE;

/* Drops all other rights. Does nothing if confinement is off. 0 or negative. */
int confined_finish(const struct confined *confined, struct error *err) MUST_USE;
void confined_done(struct confined *confined);
