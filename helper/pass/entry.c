/*
 * Finds entries. A reader takes no lock. If a writer replaces one user by another after the
 * directory was read and before the file is opened, the search is repeated.
 */
#include "helper/pass/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/directory-names.h"
#include "common/file.h"

enum { DEEPEST = 64, MOST_TRIES = 100, MOST_LOOKS = 100, PAUSE_NS = 500 * 1000 };

/* A search below a server's directory; on success `file` is the path found. */
struct search {
    char file[sizeof(((struct pass_entry *)0)->file)];
    int depth;
    bool has_names; /* some directory was not empty */
    bool has_age_file;
    bool is_opening;
    int fd; /* of the file found, if is_opening */
    bool is_dating;
    struct timespec changed; /* if is_dating: the last change of any directory looked at */
};

enum search_result { SEARCH_NONE, SEARCH_FOUND };

static int search_directory(struct search *search, int fd, size_t used);

static bool ends_in(const char *name, const char *suffix)
{
    size_t length = strlen(name), suffix_length = strlen(suffix);

    return length > suffix_length && strcmp(name + length - suffix_length, suffix) == 0;
}

/* Whether a directory was removed or replaced (-ELOOP: by a link) after its name was read. */
static bool is_absence(int r)
{
    return r == -ENOENT || r == -ENOTDIR || r == -ELOOP;
}

static int search_subdirectory(struct search *search, int fd, size_t used)
{
    const char *name = search->file + used;
    CLEANUP_CLOSE int sub_fd = -1;
    size_t end = used + strlen(name);
    int r;

    if (search->depth == DEEPEST || end + 1 >= sizeof(search->file) || strcmp(name, ".git") == 0)
        return SEARCH_NONE;
    sub_fd = file_open_real_directory(fd, name);
    if (sub_fd < 0) /* removed meanwhile, or a link */
        return is_absence(sub_fd) ? SEARCH_NONE : sub_fd;
    search->file[end] = '/';
    search->depth++;
    r = search_directory(search, sub_fd, end + 1);
    search->depth--;
    return r;
}

/*
 * Opens a file that the search has found. -ENOENT if it was removed meanwhile or is no longer a
 * regular file.
 */
static int open_found(struct search *search, int fd, const char *name)
{
    struct stat st;
    int file_fd = file_open_regular(fd, name, &st);

    if (file_fd < 0)
        return file_fd == -EINVAL ? -ENOENT : file_fd;
    if (st.st_size > PASS_ENTRY_MAX) {
        close(file_fd);
        return -EFBIG;
    }
    search->fd = file_fd;
    return SEARCH_FOUND;
}

static bool is_before(struct timespec a, struct timespec b)
{
    return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/* Uses the ctime: unlike the mtime, programs cannot set it back. */
static int note_change(struct search *search, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (is_before(search->changed, st.st_ctim))
        search->changed = st.st_ctim;
    return 0;
}

/* SEARCH_FOUND with search->file, SEARCH_NONE, or -errno. */
static int search_directory(struct search *search, int fd, size_t used)
{
    CLEANUP(directory_names_done) struct directory_names names = {0};
    int r = search->is_dating ? note_change(search, fd) : 0;

    if (r == 0)
        r = directory_names_read(fd, &names);
    search->has_names |= names.count > 0;
    for (size_t i = 0; r == 0 && i < names.count; i++) {
        const char *name = names.names[i]->text;
        size_t size = strlen(name) + 1;
        mode_t kind;

        if (size > sizeof(search->file) - used)
            continue;
        memcpy(search->file + used, name, size);
        search->has_age_file |= ends_in(name, ".age");
        kind = directory_names_get_kind(&names, i, fd);
        if (kind == S_IFDIR)
            r = search_subdirectory(search, fd, used);
        else if (kind == S_IFREG && pass_path_is_entry(name))
            return search->is_opening ? open_found(search, fd, name) : SEARCH_FOUND;
    }
    return r;
}

/*
 * Searches a server's directory. While the search descends to one user, a writer may add another
 * user in a directory that was already searched, and then remove the first. So if there are names
 * but no entry, the search is repeated until no directory has changed since the previous search
 * began: then all directories were read in the state of one moment. The clock is that of the
 * kernel's file times, which advances only every few milliseconds.
 */
static int search_server(struct search *search, int fd)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct timespec began, before = {0};
    int r = 0;

    for (int look = 0; look < MOST_LOOKS; look++) {
        clock_gettime(CLOCK_REALTIME_COARSE, &began);
        search->is_dating = look > 0;
        r = search_directory(search, fd, 0);
        if (r != 0 || !search->has_names || (look > 0 && is_before(search->changed, before)))
            break;
        before = began;
        search->changed = (struct timespec){0};
        if (look > 0)
            nanosleep(&pause, NULL);
        if (lseek(fd, 0, SEEK_SET) < 0)
            return -errno;
    }
    return r;
}

