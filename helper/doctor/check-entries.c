/* The entries: what is in their folders, and whether they can be read. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/folder-names.h"
#include "gpg/decrypt.h"
#include "helper/doctor/checks.h"
#include "helper/pass/entry.h"
#include "helper/pass/path.h"
#include "helper/pass/repair.h"

/* Decrypting is dear; of a large store these show enough. */
enum { MOST_DECRYPTED = 64, SMALLEST_MESSAGE = 60, SECRET_MAX = 4 << 20 };

static const char relogin_why[] = "Docker pulls without a login then, and says \"denied\".";

/* docker logout and login again, for the server of that folder. */
static void add_relogin(struct finding *finding, const char *folder)
{
    unsigned char url[257];
    size_t size = 0;

    if (pass_path_parse_folder(folder, url, &size) < 0)
        return;
    url[size] = '\0';
    finding_add_command(finding, "docker logout %s && docker login %s", (const char *)url, (const char *)url);
}

/* --- one server ------------------------------------------------------------------------------ */

/* What a link leads to may lie outside the store: its mode is left alone, and no command that would follow the link is shown. */
static void check_file_mode(struct doctor *doctor, int fd, const char *name, const char *path)
{
    struct finding *finding;
    struct stat st, target;

    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (S_ISLNK(st.st_mode)) {
        if (fstatat(fd, name, &target, 0) == 0 && target.st_uid != geteuid())
            report_add(&doctor->report, "entry-owner", FINDING_WARNING,
                       "Its owner can put another entry there, and docker would use that.",
                       "%s is a link to a file of user %u, and this runs as user %u", path, (unsigned)target.st_uid,
                       (unsigned)geteuid());
        return;
    }
    if (st.st_uid != geteuid()) {
        finding = report_add(&doctor->report, "entry-owner", FINDING_WARNING,
                             "Its owner can put another entry there, and docker would use that.",
                             "%s belongs to user %u, and this runs as user %u", path, (unsigned)st.st_uid,
                             (unsigned)geteuid());
        finding_add_command(finding, "sudo chown \"$(id -u)\" %s", path);
    } else if (st.st_mode & 0077 && !getenv("PASSWORD_STORE_UMASK")) {
        finding = report_add(&doctor->report, "entry-mode", FINDING_WARNING,
                             "The text is encrypted, but others can copy it, or put another there.", "%s has the mode %04o",
                             path, (unsigned)st.st_mode & 07777);
        finding_add_command(finding, "chmod %s %s", S_ISDIR(st.st_mode) ? "700" : "600", path);
        doctor_fix_store_mode(doctor, finding, path, S_ISDIR(st.st_mode) ? 0700 : 0600);
    }
}

/* A pipe, a device, a socket, or a link that leads nowhere. */
static void explain_no_file(struct doctor *doctor, const char *path)
{
    struct finding *finding = report_add(&doctor->report, "entry-no-file", FINDING_WARNING,
                                         "This program passes over it; pass would wait for it, or write into it.",
                                         "%s is called like an entry, and is no file", path);

    finding_add_command(finding, "rm %s", path);
}

/* Docker's own helper writes through it, wherever it leads. */
static void explain_link(struct doctor *doctor, const char *name)
{
    struct finding *finding = report_add(&doctor->report, "folder-link", FINDING_WARNING,
                                         "What is there is read, but docker login for that server writes nothing through a "
                                         "link, and fails.", "%s/" PASS_FOLDER "/%s is a link", doctor->store.root, name);

    finding_add_command(finding, "rm %s/" PASS_FOLDER "/%s", doctor->store.root, name);
}

static void check_server(struct doctor *doctor, int parent_fd, const char *name)
{
    CLEANUP_FREE char *path = NULL;
    CLEANUP(folder_names_done) struct folder_names names = {0};
    CLEANUP_CLOSE int fd = file_open_folder(parent_fd, name);
    struct finding *finding;
    size_t users = 0;
    int r = fd < 0 ? fd : folder_names_read(fd, &names);

    if (r == 0 && asprintf(&path, "%s/" PASS_FOLDER "/%s", doctor->store.root, name) < 0)
        r = -ENOMEM;
    doctor->report.is_out_of_memory |= r == -ENOMEM;
    if (r < 0)
        return;
    check_file_mode(doctor, fd, ".", path);
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP_FREE char *file = NULL;
        bool is_folder = folder_names_get_kind(&names, i, fd) == S_IFDIR;

        if (asprintf(&file, "%s/%s", path, names.names[i]->text) < 0) {
            doctor->report.is_out_of_memory = true;
            return;
        }
        if (!is_folder && pass_path_is_entry(names.names[i]->text) && folder_names_get_kind(&names, i, fd) != S_IFREG) {
            explain_no_file(doctor, file);
            continue;
        }
        users += is_folder || pass_path_is_entry(names.names[i]->text);
        check_file_mode(doctor, fd, names.names[i]->text, file);
    }
    if (users > 1) {
        finding = report_add(&doctor->report, "several-users", FINDING_WARNING,
                             "This program answers the first by name; Docker's own helper may answer the other.",
                             "%s holds the logins of %zu users for one server", path, users);
        add_relogin(finding, name);
    } else if (users == 0) {
        finding = report_add(&doctor->report, "folder-empty", FINDING_WARNING,
                             "It is left by a crash, or by another program, and makes Docker's own helper fail.",
                             "%s has no entry in it", path);
        finding_add_command(finding, "rmdir %s", path);
        if (finding) {
            const char *below = doctor_store_path(doctor, path);

            finding->is_fixable = pass_repair_check(&doctor->store, below) == 0;
            finding->is_fixed = doctor->does_fix &&
                                pass_repair_leftover(&doctor->store, below, PASS_LEFTOVER_DIRECTORY) == 0;
        }
    }
}

