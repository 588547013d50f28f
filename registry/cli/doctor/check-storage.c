/*
 * Checks the directory of the storage: whether the server can write there, whether there is free
 * space, and whether it contains anything that the server refuses.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "registry/cli/doctor/checks.h"
#include "registry/cli/open-store.h"
#include "registry/cli/table.h"

enum { LEAST_PERCENT = 5, FUTURE_S = 60, ENTRIES_MAX = 100000 };

#define LEAST_BYTES (UINT64_C(1) << 30)

/* --- rights ---------------------------------------------------------------------------------- */

/* Creates a file where the server creates files, and removes it immediately. */
static int try_to_write(const char *directory)
{
    CLEANUP_FREE char *path = NULL;
    CLEANUP_CLOSE int fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        if (asprintf(&path, "%s/.doctor-XXXXXX", directory) < 0)
            return -ENOMEM;
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            unlink(path);
    }
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) < 0)
        return -errno;
    return 0;
}

static void check_writing(struct examination *examination, const char *directory)
{
    struct report *report = &examination->report;
    int r = try_to_write(directory);

    if (r == 0 || examination->settings->storage.is_read_only)
        return;
    report_add(report, "storage-not-writable", FINDING_BAD, "Every push fails.",
               "the user %lu, who the server runs as, cannot write to %s: %s",
               (unsigned long)geteuid(), directory, strerror(-r));
    if (r == -EACCES)
        report_set_command(report, "chmod u+rwx %s", directory);
}

/* --- free space ------------------------------------------------------------------------------ */

static void check_room(struct report *report, const char *directory)
{
    struct statvfs room;
    char left[WORDS_SIZE_MAX], all[WORDS_SIZE_MAX];
    uint64_t bytes, total;

    if (statvfs(directory, &room) < 0)
        return;
    bytes = (uint64_t)room.f_bavail * room.f_frsize;
    total = (uint64_t)room.f_blocks * room.f_frsize;
    if (bytes < LEAST_BYTES && bytes < total / 100 * LEAST_PERCENT) {
        report_add(report, "storage-full", bytes == 0 ? FINDING_BAD : FINDING_WARNING,
                   "When the space is exhausted, pushes fail; pulls still work.",
                   "%s has %s left of %s", directory, words_short_bytes(bytes, left),
                   words_short_bytes(total, all));
        report_set_command(report, "registryd du");
    }
    if (room.f_files > 0 && room.f_favail < room.f_files / 100) {
        report_add(
            report, "storage-inodes", room.f_favail == 0 ? FINDING_BAD : FINDING_WARNING,
            "Each blob needs three files and directories. When none are left, every push fails.",
            "the file system of %s has room for %llu more files", directory,
            (unsigned long long)room.f_favail);
    }
}

/* --- content --------------------------------------------------------------------------------- */

struct survey {
    struct examination *examination;
    size_t entries; /* examined so far */
    size_t foreign, links, future, empty;
    char *first_foreign, *first_link, *first_future, *first_empty; /* paths; owned */
};

static void survey_done(struct survey *survey)
{
    free(survey->first_foreign);
    free(survey->first_link);
    free(survey->first_future);
    free(survey->first_empty);
}

static void note(struct survey *survey, size_t *count, char **first, const char *path,
                 const char *name)
{
    if ((*count)++ == 0 && asprintf(first, "%s/%s", path, name) < 0) {
        *first = NULL;
        survey->examination->report.is_out_of_memory = true;
    }
}

static void look_at(struct survey *survey, const char *path, const char *name,
                    const struct stat *st)
{
    if (S_ISLNK(st->st_mode))
        note(survey, &survey->links, &survey->first_link, path, name);
    else if (st->st_uid != geteuid())
        note(survey, &survey->foreign, &survey->first_foreign, path, name);
    if (st->st_mtime > survey->examination->now_s + FUTURE_S)
        note(survey, &survey->future, &survey->first_future, path, name);
}

/*
 * A power failure can leave files without their bytes. Only one blob has none; its digest begins
 * like this.
 */
