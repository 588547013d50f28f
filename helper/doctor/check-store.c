/* The password store's own directory and its .gpg-id. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "helper/doctor/checks.h"
#include "helper/pass/gpg-id.h"
#include "helper/pass/repair.h"

const char *doctor_store_path(const struct doctor *doctor, const char *path)
{
    const char *below = path + strlen(doctor->store.root);

    return *below == '/' ? below + 1 : below;
}

void doctor_fix_store_mode(const struct doctor *doctor, struct finding *finding, const char *path,
                           unsigned mode)
{
    const char *below = doctor_store_path(doctor, path);

    if (!finding)
        return;
    finding->is_fixable = pass_repair_check(&doctor->store, below) == 0;
    finding->is_fixed = doctor->does_fix && pass_repair_mode(&doctor->store, below, mode) == 0;
}

static bool has_file(int fd, const char *name)
{
    return fd >= 0 && faccessat(fd, name, F_OK, 0) == 0;
}

/* A NUL byte in it: PowerShell writes UTF-16 unless told otherwise. */
static void report_utf16(struct doctor *doctor, const char *path, const char *text, size_t size)
{
    bool is_utf16 =
        size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
    struct finding *finding = report_add(
        &doctor->report, is_utf16 ? "gpg-id-utf16" : "gpg-id-invalid", FINDING_BAD,
        "It names the keys to encrypt to, so nothing can be stored.", "%s is not a text file%s",
        path, is_utf16 ? ": it is in UTF-16" : ": it has a NUL byte");

    if (is_utf16)
        finding_add_command(finding,
                            "iconv -f UTF-16 -t UTF-8 %s | tr -d '\\r' > %s.new && mv %s.new %s",
                            path, path, path, path);
}

/* Reports parts of a .gpg-id that other programs read differently. */
static void check_text(struct doctor *doctor, const char *path, const char *text, size_t size)
{
    struct finding *finding;

    if (gpg_id_has_mark(text, size)) {
        finding = report_add(&doctor->report, "gpg-id-bom", FINDING_WARNING,
                             "This program ignores it; pass treats it as part of the key's name.",
                             "%s begins with a byte order mark", path);
        finding_add_command(finding, "sed -i '1s/^\\xef\\xbb\\xbf//' %s", path);
    }
    if (memchr(text, '\r', size)) {
        finding = report_add(
            &doctor->report, "gpg-id-crlf", FINDING_WARNING,
            "This program ignores them; pass treats the carriage return as part of the key's name.",
            "%s has Windows line ends (CRLF)", path);
        finding_add_command(finding, "sed -i 's/\\r$//' %s", path);
    }
    if (size > 0 && text[size - 1] != '\n') {
        finding =
            report_add(&doctor->report, "gpg-id-no-newline", FINDING_WARNING,
                       "This program reads it; pass ignores the last line, and encrypts to nobody.",
                       "the last line of %s has no newline", path);
        finding_add_command(finding, "echo >> %s", path);
        if (finding) {
            const char *below = doctor_store_path(doctor, path);

            finding->is_fixable = pass_repair_check(&doctor->store, below) == 0;
            finding->is_fixed =
                doctor->does_fix && pass_repair_last_line(&doctor->store, below) == 0;
        }
    }
}

int doctor_find_gpg_id(const struct pass_store *store, char **ret_path)
{
    const char *directory = has_file(store->directory_fd, ".gpg-id") ? "/" PASS_DIRECTORY
                            : has_file(store->root_fd, ".gpg-id")    ? ""
                                                                     : NULL;

    *ret_path = NULL;
    if (!directory)
        return 0;
    return asprintf(ret_path, "%s%s/.gpg-id", store->root, directory) < 0 ? -ENOMEM : 0;
}

static void report_unreadable_gpg_id(struct doctor *doctor, const char *path, int error)
{
    struct finding *finding =
        report_add(&doctor->report, "gpg-id-unreadable", FINDING_BAD,
                   "It names the keys to encrypt to.", "%s cannot be read: %s", path,
                   error == EINVAL ? "it is not a regular file" : strerror(error));
    char owner[24];
    struct stat st;

    snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
    if (error == EACCES && stat(path, &st) == 0 && st.st_uid == geteuid())
        finding_add_command(finding, "chmod u+r %s", path);
    else if (error == EACCES && stat(path, &st) == 0)
        finding_add_root_command(finding, "chown %s %s", owner, path);
    else if (error == EINVAL || error == EFBIG)
        finding_add_command(finding, "mv %s %s.old && docker-credential-pass setup --yes", path,
                            path);
}

