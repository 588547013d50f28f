#pragma once

#include "helper/pass/path.h"
#include "helper/pass/store.h"
#include "tests/unit/scratch.h"

/*
 * A password store for one test: PASSWORD_STORE_DIR is "store" in the scratch directory, which does
 * not exist yet, HOME is "home" in it, and no other variable of the helper is set.
 */
int store_set_up(void **state);

#define store_test(function) scratch_test_with(function, store_set_up)

/* A server, its directory in the store, and the path of that directory. */
#define URL "https://example.com"
#define SERVER "aHR0cHM6Ly9leGFtcGxlLmNvbQ=="
#define BELOW_DIRECTORY "store/" PASS_DIRECTORY "/"
#define BELOW_SERVER BELOW_DIRECTORY SERVER "/"

/* Free with pass_store_done(). */
struct pass_store open_store(void);
struct pass_store lock_store(void);

struct pass_path path_of(const char *url, const char *username);

/* A username with the maximum number of bytes and components; valid for the whole run. */
const char *longest_username(void);
const char *deepest_username(void);
