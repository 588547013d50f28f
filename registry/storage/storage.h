#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/folder-names.h"

/*
 * Where the store's contents lie. A key is a relative path, such as
 * "repositories/alpine/_layers/sha256/<hex>/link"; what is below "a/b/" is the folder "a/b".
 * Nothing above a driver knows of files: an object store can be another driver.
 *
 * Every function may be called from any thread, a session by one at a time. They return 0,
 * negative with err filled (in words that name the place), or:
 */
enum { DRIVER_NOT_FOUND = 1 };

struct driver_stat {
    uint64_t size;      /* of a content, in bytes; of a folder it means nothing */
    int64_t modified_s; /* since 1970 */
    uint64_t identity;  /* another one where the key got another content */
};

/*
 * For remove_unwanted(): keys that go together, or stay together where one of the witnesses, which are
 * contents, was made or wanted lately. A witness that is not there says nothing. All borrowed.
 */
struct driver_removal {
    const char *const *keys;
    size_t key_count;
    const char *const *witnesses;
    size_t witness_count;
    bool is_spared; /* set by remove_unwanted() */
};

/* What is wanted again so soon is not written down anew: what changes all the time cannot be remembered by readers. */
enum { DRIVER_WANTED_S = 60 };

/* Who has a storage beside us. */
enum driver_sharing {
    DRIVER_SERVES, /* others may, and what is missing of the folders is made */
    DRIVER_LOOKS,  /* likewise, but nothing is made */
    DRIVER_ALONE,  /* nobody may */
};

/* Implementations put these at the head of structs of their own. */
struct driver {
    const struct driver_type *type;
};
struct driver_reader {
    const struct driver_type *type;
};
/* A content that grows until it is published. */
struct driver_session {
    const struct driver_type *type;
};

/* One step of driver_publish(); all borrowed. */
enum driver_change_kind {
    DRIVER_PUT,    /* key gets the bytes of data */
    DRIVER_TAKE,   /* key gets what session holds, which is empty and of no use then */
    DRIVER_FOLDER, /* key becomes a folder, if it is none and if the driver knows of folders */
};

struct driver_change {
    enum driver_change_kind kind;
    const char *key;
    const void *data;
    size_t size;
    struct driver_session *session;
};

struct driver_type {
    void (*close)(struct driver *driver);
    int (*check)(struct driver *driver, struct error *err);

    /* Contents and folders; *ret may be of either. */
    int (*stat)(struct driver *driver, const char *key, struct driver_stat *ret, struct error *err);

    /* All of a content, at most limit bytes (more is a failure); *ret_bytes as of file_read_all(). */
    int (*read)(struct driver *driver, const char *key, size_t limit, char **ret_bytes, size_t *ret_size,
                struct error *err);

    /* A content for reading in part; it stays whole even when key is removed or gets another. */
    int (*open)(struct driver *driver, const char *key, struct driver_reader **ret, struct error *err);
    ssize_t (*reader_read)(struct driver_reader *reader, uint64_t offset, void *ret_data, size_t size);
    int (*reader_get_fd)(struct driver_reader *reader); /* of a file with the same bytes, borrowed; -1: there is none */
    void (*reader_close)(struct driver_reader *reader);

    /* The names in a folder. */
    int (*list)(struct driver *driver, const char *key, struct folder_names *ret, struct error *err);

    /* Up to n of them after that one (NULL: from the first), in order; their types are not known. */
    int (*list_after)(struct driver *driver, const char *key, const char *after, size_t n, struct folder_names *ret,
                      struct error *err);

    /*
     * Makes changes in their order, each at once or not at all; contents are safely kept before the
     * first of them is visible. After 0 all of them survive a power failure. A failure on the way
     * leaves those before it made.
     */
    int (*publish)(struct driver *driver, const struct driver_change *changes, size_t count, struct error *err);

    /*
     * Removes contents and folders with all that is in them; what is not there is no error. After 0
     * that survives a power failure.
     */
    int (*remove)(struct driver *driver, const char *const *keys, size_t count, struct error *err);

    /*
     * stat() of a content that somebody is going to rely on: remove_unwanted() spares it as if it had been made now,
     * give or take DRIVER_WANTED_S. Fails with EAGAIN where a removal is under way for longer than patience_ms.
     */
    int (*want)(struct driver *driver, const char *key, unsigned patience_ms, struct driver_stat *ret,
                struct error *err);

    /*
     * Removes what nobody made or wanted at before_s (since 1970) or later. To publish() and want(), in this process or
     * another, each removal is one step. After 0 that survives a power failure.
     */
    int (*remove_unwanted)(struct driver *driver, struct driver_removal *removals, size_t count, int64_t before_s,
                           struct error *err);

    /* Removes what was left by crashes at least age_s ago; all of it with 0. Nothing of it is visible by any key. */
    int (*clean)(struct driver *driver, int64_t age_s, struct error *err);

    /* Opens a session for the content that grows at key; it need not be there. Its folder is made, too. */
    int (*session_open)(struct driver *driver, const char *key, struct driver_session **ret, uint64_t *ret_size,
                        struct error *err);

    /* Where append fails, nothing of data is in the session. It need not survive a power failure. */
    int (*session_append)(struct driver_session *session, uint64_t offset, const void *data, size_t size,
                          struct error *err);
    ssize_t (*session_read)(struct driver_session *session, uint64_t offset, void *ret_data, size_t size);
    void (*session_close)(struct driver_session *session);

    /* A small content that need not survive a power failure either. */
    int (*note)(struct driver *driver, const char *key, const void *data, size_t size, struct error *err);
};
