#pragma once

#include "gpg/context.h"
#include "helper/pass/store.h"

/*
 * Whether docker's entries can be written already: 0 with *ret_source, the .gpg-id file (or
 * variable) that names the recipients (owned by the caller, free with free()); SETUP_NO_STORE if
 * nothing names them; or negative if the store cannot be used. With is_subfolder only docker's own
 * directory counts.
 */
enum { SETUP_NO_STORE = 1 };
int setup_store_find(struct pass_store *store, struct gpg_context *gpg, bool is_subfolder,
                     char **ret_source, struct error *err) MUST_USE;

/*
 * The path of the .gpg-id that setup_store_init() will write; owned by the caller. NULL: out of
 * memory.
 */
char *setup_store_path(const struct pass_store *store, bool is_subfolder);

/* Writes it atomically, and creates the directories that it needs. 0 or negative. */
int setup_store_init(struct pass_store *store, bool is_subfolder, const char *fingerprint,
                     struct error *err) MUST_USE;
