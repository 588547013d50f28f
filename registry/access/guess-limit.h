#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"

/*
 * Limits how often wrong passwords may be tried: for each pair of user and address, and ten times
 * as often for each address. So an attacker at another address cannot lock a user out. Any thread
 * may call these functions.
 *
 * It remembers a few thousand keys, as digests with a random number; a key that was displaced
 * starts again. Only the first 64 bits of an IPv6 address count, because the client can choose the
 * rest.
 */
struct guess_limit;

/*
 * per_minute is the number of wrong passwords for one user from one address; they may also arrive
 * at once. Returns NULL if memory is exhausted.
 */
struct guess_limit *guess_limit_new(unsigned per_minute);
/* Accepts NULL. */
void guess_limit_free(struct guess_limit *limit);

/* All times are in milliseconds of one monotonic clock. user may contain any bytes. */

/* Returns how many milliseconds must pass until the next password may be tried; 0: none. */
uint64_t guess_limit_get_wait(struct guess_limit *limit, const char *address, const void *user,
                              size_t user_size, uint64_t now_ms) MUST_USE;

/* Records for an hour that this user has logged in from this address. */
void guess_limit_note_login(struct guess_limit *limit, const char *address, const void *user,
                            size_t user_size, uint64_t now_ms);

/*
 * Whether such a login is recorded. Then guesses of others at this address must not lock the user
 * out.
 */
bool guess_limit_has_login(struct guess_limit *limit, const char *address, const void *user,
                           size_t user_size, uint64_t now_ms) MUST_USE;

/* Counts a wrong password. */
void guess_limit_count(struct guess_limit *limit, const char *address, const void *user,
                       size_t user_size, uint64_t now_ms);
