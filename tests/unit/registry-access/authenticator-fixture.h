#pragma once

#include "registry/access/authenticator.h"

/*
 * An authenticator on the file "htpasswd" of the scratch directory. A failure of a function ends
 * the test.
 */

/* The authenticator's warnings since it was opened, one per line. */
extern char warnings[8192];
unsigned count_warnings(const char *part);

/* Free with secbuf_done(). */
struct secbuf secret(const char *text);

/* Adds "user:hash\n" to text. */
void append_user(char *text, size_t size, const char *user, const char *password, unsigned cost);

/*
 * Replaces the file atomically: `lines`, then these users, up to NULL, at cost 4 with the
 * password "<user>'s".
 */
void write_users(const char *lines, ...);

/* Free with authenticator_close(); options.path and the destination of warnings are set here. */
struct authenticator *open_with(struct authenticator_options options);
struct authenticator *open_users(void);
void authenticator_closep(struct authenticator **a);

enum auth_verdict look_up(struct authenticator *a, const char *user, const char *password);
enum auth_verdict verify(struct authenticator *a, const char *user, const char *password);
struct authenticator_counters counters_of(const struct authenticator *a);
