/*
 * A sequence of calls on the store, checked against a map: get returns the last stored login of each server, and a failed
 * call changes nothing. gpg is a test double: its functions are defined here, so that the library's are not linked.
 *
 * The input is a sequence of calls: a byte selects the call and the server, and put has a byte for the user's name and one
 * for the secret. Names are from lists of unusual names, and some are made of the input's bytes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "gpg/decrypt.h"
#include "gpg/encrypt.h"
#include "gpg/fast-decrypt.h"
#include "helper/pass/entry.h"
#include "helper/pass/remove.h"
#include "helper/vault.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

/* --- the double of gpg: a message is a marker and the plaintext with inverted bits ---------------- */

int gpg_context_new(const struct gpg_options *options, struct gpg_context **ret, struct error *err)
{
    (void)options;
    (void)err;
    *ret = NULL;
    return 0;
}

void gpg_context_free(struct gpg_context *gpg)
{
    (void)gpg;
}

int gpg_fast_decrypt(const struct gpg_options *options, int fd, const char *name, size_t limit, struct secbuf *ret_plain,
                     struct error *err)
{
    (void)options;
    (void)fd;
    (void)name;
    (void)limit;
    (void)ret_plain;
    (void)err;
    return GPG_FAST_DECLINED;
}

int gpg_encrypt(struct gpg_context *gpg, const char *recipients, const char *source, struct secbuf *plain,
                struct secbuf *ret_message, struct error *err)
{
    (void)gpg;
    (void)source;
    (void)err;
    REQUIRE(strcmp(recipients, "KEY\n") == 0 && secbuf_append(ret_message, "\x84", 1) == 0);
    for (size_t i = 0; i < plain->size; i++) {
        unsigned char turned = (unsigned char)~plain->data[i];

        REQUIRE(secbuf_append(ret_message, &turned, 1) == 0);
    }
    return 0;
}

int gpg_decrypt(struct gpg_context *gpg, int fd, const char *name, size_t limit, struct secbuf *ret_plain, struct error *err)
{
    unsigned char message[4096];
    ssize_t size = pread(fd, message, sizeof(message), 0); /* from the start, independent of the file offset */

    (void)gpg;
    (void)name;
    if (size < 1 || message[0] != 0x84 || (size_t)size > limit)
        return error_set(err, EIO, "no message");
    for (ssize_t i = 1; i < size; i++) {
        unsigned char turned = (unsigned char)~message[i];

        REQUIRE(secbuf_append(ret_plain, &turned, 1) == 0);
    }
    return 0;
}

/* --- the map -------------------------------------------------------------------------------------- */

enum { SERVERS = 4, LONGEST = 2048 };

static const char *const urls[SERVERS] = {"https://a", "b.example:5000", "\xFF\x1B[2J", "a"};

/* user "": there is no login. */
static struct login {
    char user[LONGEST];
    char secret[64];
} map[SERVERS];

static const char *const users[] = {
    "me", "you", "a/b", "a", "a.gpg", "a.gpg/b", "me.gpg/x", "<token>", " ", "*", "\xC3\xA9", ".hidden", "-x", "a/b/c/d/e",
    ".", "..", "../../evil", "a//b", "/a", "a/", ".git", "x/.GIT/y", ".gpg-id", "\n", "a/..", "\\", "\x01\x9B", "me.gpg",
};

static char directory[64];

/* --- the store ------------------------------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path);
}

static void write_file(const char *name, const char *text)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "w");
    REQUIRE(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void set_up(void)
{
    const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    snprintf(directory, sizeof(directory), "%s/fuzz-vault.XXXXXX", memory);
    REQUIRE(mkdtemp(directory));
    setenv("PASSWORD_STORE_DIR", directory, 1);
    unsetenv("PASSWORD_STORE_KEY");
    unsetenv("PASSWORD_STORE_SIGNING_KEY");
    unsetenv("PASSWORD_STORE_UMASK");
    unsetenv("PASSWORD_STORE_GPG_OPTS");
    write_file(".gpg-id", "KEY\n");
    for (size_t i = 0; i < SERVERS; i++)
        map[i] = (struct login){0};
}

static void tear_down(void)
{
    REQUIRE(nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* --- calls ---------------------------------------------------------------------------------------- */

static void fill(struct secbuf *buf, const char *text)
{
    REQUIRE(secbuf_append(buf, text, strlen(text)) == 0);
}

static bool is_same(const struct secbuf *buf, const char *text)
{
    return buf->size == strlen(text) && memcmp(buf->data, text, buf->size) == 0;
}

