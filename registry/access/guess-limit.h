#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"

/*
 * Limits how often wrong passwords may be tried, by user and address and (ten times as often) by
 * address alone. So an attacker at another address cannot lock a user out. Any thread may call
 * these functions.
 *
 * It remembers the last few thousand of them, as digests keyed with a random number; who is
 * forgotten may begin anew. Of an IPv6 address the first 64 bits count, for the rest is the
 * client's own to choose.
 */
struct guess_limit;

/*
 * per_minute is the number of wrong passwords for one user from one address, which may also come at
 * once. NULL: out of memory.
 */
struct guess_limit *guess_limit_new(unsigned per_minute);
/* Accepts NULL. */
void guess_limit_free(struct guess_limit *limit);

/* Times are of one clock that never goes back, in milliseconds. user is of any bytes. */

/* How long until the next password may be tried, in milliseconds; 0: now. */
uint64_t guess_limit_get_wait(struct guess_limit *limit, const char *address, const void *user,
                              size_t user_size, uint64_t now_ms) MUST_USE;

/* Records for an hour that this user has logged in from this address. */
void guess_limit_note_login(struct guess_limit *limit, const char *address, const void *user,
                            size_t user_size, uint64_t now_ms);

/*
 * Whether that is recorded: then the guesses of others at this address must not lock the user out.
 */
bool guess_limit_has_login(struct guess_limit *limit, const char *address, const void *user,
                           size_t user_size, uint64_t now_ms) MUST_USE;

/* Counts a wrong password. */
void guess_limit_count(struct guess_limit *limit, const char *address, const void *user,
                       size_t user_size, uint64_t now_ms);
