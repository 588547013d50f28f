#pragma once

#include "helper/pass/path.h"
#include "helper/pass/store.h"
#include "tests/unit/scratch.h"

/*
 * A password store for one test: PASSWORD_STORE_DIR is the scratch folder's "store", which is not
 * made yet, HOME is the scratch folder's "home", and no other variable of ours is set.
 */
int store_set_up(void **state);

#define store_test(function) scratch_test_with(function, store_set_up)

/* The folder of this server in the store, and where it lies. */
#define URL "https://example.com"
#define SERVER "aHR0cHM6Ly9leGFtcGxlLmNvbQ=="
#define BELOW_FOLDER "store/" PASS_FOLDER "/"
#define BELOW_SERVER BELOW_FOLDER SERVER "/"

/* Ended by pass_store_done(). */
struct pass_store open_store(void);
struct pass_store lock_store(void);

struct pass_path path_of(const char *url, const char *username);

/* A username of as many bytes and folders as there may be; valid for the whole run. */
const char *longest_username(void);
const char *deepest_username(void);