static int open_once(const struct pass_store *store, const struct pass_path *path,
                     struct pass_entry *ret, struct search *search)
{
    CLEANUP_CLOSE int server_fd = file_open_directory(store->directory_fd, path->directory);
    int r;

    if (server_fd == -ENOENT || server_fd == -ENOTDIR)
        return PASS_NOT_FOUND;
    if (server_fd < 0)
        return server_fd;
    r = search_server(search, server_fd);
    if (r != SEARCH_FOUND)
        return r == SEARCH_NONE ? PASS_NOT_FOUND : r;
    ret->fd = search->fd;
    memcpy(ret->file, search->file, sizeof(ret->file));
    ret->username_size = strlen(ret->file) - strlen(PASS_SUFFIX);
    return 0;
}

int pass_entry_open(const struct pass_store *store, const struct pass_path *path,
                    struct pass_entry *ret, struct error *err)
{
    struct search search = {0};
    int r = -ENOENT;

    if (store->directory_fd < 0)
        return PASS_NOT_FOUND;
    for (int try = 0; r == -ENOENT && try < MOST_TRIES; try++) {
        search = (struct search){.is_opening = true, .fd = -1};
        r = open_once(store, path, ret, &search);
    }
    if (r == -EFBIG)
        return error_set(err, EFBIG,
                         "%s/" PASS_DIRECTORY
                         "/%s/%s is larger than any credential (%d MiB); it was not written "
                         "by docker login",
                         store->root, path->directory, search.file, PASS_ENTRY_MAX >> 20);
    if (r < 0)
        return error_set_errno(err, -r, "cannot read %s/" PASS_DIRECTORY "/%s/%s", store->root,
                               path->directory, search.file);
    if (r == PASS_NOT_FOUND && search.has_age_file)
        return error_set(err, ENOTSUP,
                         "%s is a gopass store with age encryption, which cannot be read here; "
                         "use one with gpg (set PASSWORD_STORE_DIR)",
                         store->root);
    return r;
}

void pass_entry_done(struct pass_entry *entry)
{
    if (entry->fd >= 0)
        close(entry->fd);
    entry->fd = -1;
}

/* Fills item for a server's directory. 0, PASS_NOT_FOUND if it has no entry, or -errno. */
static int read_server(int directory_fd, const char *name, struct pass_listed *item)
{
    CLEANUP_CLOSE int server_fd = -1;
    struct search search = {0};
    int r;

    if (pass_path_parse_directory(name, item->url, &item->url_size) < 0)
        return PASS_NOT_FOUND;
    server_fd = file_open_directory(directory_fd, name);
    if (server_fd < 0)
        return is_absence(server_fd) ? PASS_NOT_FOUND : server_fd;
    r = search_server(&search, server_fd);
    if (r != SEARCH_FOUND)
        return r == SEARCH_NONE ? PASS_NOT_FOUND : r;
    item->username_size = strlen(search.file) - strlen(PASS_SUFFIX);
    item->username = strndup(search.file, item->username_size);
    return item->username ? 0 : -ENOMEM;
}

static int compare_urls(const void *a, const void *b)
{
    const struct pass_listed *left = a, *right = b;
    size_t common = left->url_size < right->url_size ? left->url_size : right->url_size;
    int order = memcmp(left->url, right->url, common);

    return order ? order : (left->url_size > right->url_size) - (left->url_size < right->url_size);
}

static int list_servers(int fd, const struct directory_names *names, struct pass_listing *ret,
                        const char **ret_name)
{
    for (size_t i = 0; i < names->count; i++) {
        int r;

        *ret_name = names->names[i]->text;
        if (directory_names_get_kind(names, i, fd) != S_IFDIR)
            continue;
        r = read_server(fd, *ret_name, &ret->items[ret->count]);
        if (r < 0)
            return r;
        ret->count += r == 0 ? 1 : 0;
    }
    return 0;
}

int pass_entry_list(const struct pass_store *store, struct pass_listing *ret, struct error *err)
{
    CLEANUP(directory_names_done) struct directory_names names = {0};
    CLEANUP(pass_listing_done) struct pass_listing listing = {0};
    const char *name = "";
    int r = 0;

    if (store->directory_fd >= 0) {
        lseek(store->directory_fd, 0, SEEK_SET); /* an earlier listing moved the position */
        r = directory_names_read(store->directory_fd, &names);
    }
    if (r == 0 && names.count > 0) {
        listing.items = calloc(names.count, sizeof(*listing.items));
        r = listing.items ? list_servers(store->directory_fd, &names, &listing, &name) : -ENOMEM;
    }
    if (r < 0)
        return error_set_errno(err, -r, "cannot read %s/" PASS_DIRECTORY "/%s", store->root, name);
    if (listing.count > 1)
        qsort(listing.items, listing.count, sizeof(*listing.items), compare_urls);
    *ret = listing;
    listing = (struct pass_listing){0};
    return 0;
}

void pass_listing_done(struct pass_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->items[i].username);
    free(listing->items);
    *listing = (struct pass_listing){0};
}