static void look_at_blob(struct survey *survey, int fd, const char *path, const char *name)
{
    static const char nothing[] = "e3b0c44298fc1c149afbf4c8996fb924";
    char data[DIGEST_TEXT_SIZE + sizeof("/data")];
    struct stat st;

    if (strlen(name) < DIGEST_TEXT_SIZE && strncmp(name, nothing, strlen(nothing)) != 0 &&
        snprintf(data, sizeof(data), "%s/data", name) > 0 &&
        fstatat(fd, data, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
        note(survey, &survey->empty, &survey->first_empty, path, name);
}

/* Examines a directory and its subdirectories down to a depth. Follows no link. */
static void look_below(struct survey *survey, int parent_fd, const char *name, const char *path,
                       unsigned depth)
{
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!directory) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while (survey->entries < ENTRIES_MAX && (entry = readdir(directory))) {
        CLEANUP_FREE char *below = NULL;
        struct stat st;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        survey->entries++;
        look_at(survey, path, entry->d_name, &st);
        if (depth == 1 && S_ISDIR(st.st_mode) && strstr(path, "/v2/blobs/sha256/"))
            look_at_blob(survey, fd, path, entry->d_name);
        if (depth > 1 && S_ISDIR(st.st_mode) && asprintf(&below, "%s/%s", path, entry->d_name) >= 0)
            look_below(survey, fd, entry->d_name, below, depth - 1);
    }
    closedir(directory);
}

static void check_content(struct examination *examination, const char *root)
{
    CLEANUP(survey_done) struct survey survey = {.examination = examination};
    struct report *report = &examination->report;
    CLEANUP_FREE char *path = NULL;
    enum { DEPTH = 4 }; /* blobs/sha256/ab/DIGEST, repositories/team/app/_layers */

    if (asprintf(&path, "%s/docker/registry/v2", root) < 0) {
        path = NULL;
        report->is_out_of_memory = true;
        return;
    }
    look_below(&survey, AT_FDCWD, path, path, DEPTH);
    if (survey.links > 0)
        report_add(report, "storage-link", FINDING_BAD,
                   "The server follows no symbolic links in its storage, so it does not serve what "
                   "they lead to.",
                   "%zu symbolic %s in the storage, such as %s", survey.links,
                   survey.links == 1 ? "link is" : "links are",
                   survey.first_link ? survey.first_link : path);
    if (survey.empty > 0) {
        report_add(report, "storage-damage", FINDING_BAD,
                   "Pulls of them fail. A power failure or a full disk can do this; registryd "
                   "verify finds all damage and says how to repair it.",
                   "%zu %s in the storage no bytes, such as %s", survey.empty,
                   survey.empty == 1 ? "blob has" : "blobs have",
                   survey.first_empty ? survey.first_empty : path);
        report_set_command(report, "registryd verify");
    }
    if (survey.foreign > 0 && geteuid() != 0) {
        report_add(report, "storage-foreign", FINDING_WARNING,
                   "The server may be unable to read, replace or remove them. A program that runs "
                   "as another user has written there.",
                   "%zu %s in the storage not owned by the server's user, such as %s",
                   survey.foreign, survey.foreign == 1 ? "entry is" : "entries are",
                   survey.first_foreign ? survey.first_foreign : path);
        report_set_command(report, "sudo chown -R --reference=%s %s", root, path);
    }
    if (survey.future > 0)
        report_add(report, "clock", FINDING_WARNING,
                   "The clock is wrong, or was set back. garbage-collect keeps entries that seem "
                   "to be new.",
                   "%zu %s in the storage a time in the future, such as %s", survey.future,
                   survey.future == 1 ? "entry has" : "entries have",
                   survey.first_future ? survey.first_future : path);
}

/* Opens the bucket, which fails if the store ignores the conditions of writes. */
static void check_bucket(struct examination *examination)
{
    struct storage *storage;
    struct bucket *bucket;
    struct error err;
    int r = open_store_prepare(examination->settings, &bucket, &err);

    if (r == 0)
        r = open_store_storage(examination->settings, bucket, FILESYSTEM_LOOKS, &storage, &err);
    if (r < 0)
        report_add(&examination->report, "storage-unreachable", FINDING_BAD,
                   "The server does not start.", "%s", err.text);
    else
        storage_close(storage);
}

static void check_directory(struct examination *examination)
{
    const char *root = examination->settings->storage.root_directory;
    struct report *report = &examination->report;
    struct stat st;

    check_mount(examination, root);
    if (stat(root, &st) < 0 && errno == ENOENT) {
        report_add(report, "storage-missing", FINDING_WARNING,
                   "The server creates it if it has the rights. A file system may not be mounted.",
                   "the directory %s does not exist", root);
        return;
    }
    if (stat(root, &st) < 0 || !S_ISDIR(st.st_mode)) {
        report_add(report, "storage-unreachable", FINDING_BAD, "The server does not start.",
                   "%s is not a directory, or the server cannot access it", root);
        return;
    }
    if (geteuid() == 0 && st.st_uid != 0)
        report_add(report, "storage-owner", FINDING_WARNING,
                   "Therefore the server keeps root's right to read and write all files. Give all "
                   "of the storage to one user, or name its owner in confinement.user.",
                   "the server runs as root, and %s belongs to the user %lu", root,
                   (unsigned long)st.st_uid);
    check_writing(examination, root);
    check_room(report, root);
    check_content(examination, root);
}

void check_storage(struct examination *examination)
{
    if (examination->settings->storage.s3.is_enabled)
        check_bucket(examination);
    else
        check_directory(examination);
}
