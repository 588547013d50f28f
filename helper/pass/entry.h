#pragma once

#include "common/error.h"
#include "helper/pass/path.h"
#include "helper/pass/store.h"

enum { PASS_NOT_FOUND = 1 };

/*
 * The most bytes that an entry's file may have: a request has 1 MiB, in base64 and for many keys it
 * is less than this.
 */
enum { PASS_ENTRY_MAX = 16 << 20 };

/* An entry opened for reading; ended by pass_entry_done(). */
struct pass_entry {
    int fd;
    /* below its server's directory, with ".gpg" */
    char file[sizeof(((struct pass_path *)0)->file)];
    size_t username_size; /* file without ".gpg" is the username */
};

/*
 * Opens the entry of a server. Of several users the first one counts, bytewise and level by level.
 * A link to a file counts, and so does a link in place of a server's directory; links to
 * directories below it, dangling links and special files do not. Never waits for a lock or a pipe,
 * and sees a whole entry or none. If it finds none while the server's directory changes, it looks
 * again until the directory is stable, for 50 ms at most. 0, PASS_NOT_FOUND (ret is as before), or
 * negative.
 */
int pass_entry_open(const struct pass_store *store, const struct pass_path *path,
                    struct pass_entry *ret, struct error *err) MUST_USE;
void pass_entry_done(struct pass_entry *entry);

/* One server and its first user. */
struct pass_listed {
    unsigned char url[256];
    size_t url_size;
    char *username;
    size_t username_size;
};

struct pass_listing {
    struct pass_listed *items;
    size_t count;
};

/*
 * All servers that have an entry, sorted bytewise by URL. Directories that are no server's are
 * skipped. *ret is owned by the caller (pass_listing_done). 0 or negative.
 */
int pass_entry_list(const struct pass_store *store, struct pass_listing *ret,
                    struct error *err) MUST_USE;
void pass_listing_done(struct pass_listing *listing);
