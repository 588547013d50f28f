#pragma once

/* What `docker-credential-pass --help` prints. It begins with the usage line of Docker's helpers.
 */
extern const char help_text[];

/* That line alone, and what a person at a terminal gets below it. */
extern const char help_usage[], help_hint[];

/* What `docker-credential-pass VERB --help` prints for a verb of the protocol; NULL: no such verb.
 */
const char *help_find(const char *verb);