static void put(size_t server, const char *user, unsigned secret)
{
    CLEANUP(credential_done) struct credential credential = {0};
    struct error err = {0};
    char text[16];

    snprintf(text, sizeof(text), "secret %u", secret);
    fill(&credential.server_url, urls[server]);
    fill(&credential.username, user);
    fill(&credential.secret, text);
    if (vault_put(&credential, &err) < 0) {
        REQUIRE(*err.text);
        return;
    }
    fuzz_was_accepted = true;
    snprintf(map[server].user, sizeof(map[server].user), "%s", user);
    snprintf(map[server].secret, sizeof(map[server].secret), "%s", text);
}

static void erase(size_t server)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};
    struct pass_path path;
    struct error err;

    REQUIRE(pass_path_set_url(&path, urls[server], strlen(urls[server])) == 0);
    REQUIRE(pass_store_open(&store, &err) == 0 && pass_store_lock(&store, &err) == 0);
    REQUIRE(pass_store_open_directory(&store, false, &err) == 0);
    REQUIRE(pass_remove_server(&store, &path, &changes, &err) == 0);
    map[server] = (struct login){0};
}

static void check_get(size_t server)
{
    CLEANUP(credential_done) struct credential credential = {0};
    struct error err;
    int r;

    fill(&credential.server_url, urls[server]);
    r = vault_get(&credential, &err);
    REQUIRE(r == (*map[server].user ? 0 : VAULT_NOT_FOUND));
    if (r == 0)
        REQUIRE(is_same(&credential.username, map[server].user) && is_same(&credential.secret, map[server].secret));
}

static const struct login *find_listed(const struct pass_listed *item)
{
    for (size_t i = 0; i < SERVERS; i++)
        if (item->url_size == strlen(urls[i]) && memcmp(item->url, urls[i], item->url_size) == 0)
            return &map[i];
    return NULL;
}

static void check_list(void)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP(pass_listing_done) struct pass_listing listing = {0};
    struct error err;
    size_t count = 0;

    REQUIRE(pass_store_open(&store, &err) == 0 && pass_entry_list(&store, &listing, &err) == 0);
    for (size_t i = 0; i < SERVERS; i++)
        count += *map[i].user != '\0';
    REQUIRE(listing.count == count);
    for (size_t i = 0; i < listing.count; i++) {
        const struct login *login = find_listed(&listing.items[i]);

        REQUIRE(login && strcmp(listing.items[i].username, login->user) == 0);
    }
}

/* Makes the leftovers of a killed writer: a temporary file and a server's empty directory. */
static void crash(size_t server)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    struct pass_path path;
    struct error err;
    int fd;

    REQUIRE(pass_path_set_url(&path, urls[server], strlen(urls[server])) == 0);
    REQUIRE(pass_store_open(&store, &err) == 0);
    if (store.directory_fd < 0)
        return;
    (void)!mkdirat(store.directory_fd, path.directory, 0700);
    fd = openat(store.directory_fd, PASS_TEMPORARY, O_WRONLY | O_CREAT, 0600);
    REQUIRE(fd >= 0 && write(fd, "half", 4) == 4 && close(fd) == 0);
}

/* Only the map's entries, their directories and leftovers of a crash exist; there are no files elsewhere. */
static void check_tree(void)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    struct error err;
    DIR *root = opendir(directory);
    size_t count = 0;

    REQUIRE(root && pass_store_open(&store, &err) == 0);
    while (readdir(root))
        count++;
    closedir(root);
    REQUIRE(count == 3 + (size_t)(store.directory_fd >= 0)); /* ".", "..", ".gpg-id" */
}

/* Makes a name of the input's bytes, up to a NUL; returns the number of bytes used. */
static size_t take_name(const uint8_t *data, size_t size, char ret[LONGEST])
{
    size_t length = strnlen((const char *)data, size < LONGEST - 1 ? size : LONGEST - 1);

    memcpy(ret, data, length);
    ret[length] = '\0';
    return length < size ? length + 1 : length;
}

static size_t do_put(size_t server, const uint8_t *data, size_t size)
{
    char name[LONGEST];
    size_t taken;

    if (size < 2)
        return size;
    if (data[0] < ARRAY_SIZE(users)) {
        put(server, users[data[0]], data[1]);
        return 2;
    }
    taken = take_name(data + 2, size - 2, name);
    if (*name)
        put(server, name, data[1]);
    return 2 + taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MOST_CALLS = 60 };
    size_t at = 0;

    fuzz_was_accepted = false;
    set_up();
    for (int calls = 0; at < size && calls < MOST_CALLS; calls++) {
        size_t server = data[at] % SERVERS;

        switch (data[at++] / SERVERS % 8) {
        case 0:
            erase(server);
            break;
        case 1:
            crash(server);
            break;
        case 2:
            check_list();
            break;
        default:
            at += do_put(server, data + at, size - at);
            break;
        }
        check_get(server);
    }
    for (size_t i = 0; i < SERVERS; i++)
        check_get(i);
    check_list();
    check_tree();
    tear_down();
    return 0;
}
