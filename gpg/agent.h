#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gpg/context.h"

/*
 * Queries to gpg-agent. They run GnuPG's own programs, which start the agent as gpg does. Each
 * takes at most ten seconds.
 */
struct gpg_agent_key {
    bool is_on_card;
    bool is_protected; /* by a passphrase */
    bool is_cached;    /* the agent has the passphrase in its cache, and will not ask */
};

/*
 * Looks up a secret key by its keygrip. 0, GPG_AGENT_NO_KEY, or negative if the agent cannot be
 * reached.
 */
enum { GPG_AGENT_NO_KEY = 1 };
int gpg_agent_find_key(const char *keygrip, struct gpg_agent_key *ret, struct error *err) MUST_USE;

/*
 * Whether one of the agent's secret keys may need a passphrase or a card. Also true if the agent
 * does not say: a restricted agent tells nothing to a remote machine.
 */
bool gpg_agent_may_have_locked_key(void);

/* Reads the same from the agent's answer to KEYINFO --list. Pure. */
bool gpg_agent_parse_locked(const char *output);

/* Reads the agent's answer to KEYINFO. 0 or GPG_AGENT_NO_KEY. Pure. */
int gpg_agent_parse_keyinfo(const char *output, const char *keygrip,
                            struct gpg_agent_key *ret) MUST_USE;

/*
 * How often the passphrase of a key's file is hashed before each use (OpenPGP's S2K count), from
 * private-keys-v1.d/<keygrip>.key in gpg's home directory. 0; GPG_AGENT_NO_KEY if the file or
 * the passphrase does not exist; or negative.
 */
int gpg_agent_get_s2k_count(const char *keygrip, uint64_t *ret, struct error *err) MUST_USE;

/* Reads that count from the file's bytes. False if the key has no passphrase. Pure. */
bool gpg_agent_parse_s2k_count(const void *key_file, size_t size, uint64_t *ret);

/*
 * The process id of the user's gpg-agent if it listens at socket_path and does not answer within
 * ten seconds. 0 if it answers, if nothing listens there, or if another program listens there
 * (sshd, for a forwarded agent).
 */
pid_t gpg_agent_find_hung(const char *socket_path);
