#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * Rootless podman and buildah run their helpers as uid 0 of a user namespace. GnuPG takes the path
 * of its sockets from the uid (/run/user/<uid>/gnupg), so there it does not find the agent and the
 * keyboxd of the user outside, and starts others, which know no passphrase and wait for the locks
 * of the first.
 */

/*
 * If the daemons of the user outside have another socket directory, becomes that user by entering a
 * user namespace of its own, in which the uid is the same as outside. All programs that are started
 * afterwards find the daemons. Does nothing if the kernel refuses the namespace. The process must
 * have one thread, and must be dumpable, because /proc belongs to root otherwise.
 */
void gpg_outer_user_become(void);

/* The uid of this process outside of its user namespace. False if it is the same. */
bool gpg_outer_user_find(uid_t *ret);

/*
 * The id outside a user namespace, from the text of /proc/self/uid_map or gid_map. False if the id
 * has none. Pure.
 */
bool gpg_outer_user_map(const char *map, unsigned inside, unsigned *ret_outside);
