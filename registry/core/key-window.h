#pragma once

#include "registry/core/key.h"
#include "registry/core/parallel.h"
#include "registry/storage/storage.h"

/*
 * Reads neighbouring keys of a remote storage together. A walk that visits directories in order asks
 * for each of them, and most answers come from the last page of keys, without a request. An answer
 * is as old as its page, so a window is for one walk. For one thread.
 *
 * Directories and keys are relative to the root; a directory is "" or ends with '/'.
 */
struct key_window {
    struct storage *storage; /* remote */
    const char *root;        /* a prefix */
    /* The rest is the window's. */
    struct storage_list page; /* all keys after this one, up to the last of the page */
    char after[KEY_SIZE];
    bool is_read;
    unsigned useless, skips; /* pages that did not answer, and how many are not read for that */
};

/* Free what it contains with key_window_done(). All borrowed. */
static inline struct key_window key_window_of(struct storage *storage, const char *root)
{
    return (struct key_window){.storage = storage, .root = root};
}
void key_window_done(struct key_window *window);

/* Like storage_list() of a directory, but may return more names if they need no further request. */
int key_window_list(struct key_window *window, const char *directory, const char *after,
                    size_t limit, struct storage_list *ret, struct error *err) MUST_USE;

/*
 * How many directories of a walk, from this one on, each need a request of their own, which may be
 * sent together with key_window_list_ahead(): at most KEY_WINDOW_AHEAD. 0: call key_window_list().
 */
enum { KEY_WINDOW_AHEAD = 8 };
size_t key_window_count_ahead(const struct key_window *window, const char *directory);

/*
 * Like key_window_list() from the first name on, for several directories at once. ret_lists has one
 * for each; free them with storage_list_done(), also after a failure.
 */
int key_window_list_ahead(struct key_window *window, struct parallel *parallel,
                          const char *const *directories, size_t count, size_t limit,
                          struct storage_list *ret_lists, struct error *err) MUST_USE;

/* Whether there is an object at the key, which lies below a directory of the root. */
int key_window_has(struct key_window *window, const char *key, bool *ret,
                   struct error *err) MUST_USE;
