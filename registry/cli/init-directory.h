#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "common/error.h"

/*
 * A folder that appears whole or not at all: it is made under another name beside its own, and renamed when
 * everything in it is on disk.
 */
struct init_folder {
    char *path;      /* absolute */
    char *temporary; /* likewise; NULL once it was renamed */
    int fd;
};
#define INIT_FOLDER_NONE {.fd = -1}

/* Refuses a path at which there is anything but an empty folder. 0 or negative. */
int init_folder_begin(const char *path, struct init_folder *ret, struct error *err) MUST_USE;

/* Makes a file in it (mode as given, whatever the umask), or a folder. 0 or negative. */
int init_folder_add_file(struct init_folder *folder, const char *name, mode_t mode, const void *data, size_t size,
                         struct error *err) MUST_USE;
int init_folder_add_folder(struct init_folder *folder, const char *name, mode_t mode, struct error *err) MUST_USE;

/* Gives it its name. 0 or negative. */
int init_folder_finish(struct init_folder *folder, struct error *err) MUST_USE;

/* What was not finished is removed again. */
void init_folder_done(struct init_folder *folder);
