/* The entries: what is in their directories, and whether they can be read. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/directory-names.h"
#include "common/file.h"
#include "helper/doctor/checks.h"
#include "helper/pass/entry.h"
#include "helper/pass/path.h"
#include "helper/pass/repair.h"

enum { SMALLEST_MESSAGE = 60 };

static const char relogin_why[] = "Docker pulls without a login then, and says \"denied\".";

/* A login replaces the entry; nothing has to be removed before. */
static void add_relogin(struct finding *finding, const char *directory)
{
    unsigned char url[257];
    size_t size = 0;

    if (pass_path_parse_directory(directory, url, &size) < 0)
        return;
    url[size] = '\0';
    finding_add_command(finding, "docker login %s", (const char *)url);
}

/* --- one server ------------------------------------------------------------------------------ */

/*
 * The target of a link may be outside the store: its mode is left alone, and no command is shown
 * that would follow the link.
 */
static void check_file_mode(struct doctor *doctor, int fd, const char *name, const char *path)
{
    struct finding *finding;
    struct stat st, target;
    char owner[24];

    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        doctor_add_unchecked(doctor, path, errno);
        return;
    }
    if (doctor_is_team_store(doctor) || doctor_is_shared_by_another(doctor))
        return;
    if (S_ISLNK(st.st_mode)) {
        if (fstatat(fd, name, &target, 0) == 0 && target.st_uid != geteuid())
            report_add(&doctor->report, "entry-owner", FINDING_WARNING,
                       "Its owner can replace it by another entry, which docker would use.",
                       "%s is a link to a file of user %u, and this runs as user %u", path,
                       (unsigned)target.st_uid, (unsigned)geteuid());
        return;
    }
    if (st.st_uid != geteuid()) {
        finding = report_add(&doctor->report, "entry-owner", FINDING_WARNING,
                             "Its owner can replace it by another entry, which docker would use.",
                             "%s belongs to user %u, and this runs as user %u", path,
                             (unsigned)st.st_uid, (unsigned)geteuid());
        snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
        finding_add_root_command(finding, "chown %s %s", owner, path);
    } else if (st.st_mode & 0077 && !getenv("PASSWORD_STORE_UMASK")) {
        finding = report_add(&doctor->report, "entry-mode", FINDING_WARNING,
                             "The text is encrypted, but others can copy or replace it.",
                             "%s has the mode %04o", path, (unsigned)st.st_mode & 07777);
        finding_add_command(finding, "chmod %s %s", S_ISDIR(st.st_mode) ? "700" : "600", path);
        doctor_fix_store_mode(doctor, finding, path, S_ISDIR(st.st_mode) ? 0700 : 0600);
    }
}

/* A pipe, a device, a socket, or a link that leads nowhere. */
static void explain_no_file(struct doctor *doctor, const char *path)
{
    struct finding *finding =
        report_add(&doctor->report, "entry-no-file", FINDING_WARNING,
                   "This program ignores it; pass would wait for it, or write into it.",
                   "%s has the name of an entry, but is not a file", path);

    finding_add_command(finding, "rm %s", path);
}

/* Docker's own helper writes through it, wherever it leads. */
static void explain_link(struct doctor *doctor, const char *name)
{
    struct finding *finding =
        report_add(&doctor->report, "directory-link", FINDING_WARNING,
                   "Its entries are read, but docker login for that server fails, because nothing "
                   "is written through a link.",
                   "%s/" PASS_DIRECTORY "/%s is a link", doctor->store.root, name);

    finding_add_command(finding, "rm %s/" PASS_DIRECTORY "/%s", doctor->store.root, name);
}

/* Nothing is listed, and no login to that server works, while its directory is closed. */
static void explain_closed(struct doctor *doctor, int parent_fd, const char *name, const char *path)
{
    struct finding *finding =
        report_add(&doctor->report, "server-unreadable", FINDING_BAD,
                   "No login can be listed then. This often results from running docker with sudo.",
                   "%s cannot be opened: %s", path, strerror(EACCES));
    char owner[24];
    struct stat st;

    snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
    if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
        return;
    if (st.st_uid == geteuid())
        finding_add_command(finding, "chmod u+rwx %s", path);
    else
        finding_add_root_command(finding, "chown -R %s %s", owner, path);
}

/* path: below the store. */
static void fix_leftover(const struct doctor *doctor, struct finding *finding, const char *path,
                         enum pass_leftover kind)
{
    finding->is_fixable = pass_repair_check(&doctor->store, path) == 0;
    finding->is_fixed =
        doctor->does_fix && pass_repair_leftover(&doctor->store, path, kind) == 0;
}

