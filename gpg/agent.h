#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gpg/context.h"

/* What gpg-agent knows, asked by GnuPG's own programs (which start it as gpg does), each for ten seconds at most. */
struct gpg_agent_key {
    bool is_on_card;
    bool is_protected; /* by a passphrase */
    bool is_cached;    /* the agent has the passphrase still, and will not ask */
};

/* About a secret key, by keygrip. 0, GPG_AGENT_NO_KEY, or negative: the agent cannot be reached, and why. */
enum { GPG_AGENT_NO_KEY = 1 };
int gpg_agent_find_key(const char *keygrip, struct gpg_agent_key *ret, struct error *err) MUST_USE;

/*
 * Whether a passphrase or a card may be needed for one of the secret keys that the agent has: true also if it does not say,
 * as it does to a remote machine.
 */
bool gpg_agent_may_have_locked_key(void);

/* That from what the agent answers to KEYINFO --list. Pure. */
bool gpg_agent_parse_locked(const char *output);

/* That from what the agent answers to KEYINFO. 0 or GPG_AGENT_NO_KEY. Pure. */
int gpg_agent_parse_keyinfo(const char *output, const char *keygrip, struct gpg_agent_key *ret) MUST_USE;

/*
 * How often the passphrase of a key's file is hashed before each use (OpenPGP's S2K count), from
 * private-keys-v1.d/<keygrip>.key in gpg's home folder. 0; or GPG_AGENT_NO_KEY where there is no such file or no passphrase.
 */
int gpg_agent_get_s2k_count(const char *keygrip, uint64_t *ret, struct error *err) MUST_USE;

/* That count from the file's bytes; false where there is none. Pure. */
bool gpg_agent_parse_s2k_count(const void *key_file, size_t size, uint64_t *ret);

/* gpg's home folder ($GNUPGHOME or ~/.gnupg) and its agent's socket, as gpg finds them (`gpgconf --list-dirs`); owned by the caller, free with free(). */
int gpg_find_home(char **ret_path, struct error *err) MUST_USE;
int gpg_agent_find_socket(char **ret_path, struct error *err) MUST_USE;

/*
 * The value of an option in the text of a configuration file of GnuPG, "" for none; NULL where it is not there or memory
 * is out. Owned by the caller, free with free(). Pure.
 */
char *gpg_agent_parse_option(const char *text, const char *name);

/* Whether gpg-agent.conf has that option: the user's or the system's; and whether the user's has it. */
bool gpg_agent_has_option(const char *name);
bool gpg_agent_is_own_option(const char *name);

/*
 * The program that asks for passphrases: pinentry-program of gpg-agent.conf, else the standard one; and that one alone. The
 * program of gpg-agent itself. Each is a path that need not exist; owned by the caller, free with free(). 0 or negative.
 */
int gpg_agent_find_pinentry(char **ret_path, struct error *err) MUST_USE;
int gpg_agent_find_standard_pinentry(char **ret_path, struct error *err) MUST_USE;
int gpg_agent_find_program(char **ret_path, struct error *err) MUST_USE;

/*
 * The process id of the user's gpg-agent that listens at socket_path and does not answer within ten seconds. 0 if it
 * answers, or if nobody listens, or another program does (sshd, for a forwarded agent).
 */
pid_t gpg_agent_find_hung(const char *socket_path);
