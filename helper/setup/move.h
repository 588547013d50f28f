#pragma once

#include "helper/client/config.h"

/* The logins whose passwords stand in a client's file, on their way into the store. */
struct setup_move {
    const struct client_login *login;
    const char *stays; /* NULL, or why it stays in the file, in words */
    bool is_stored;    /* the store has it, as was read back */
};

struct setup_moves {
    struct client_logins logins;
    struct setup_move *items;
    size_t count;
};

/* All of a file's, or with host that one's. *ret is owned by the caller (setup_moves_done). 0 or negative. */
int setup_moves_find(const struct client_config *config, const char *host, struct setup_moves *ret,
                     struct error *err) MUST_USE;
void setup_moves_done(struct setup_moves *moves);

/* How many there are that can be moved. */
size_t setup_moves_count(const struct setup_moves *moves);

/*
 * Stores each and reads it back. What cannot be stored stays, and says why; so does a login that the store has
 * otherwise. Negative only where nothing can be stored at all: the store cannot be written, or be read again.
 */
int setup_moves_store(struct setup_moves *moves, struct error *err) MUST_USE;

/* Takes what is stored out of the file, in memory. 0 or negative. */
int setup_moves_take_out(const struct setup_moves *moves, struct client_config *config, struct error *err) MUST_USE;

/* Says what becomes (with is_plan: will become) of each. */
void setup_moves_tell(const struct setup_moves *moves, const char *path, bool is_plan);
