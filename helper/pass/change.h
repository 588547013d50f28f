#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/macros.h"

/* A change to the store that git should record. Each change has one path. */
struct pass_change {
    bool is_removal;
    char *path; /* below the root, as on disk */
    char *name; /* what pass calls it: without ".gpg" */
};

struct pass_changes {
    struct pass_change *items;
    size_t count;
};

/* Adds the path "docker-credential-helpers/<directory>[/<file>]". 0 or -ENOMEM. */
int pass_changes_add(struct pass_changes *changes, bool is_removal, const char *directory,
                     const char *file) MUST_USE;
void pass_changes_done(struct pass_changes *changes);