/* Reports a server's directory with several users, or with none. */
static void check_users(struct doctor *doctor, const char *name, const char *path, size_t users,
                        const struct directory_names *names)
{
    struct finding *finding;

    if (users > 1) {
        finding = report_add(
            &doctor->report, "several-users", FINDING_WARNING,
            "This program returns the first by name; Docker's own helper may return another.",
            "%s holds the logins of %zu users for one server", path, users);
        add_relogin(finding, name);
    } else if (users == 0 && names->count > 0) {
        report_add(
            &doctor->report, "directory-without-entry", FINDING_WARNING,
            "Docker finds no login in it. Look at the files; an entry has the name USER.gpg.",
            "%s has files (the first is %s), but no entry", path, names->names[0]->text);
    } else if (users == 0) {
        finding = report_add(
            &doctor->report, "directory-empty", FINDING_WARNING,
            "A crash or another program left it behind, and it makes Docker's own helper fail.",
            "%s has no entry in it", path);
        finding_add_command(finding, "rmdir %s", path);
        if (finding)
            fix_leftover(doctor, finding, doctor_store_path(doctor, path), PASS_LEFTOVER_DIRECTORY);
    }
}

static void check_server(struct doctor *doctor, int parent_fd, const char *name)
{
    CLEANUP_FREE char *path = NULL;
    CLEANUP(directory_names_done) struct directory_names names = {0};
    CLEANUP_CLOSE int fd = file_open_directory(parent_fd, name);
    size_t users = 0;
    int r = fd < 0 ? fd : directory_names_read(fd, &names);

    if (asprintf(&path, "%s/" PASS_DIRECTORY "/%s", doctor->store.root, name) < 0)
        r = -ENOMEM;
    doctor->report.is_out_of_memory |= r == -ENOMEM;
    if (r == -EACCES)
        explain_closed(doctor, parent_fd, name, path);
    else if (r < 0 && r != -ENOMEM)
        doctor_add_unchecked(doctor, path, -r);
    if (r < 0)
        return;
    check_file_mode(doctor, fd, ".", path);
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP_FREE char *file = NULL;
        mode_t kind = directory_names_get_kind(&names, i, fd);
        bool is_entry = pass_path_is_entry(names.names[i]->text);

        if (asprintf(&file, "%s/%s", path, names.names[i]->text) < 0) {
            doctor->report.is_out_of_memory = true;
            return;
        }
        if (is_entry && kind != S_IFDIR && kind != S_IFREG) {
            explain_no_file(doctor, file);
            continue;
        }
        users += is_entry || kind == S_IFDIR;
        check_file_mode(doctor, fd, names.names[i]->text, file);
    }
    check_users(doctor, name, path, users, &names);
}

static void check_directory(struct doctor *doctor)
{
    CLEANUP(directory_names_done) struct directory_names names = {0};
    CLEANUP_CLOSE int fd = file_open_directory(doctor->store.directory_fd, ".");
    unsigned char url[257];
    struct finding *finding;
    size_t size;

    int r = fd < 0 ? fd : directory_names_read(fd, &names);

    if (r < 0) {
        doctor_add_unchecked(doctor, PASS_DIRECTORY, -r);
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.names[i]->text;
        char below[sizeof(PASS_DIRECTORY "/") + NAME_MAX];

        if (strncmp(name, PASS_TEMPORARY, strlen(PASS_TEMPORARY)) == 0) {
            finding = report_add(&doctor->report, "leftover", FINDING_WARNING,
                                 "A docker login was interrupted; the next one removes it.",
                                 "%s/" PASS_DIRECTORY "/%s is left over", doctor->store.root, name);
            finding_add_command(finding, "docker-credential-pass doctor --fix");
            snprintf(below, sizeof(below), PASS_DIRECTORY "/%s", name);
            if (finding)
                fix_leftover(doctor, finding, below, PASS_LEFTOVER_FILE);
        } else if (directory_names_get_kind(&names, i, fd) != S_IFDIR ||
                   strcmp(name, ".git") == 0) {
            continue;
        } else if (pass_path_parse_directory(name, url, &size) < 0) {
            finding = report_add(
                &doctor->report, "directory-undecodable", FINDING_WARNING,
                "This program ignores it, but Docker's own helper then lists nothing at all.",
                "%s/" PASS_DIRECTORY "/%s is not a server's name in base64", doctor->store.root,
                name);
            finding_add_command(finding, "mv %s/" PASS_DIRECTORY "/%s %s/", doctor->store.root,
                                name, doctor->store.root);
        } else if (names.names[i]->type == DT_LNK) {
            explain_link(doctor, name);
        } else {
            check_server(doctor, fd, name);
        }
    }
}

/* --- reading --------------------------------------------------------------------------------- */

static bool is_message(int fd)
{
    unsigned char first[32];
    ssize_t n = pread(fd, first, sizeof(first), 0);
    struct stat st;

    if (n <= 0 || fstat(fd, &st) < 0 || st.st_size < SMALLEST_MESSAGE)
        return false;
    return (first[0] & 0x80) || memmem(first, (size_t)n, "-----BEGIN PGP", 14);
}

/*
 * Whether the proof's result for all entries also holds for this one, so that it need not be read
 * again.
 */
