#pragma once

#include "common/error.h"
#include "helper/pass/path.h"
#include "helper/pass/store.h"

enum { PASS_NOT_FOUND = 1 };

/*
 * The largest entry that is read, in bytes. A request has at most 1 MiB, and in base64 and for many
 * keys it is still smaller than this.
 */
enum { PASS_ENTRY_MAX = 16 << 20 };

/* An entry opened for reading; close it with pass_entry_done(). */
struct pass_entry {
    int fd;
    /* below its server's directory, with ".gpg" */
    char file[sizeof(((struct pass_path *)0)->file)];
    size_t username_size; /* file without ".gpg" is the username */
};

/*
 * Opens the entry of a server. If there are several users, returns the first in byte order, level
 * by level. Follows a link to a file and a link in place of the server's directory, but no link to
 * a directory below it. Ignores dangling links and special files. Never waits for a lock or a pipe,
 * and returns a complete entry or none. If it finds none while the server's directory changes, it
 * searches again until the directory is stable, for at most 50 ms. 0, PASS_NOT_FOUND (ret is
 * unchanged), or negative.
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
 * All servers that have an entry, sorted bytewise by URL. Skips directories whose names are not
 * server URLs in base64. *ret is owned by the caller (pass_listing_done). 0 or negative.
 */
int pass_entry_list(const struct pass_store *store, struct pass_listing *ret,
                    struct error *err) MUST_USE;
void pass_listing_done(struct pass_listing *listing);