static void check_gpg_id(struct doctor *doctor, const char *path)
{
    struct stat st;
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, path, &st);
    CLEANUP_FREE char *text = NULL, *ids = NULL;
    struct finding *finding;
    size_t size;
    int r = fd < 0 ? fd : file_read_all(fd, GPG_ID_MAX, &text, &size);

    if (r < 0) {
        report_unreadable_gpg_id(doctor, path, -r);
        return;
    }
    if (st.st_uid != geteuid() && st.st_uid != 0 && !doctor_is_team_store(doctor))
        report_add(&doctor->report, "gpg-id-owner", FINDING_WARNING,
                   "Its owner can add keys of people who can then read all passwords that are "
                   "stored from now on.",
                   "%s belongs to user %u, and this runs as user %u", path, (unsigned)st.st_uid,
                   (unsigned)geteuid());
    r = gpg_id_parse(text, size, &ids);
    if (r == -EINVAL) {
        report_utf16(doctor, path, text, size);
        return;
    }
    if (r == 0 && !*ids) {
        finding = report_add(&doctor->report, "gpg-id-empty", FINDING_BAD,
                             "It names the keys to encrypt to, so nothing can be stored.",
                             "%s names no key", path);
        finding_add_command(finding, "mv %s %s.old && docker-credential-pass setup --yes", path,
                            path);
        return;
    }
    check_text(doctor, path, text, size);
}

/* Shells expand a "~" only without quotes, and nobody expands it in an environment file. */
static bool report_tilde(struct doctor *doctor)
{
    const char *given = getenv("PASSWORD_STORE_DIR");
    struct finding *finding;

    if (!given || strncmp(given, "~/", 2) != 0)
        return false;
    finding = report_add(&doctor->report, "store-tilde", FINDING_BAD,
                         "pass and this program treat the \"~\" as the name of a directory.",
                         "PASSWORD_STORE_DIR is \"%s\"", given);
    finding_add_command(finding, "export PASSWORD_STORE_DIR=\"$HOME\"/%s", given + 2);
    return true;
}

static void explain_missing(struct doctor *doctor)
{
    const struct pass_store *store = &doctor->store;
    struct finding *finding;

    if (store->root_fd < 0 && (doctor->has_no_home || report_tilde(doctor)))
        return;
    if (store->root_fd < 0)
        finding = report_add(&doctor->report, "store-missing", FINDING_BAD,
                             "Without it passwords cannot be stored.",
                             "there is no password store at %s", store->root);
    else if (has_file(store->root_fd, ".age-recipients"))
        finding = report_add(
            &doctor->report, "store-is-age", FINDING_BAD,
            "gopass encrypted it with age, which neither pass nor docker's helpers can read.",
            "%s is a gopass store with age encryption", store->root);
    else
        finding = report_add(&doctor->report, "gpg-id-missing", FINDING_BAD,
                             "It names the keys to encrypt to, so nothing can be stored.",
                             "%s has no .gpg-id file", store->root);
    if (store->root_fd >= 0 && has_file(store->root_fd, ".age-recipients"))
        finding_add_command(finding, "export PASSWORD_STORE_DIR=$HOME/.docker-passwords");
    finding_add_command(finding, "docker-credential-pass setup");
}

/*
 * The directory that this user may not open: the store's root, or the one of docker's entries.
 * NULL: out of memory.
 */
static char *find_closed_directory(const char *root)
{
    char *path = NULL;

    if (access(root, R_OK | X_OK) < 0)
        return strdup(root);
    return asprintf(&path, "%s/" PASS_DIRECTORY, root) < 0 ? NULL : path;
}

static void report_unreadable_store(struct doctor *doctor, const struct error *err)
{
    const char *root = doctor->store.root;
    struct finding *finding = report_add(&doctor->report, "store-unreadable", FINDING_BAD,
                                         "Passwords are kept there.", "%s", err->text);
    CLEANUP_FREE char *closed = root && err->code == EACCES ? find_closed_directory(root) : NULL;
    char owner[24];
    struct stat st;

    snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
    if (closed && stat(closed, &st) == 0 && st.st_uid == geteuid())
        finding_add_command(finding, "chmod -R u+rwX %s", closed);
    else if (closed && stat(closed, &st) == 0)
        finding_add_root_command(finding, "chown -R %s %s", owner, closed);
    else if (root && err->code == ENOTDIR && !getenv("PASSWORD_STORE_DIR"))
        finding_add_command(finding, "mv %s %s.old && docker-credential-pass setup --yes", root,
                            root);
}

