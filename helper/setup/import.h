#pragma once

#include "helper/client/config.h"
#include "helper/setup/other-helper.h"

/* `setup --from HELPER`: the logins of another credential helper on their way into the store. */
enum setup_import_result {
    SETUP_IMPORT_PLANNED,
    SETUP_IMPORT_DONE,  /* stored, read back and compared */
    SETUP_IMPORT_EMPTY, /* the helper lists the server, but has no login for it */
    /* the store cannot keep it: docker goes on asking the other helper for that server */
    SETUP_IMPORT_STAYS,
};

struct setup_import {
    const char *helper; /* borrowed; NULL: nothing is imported */
    struct other_servers servers;
    enum setup_import_result *results;
};

/*
 * Asks the helper for its servers, not for passwords. *ret is owned by the caller
 * (setup_import_done). 0 or negative.
 */
int setup_import_find(const char *helper, struct setup_import *ret, struct error *err) MUST_USE;
void setup_import_done(struct setup_import *import);

/*
 * Gets, stores and compares each login. Negative, with nothing lost, if the helper does not return
 * a login or the store has another one.
 */
int setup_import_store(struct setup_import *import, struct error *err) MUST_USE;

/*
 * A server for which credHelpers names the helper, or NULL. Borrowed, valid until the next change.
 */
const char *setup_import_find_host(const struct client_config *config, const char *helper);

/*
 * In memory: makes credHelpers name this program in place of the other one, and the other one for
 * servers whose login stays there. 0 or negative.
 */
int setup_import_switch(const struct setup_import *import, struct client_config *config,
                        struct error *err) MUST_USE;

/* --erase: removes the imported logins from the other helper. 0 or negative. */
int setup_import_erase(const struct setup_import *import, struct error *err) MUST_USE;

/* Prints what will happen, or has happened, to each login. */
void setup_import_tell(const struct setup_import *import);