static bool is_proven(const struct doctor *doctor)
{
    return doctor->entries.result == PROOF_PASSED || doctor->entries.result == PROOF_NOT_TRIED ||
           doctor->entries.err.code == ETIMEDOUT;
}

/*
 * The two causes for which a new login is certain to help; all others are explained elsewhere, or
 * by the proof's own text.
 */
static void explain_entry(struct doctor *doctor, const struct proof_step *step,
                          const char *directory)
{
    struct finding *finding;

    if (step->result != PROOF_FAILED ||
        (step->err.code != GPG_FAILURE_NO_SECRET_KEY && step->err.code != GPG_FAILURE_DAMAGED))
        return;
    if (step->err.code == GPG_FAILURE_NO_SECRET_KEY &&
        (doctor->proof.decrypt.result == PROOF_FAILED ||
         doctor->proof.decrypt.result == PROOF_NOT_TRIED))
        return; /* the cause may be another one, which the trial login has found */
    finding = report_add(&doctor->report,
                         step->err.code == GPG_FAILURE_NO_SECRET_KEY ? "entry-unreadable"
                                                                     : "entry-damaged",
                         FINDING_BAD, relogin_why, "%s", step->err.text);
    add_relogin(finding, directory);
}

static void check_entry(struct doctor *doctor, const struct pass_listed *listed)
{
    CLEANUP(pass_entry_done) struct pass_entry entry = {.fd = -1};
    CLEANUP_FREE char *path = NULL;
    struct proof_step step = {0};
    struct pass_path place;
    struct finding *finding;

    if (pass_path_set_url(&place, listed->url, listed->url_size) < 0)
        return;
    place.file[0] = '\0';
    if (pass_entry_open(&doctor->store, &place, &entry, &step.err) != 0 ||
        asprintf(&path, "%s/" PASS_DIRECTORY "/%s/%s", doctor->store.root, place.directory,
                 entry.file) < 0)
        return;
    if (!is_message(entry.fd)) {
        finding =
            report_add(&doctor->report, "entry-damaged", FINDING_BAD, relogin_why,
                       "%s is not an encrypted message: it is truncated, or something else", path);
        add_relogin(finding, place.directory);
    } else if (!is_proven(doctor)) {
        proof_read_entry(&doctor->store, &place, GPG_PINENTRY_ERROR, &step);
        explain_entry(doctor, &step, place.directory);
    }
}

/*
 * A login replaces an entry in the directory of its server, which may differ from the one that
 * holds them all.
 */
static void check_writing(struct doctor *doctor, const struct pass_listed *listed)
{
    struct proof_step step = {0};
    struct pass_path place;
    struct stat all, own;
    struct finding *finding;
    char owner[24];

    if (pass_path_set_url(&place, listed->url, listed->url_size) < 0 ||
        fstat(doctor->store.directory_fd, &all) < 0 ||
        fstatat(doctor->store.directory_fd, place.directory, &own, AT_SYMLINK_NOFOLLOW) < 0 ||
        S_ISLNK(own.st_mode) ||
        (own.st_uid == all.st_uid && own.st_gid == all.st_gid && own.st_dev == all.st_dev &&
         (own.st_mode & 0300) == 0300))
        return;
    proof_write(&place, &step);
    if (step.result != PROOF_FAILED)
        return;
    finding = report_add(
        &doctor->report, "server-not-writable", FINDING_BAD,
        "A docker login to that server fails. This often results from running docker with sudo.",
        "%s", step.err.text);
    snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
    if (own.st_uid == geteuid())
        finding_add_command(finding, "chmod u+rwx %s/" PASS_DIRECTORY "/%s", doctor->store.root,
                            place.directory);
    else
        finding_add_root_command(finding, "chown -R %s %s/" PASS_DIRECTORY "/%s", owner,
                                 doctor->store.root, place.directory);
}

const char *check_entries(struct doctor *doctor)
{
    static char fine[100];
    CLEANUP(pass_listing_done) struct pass_listing listing = {0};
    unsigned explains = doctor->report.explains;
    struct error err;

    if (!doctor->store.root || doctor->store.directory_fd < 0)
        return NULL;
    check_directory(doctor);
    if (pass_entry_list(&doctor->store, &listing, &err) < 0) {
        if (!(doctor->report.explained & 1 << STEP_ENTRIES))
            doctor_add_unchecked(doctor, PASS_DIRECTORY, err.code);
        return NULL;
    }
    for (size_t i = 0; i < listing.count; i++) {
        check_entry(doctor, &listing.items[i]);
        doctor->report.explains = 0; /* each directory is a proof of its own */
        check_writing(doctor, &listing.items[i]);
        doctor->report.explains = explains;
    }
    if (doctor->entries.result != PROOF_PASSED)
        return NULL;
    if (listing.count == 1)
        snprintf(fine, sizeof(fine), "the login in it can be read");
    else
        snprintf(fine, sizeof(fine), "the %zu logins in it can be read", listing.count);
    return fine;
}
