#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The failed logins since the server's start, for the page of health: their number and the last
 * ones. Any thread may call these functions; they do no I/O.
 */
struct failed_logins;

enum { FAILED_LOGINS_KEPT = 20, FAILED_LOGIN_USER_MAX = 64, FAILED_LOGIN_ADDRESS_MAX = 64 };

struct failed_login {
    int64_t time_s;                          /* since 1970 */
    char user[FAILED_LOGIN_USER_MAX + 1];    /* as the client sent it; a longer one is cut */
    char address[FAILED_LOGIN_ADDRESS_MAX + 1];
};

struct failed_logins_seen {
    uint64_t count;
    int64_t since_s; /* since 1970 */
    struct failed_login last[FAILED_LOGINS_KEPT]; /* the newest first */
    size_t last_count;
};

struct failed_logins *failed_logins_new(void); /* NULL: out of memory */
void failed_logins_free(struct failed_logins *logins); /* accepts NULL */

void failed_logins_add(struct failed_logins *logins, const void *user, size_t user_size,
                       const char *address);
void failed_logins_get(struct failed_logins *logins, struct failed_logins_seen *ret);