static void fix_leftover(struct doctor *doctor, struct finding *finding, const char *name)
{
    char path[sizeof(PASS_FOLDER "/") + NAME_MAX];

    snprintf(path, sizeof(path), PASS_FOLDER "/%s", name);
    finding->is_fixable = pass_repair_check(&doctor->store, path) == 0;
    finding->is_fixed = doctor->does_fix && pass_repair_leftover(&doctor->store, path, PASS_LEFTOVER_FILE) == 0;
}

static void check_folder(struct doctor *doctor)
{
    CLEANUP(folder_names_done) struct folder_names names = {0};
    CLEANUP_CLOSE int fd = file_open_folder(doctor->store.folder_fd, ".");
    unsigned char url[257];
    struct finding *finding;
    size_t size;

    if (fd < 0 || folder_names_read(fd, &names) < 0)
        return;
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.names[i]->text;

        if (strncmp(name, PASS_TEMPORARY, strlen(PASS_TEMPORARY)) == 0) {
            finding = report_add(&doctor->report, "leftover", FINDING_WARNING,
                                 "A docker login was cut off; the next one removes it.", "%s/" PASS_FOLDER "/%s is left over",
                                 doctor->store.root, name);
            finding_add_command(finding, "docker-credential-pass doctor --fix");
            if (finding)
                fix_leftover(doctor, finding, name);
        } else if (folder_names_get_kind(&names, i, fd) != S_IFDIR || strcmp(name, ".git") == 0) {
            continue;
        } else if (pass_path_parse_folder(name, url, &size) < 0) {
            finding = report_add(&doctor->report, "folder-undecodable", FINDING_WARNING,
                                 "This program passes over it; Docker's own helper lists nothing at all then.",
                                 "%s/" PASS_FOLDER "/%s is no server's name in base64", doctor->store.root, name);
            finding_add_command(finding, "mv %s/" PASS_FOLDER "/%s %s/", doctor->store.root, name, doctor->store.root);
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

static void check_entry(struct doctor *doctor, const struct pass_listed *listed, bool is_decrypted)
{
    CLEANUP(pass_entry_done) struct pass_entry entry = {.fd = -1};
    CLEANUP(secbuf_done) struct secbuf secret = {0};
    CLEANUP_FREE char *path = NULL;
    struct pass_path place;
    struct finding *finding;
    struct error err;

    if (pass_path_set_url(&place, listed->url, listed->url_size) < 0 ||
        pass_entry_open(&doctor->store, &place, &entry, &err) != 0 ||
        asprintf(&path, "%s/" PASS_FOLDER "/%s/%s", doctor->store.root, place.folder, entry.file) < 0)
        return;
    if (!is_message(entry.fd)) {
        finding = report_add(&doctor->report, "entry-damaged", FINDING_BAD, relogin_why,
                             "%s is no encrypted message: it is cut off, or something else", path);
        add_relogin(finding, place.folder);
    } else if (is_decrypted && gpg_decrypt(doctor->gpg, entry.fd, path, SECRET_MAX, &secret, &err) < 0) {
        /* What wants a passphrase, or an agent, was said before. */
        if (err.code != ENOKEY && !strstr(err.text, "damaged"))
            return;
        finding = report_add(&doctor->report, err.code == ENOKEY ? "entry-unreadable" : "entry-damaged", FINDING_BAD,
                             relogin_why, "%s", err.text);
        add_relogin(finding, place.folder);
    }
}

const char *check_entries(struct doctor *doctor)
{
    static char fine[100];
    CLEANUP(pass_listing_done) struct pass_listing listing = {0};
    size_t decrypted = 0;
    struct error err;

    if (!doctor->store.root || doctor->store.folder_fd < 0)
        return NULL;
    check_folder(doctor);
    if (pass_entry_list(&doctor->store, &listing, &err) < 0)
        return NULL;
    for (size_t i = 0; i < listing.count; i++) {
        bool is_decrypted = doctor->gpg && decrypted < MOST_DECRYPTED;

        check_entry(doctor, &listing.items[i], is_decrypted);
        decrypted += is_decrypted;
    }
    if (listing.count == 1)
        snprintf(fine, sizeof(fine), "the login in it is in order");
    else
        snprintf(fine, sizeof(fine), "the %zu logins in it are in order%s", listing.count,
                 decrypted < listing.count ? " (64 of them were tried)" : "");
    return fine;
}