const char *check_store(struct doctor *doctor)
{
    static char fine[512];
    const char *key = getenv("PASSWORD_STORE_KEY");
    CLEANUP_FREE char *gpg_id = NULL;
    struct error err;
    int r;

    if (pass_store_open(&doctor->store, &err) < 0) {
        report_unreadable_store(doctor, &err);
        return NULL;
    }
    r = doctor_find_gpg_id(&doctor->store, &gpg_id);
    doctor->report.is_out_of_memory |= r < 0;
    if (gpg_id)
        check_gpg_id(doctor, gpg_id);
    else if (r == 0 && !(key && *key))
        explain_missing(doctor);
    snprintf(fine, sizeof(fine), "the password store is there: %s", doctor->store.root);
    return fine;
}

/* --- modes ----------------------------------------------------------------------------------- */

bool doctor_is_team_store(const struct doctor *doctor)
{
    struct stat st;

    return doctor->store.root_fd >= 0 && fstat(doctor->store.root_fd, &st) == 0 &&
           (st.st_mode & S_ISGID) && (st.st_mode & S_IWGRP) && !(st.st_mode & S_IRWXO);
}

bool doctor_is_shared_by_another(const struct doctor *doctor)
{
    struct stat st;

    return doctor->store.root_fd >= 0 && fstat(doctor->store.root_fd, &st) == 0 &&
           (st.st_mode & S_ISGID) && st.st_uid != geteuid() && !(st.st_mode & S_IRWXO);
}

/*
 * A directory with the setgid bit is shared on purpose, so nobody is told to take it from its
 * owner.
 */
static void check_owner(struct doctor *doctor, const char *path, const struct stat *st)
{
    bool is_shared = (st->st_mode & S_ISGID) != 0;
    char owner[24];
    struct finding *finding = report_add(
        &doctor->report, "store-owner", FINDING_BAD,
        is_shared
            ? "No entry can be written there. It is shared with a group; ask its owner to let the "
              "group write."
            : "No entry can be written there. This often results from running docker with sudo.",
        "%s belongs to user %u, and this runs as user %u", path, (unsigned)st->st_uid,
        (unsigned)geteuid());

    snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
    if (!is_shared)
        finding_add_root_command(finding, "chown -R %s %s", owner, path);
}

static void check_mode(struct doctor *doctor, const char *path, int fd)
{
    struct finding *finding;
    struct stat st;

    if (fd < 0)
        return;
    if (fstat(fd, &st) < 0) {
        doctor_add_unchecked(doctor, path, errno);
        return;
    }
    if (st.st_uid != geteuid() && !doctor_is_team_store(doctor)) {
        check_owner(doctor, path, &st);
    } else if (st.st_uid == geteuid() && doctor->proof.write.result == PROOF_FAILED &&
               (st.st_mode & 0300) != 0300) {
        finding =
            report_add(&doctor->report, "store-mode", FINDING_BAD, "No entry can be written there.",
                       "%s has the mode %04o", path, (unsigned)st.st_mode & 07777);
        finding_add_command(finding, "chmod u+rwx %s", path);
    } else if (st.st_mode & 0077 && !getenv("PASSWORD_STORE_UMASK") &&
               !doctor_is_team_store(doctor)) {
        finding = report_add(&doctor->report, "store-mode", FINDING_WARNING,
                             "Other users can see which registries you have passwords for, and may "
                             "change the entries.",
                             "%s has the mode %04o", path, (unsigned)st.st_mode & 07777);
        finding_add_command(finding, "chmod 700 %s", path);
        doctor_fix_store_mode(doctor, finding, path, 0700);
    }
}

const char *check_modes(struct doctor *doctor)
{
    const struct pass_store *store = &doctor->store;
    CLEANUP_FREE char *directory = NULL;

    if (!store->root || store->root_fd < 0)
        return NULL;
    if (asprintf(&directory, "%s/" PASS_DIRECTORY, store->root) < 0) {
        doctor->report.is_out_of_memory = true;
        return NULL;
    }
    check_mode(doctor, store->root, store->root_fd);
    check_mode(doctor, directory, store->directory_fd);
    if (doctor->proof.write.result != PROOF_PASSED)
        return NULL;
    return doctor_is_team_store(doctor)
               ? "entries can be written; the store is shared with a group"
               : "entries can be written, and nobody else can read the store";
}
