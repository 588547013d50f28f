#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "gpg/words.h"

/*
 * The value of an option in the text of a configuration file of GnuPG; "" if the option has no
 * value. NULL if the option is missing or memory is exhausted. Owned by the caller, free with
 * free(). Pure.
 */
char *gpg_agent_parse_option(const char *text, const char *name);

/*
 * Whether gpg-agent.conf has that option: the user's or the system's; and whether the user's has
 * it.
 */
bool gpg_agent_has_option(const char *name);
bool gpg_agent_is_own_option(const char *name);

/*
 * The paths of gpg-agent, of the program that asks for passphrases (pinentry-program of
 * gpg-agent.conf, else the standard one), and of the standard one. The program may be missing.
 * Owned by the caller, free with free(). 0 or negative.
 */
int gpg_agent_find_program(char **ret_path, struct error *err) MUST_USE;
int gpg_agent_find_pinentry(char **ret_path, struct error *err) MUST_USE;
int gpg_agent_find_standard_pinentry(char **ret_path, struct error *err) MUST_USE;

/*
 * The exit status of `gpg-agent --gpgconf-test` if a configuration file has an error that prevents
 * the agent from starting.
 */
enum { GPG_AGENT_REFUSES = 2 };

/*
 * Whether gpg-agent would start with its configuration files. If not, ret_words is the agent's
 * message, in the user's language. Also true if the program cannot be run. GnuPG 2.2 ignores
 * unknown options; 2.4 does not start with them.
 */
bool gpg_agent_accepts_conf(const char *program, char ret_words[GPG_WORDS_SIZE]);
