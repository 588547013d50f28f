/*
 * Checks whether the file system of the storage is mounted. If it is not, a server starts with an
 * empty registry, fills the disk below, and hides what it has written as soon as it is mounted.
 */
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/cli/doctor/checks.h"

/* Whether path is directory or below it. */
static bool is_below(const char *path, const char *directory)
{
    size_t size = strlen(directory);

    return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

static bool is_mounted(const char *directory)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    const struct mntent *entry;
    bool is_found = !mounts; /* not known: no finding */

    while (mounts && !is_found && (entry = getmntent(mounts)))
        is_found = strcmp(entry->mnt_dir, directory) == 0;
    if (mounts)
        endmntent(mounts);
    return is_found;
}

/* The mount point in /etc/fstab that holds the path; owned by the caller. NULL: only "/" does. */
static char *find_mount_point(const char *path)
{
    FILE *table = setmntent("/etc/fstab", "re");
    const struct mntent *entry;
    char *found = NULL;

    while (table && (entry = getmntent(table))) {
        if (strcmp(entry->mnt_dir, "/") == 0 || !is_below(path, entry->mnt_dir) ||
            (found && strlen(found) >= strlen(entry->mnt_dir)))
            continue;
        free(found);
        found = strdup(entry->mnt_dir);
    }
    if (table)
        endmntent(table);
    return found;
}

void check_mount(struct examination *examination, const char *root)
{
    CLEANUP_FREE char *path = realpath(root, NULL); /* NULL: it may be missing, too */
    CLEANUP_FREE char *point = find_mount_point(path ? path : root);
    struct report *report = &examination->report;

    if (!point || is_mounted(point))
        return;
    report_add(report, "storage-not-mounted", FINDING_BAD,
               "The server starts with what is in the directory below, which is usually an empty "
               "registry.",
               "%s is below %s, which is in /etc/fstab and not mounted", root, point);
    report_set_command(report, "mount %s", point);
}
