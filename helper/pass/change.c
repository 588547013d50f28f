/*
 * The list of changes separates the code that writes to the store from the code that runs git.
 */
#include "helper/pass/change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helper/pass/path.h"

int pass_changes_add(struct pass_changes *changes, bool is_removal, const char *directory,
                     const char *file)
{
    struct pass_change change = {.is_removal = is_removal}, *grown;
    size_t length;

    grown = reallocarray(changes->items, changes->count + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    changes->items = grown;
    if (asprintf(&change.path, PASS_DIRECTORY "/%s%s%s", directory, file ? "/" : "",
                 file ? file : "") < 0)
        return -ENOMEM;
    length = strlen(change.path) - (file ? strlen(PASS_SUFFIX) : 0);
    change.name = strndup(change.path, length);
    if (!change.name) {
        free(change.path);
        return -ENOMEM;
    }
    changes->items[changes->count++] = change;
    return 0;
}

void pass_changes_done(struct pass_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        free(changes->items[i].path);
        free(changes->items[i].name);
    }
    free(changes->items);
    *changes = (struct pass_changes){0};
}
