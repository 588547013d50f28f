/*
 * A password is taken out of a file only when the store has given it back. Until the file is
 * written, once and for all of them, it is in both places, so a kill loses nothing.
 */
#include "helper/setup/move.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "helper/terminal.h"
#include "helper/vault.h"

int setup_moves_find(const struct client_config *config, const char *host, struct setup_moves *ret, struct error *err)
{
    CLEANUP(setup_moves_done) struct setup_moves moves = {0};
    int r = client_config_list_logins(config, &moves.logins, err);

    if (r < 0)
        return r;
    moves.items = calloc(moves.logins.count + 1, sizeof(*moves.items));
    if (!moves.items)
        return error_set_oom(err);
    for (size_t i = 0; i < moves.logins.count; i++) {
        const struct client_login *login = &moves.logins.items[i];

        if (!host || strcmp(login->host, host) == 0)
            moves.items[moves.count++] = (struct setup_move){.login = login, .stays = login->problem};
    }
    *ret = moves;
    moves = (struct setup_moves){0};
    return 0;
}

void setup_moves_done(struct setup_moves *moves)
{
    client_logins_done(&moves->logins);
    free(moves->items);
    *moves = (struct setup_moves){0};
}

size_t setup_moves_count(const struct setup_moves *moves)
{
    size_t count = 0;

    for (size_t i = 0; i < moves->count; i++)
        count += !moves->items[i].stays;
    return count;
}

/* --- one of them ----------------------------------------------------------------------------- */

/* Whether the store has that login: 0 where it has none, one of these, or negative. */
enum { HAS_SAME = 1, HAS_OTHER = 2 };

static int look_up(const struct client_login *login, struct error *err)
{
    CLEANUP(credential_done) struct credential stored = {0};
    int r;

    if (secbuf_append(&stored.server_url, login->host, strlen(login->host)) < 0)
        return error_set_oom(err);
    r = vault_get(&stored, err);
    if (r == VAULT_NOT_FOUND)
        return 0;
    if (r < 0)
        return r;
    return secbuf_is_equal(&stored.username, &login->username) && secbuf_is_equal(&stored.secret, &login->secret)
               ? HAS_SAME
               : HAS_OTHER;
}

static int put(const struct client_login *login, struct error *err)
{
    CLEANUP(credential_done) struct credential credential = {0};

    if (secbuf_append(&credential.server_url, login->host, strlen(login->host)) < 0 ||
        secbuf_append(&credential.username, login->username.data, login->username.size) < 0 ||
        secbuf_append(&credential.secret, login->secret.data, login->secret.size) < 0)
        return error_set_oom(err);
    return vault_put(&credential, err);
}

/* What is wrong with this login alone, and no reason to think that others fail. */
static bool is_its_own_fault(int r)
{
    return r == -ENAMETOOLONG || r == -EINVAL || r == -EISDIR || r == -ENOTDIR;
}

static int move_one(struct setup_move *move, struct error *err)
{
    int r = look_up(move->login, err);

    if (r == 0) {
        r = put(move->login, err);
        if (is_its_own_fault(r)) {
            move->stays = "the store cannot take its server or username";
            return 0;
        }
        if (r == 0)
            r = look_up(move->login, err);
        if (r == 0)
            return error_set(err, EIO, "the login for %s was stored, but is not found again; nothing was taken out of any "
                             "file", move->login->host);
    }
    if (r < 0)
        return r;
    move->is_stored = r == HAS_SAME;
    if (r == HAS_OTHER)
        move->stays = "the store has another login for that server already, which is used from now on";
    return 0;
}

int setup_moves_store(struct setup_moves *moves, struct error *err)
{
    for (size_t i = 0; i < moves->count; i++) {
        int r = moves->items[i].stays ? 0 : move_one(&moves->items[i], err);

        if (r < 0)
            return r;
    }
    return 0;
}

int setup_moves_take_out(const struct setup_moves *moves, struct client_config *config, struct error *err)
{
    for (size_t i = 0; i < moves->count; i++) {
        int r = moves->items[i].is_stored ? client_config_remove_secret(config, moves->items[i].login->host, err) : 0;

        if (r < 0)
            return r;
    }
    return 0;
}

void setup_moves_tell(const struct setup_moves *moves, const char *path, bool is_plan)
{
    for (size_t i = 0; i < moves->count; i++) {
        const struct setup_move *move = &moves->items[i];

        if (move->stays)
            terminal_say(stdout, TERMINAL_WARNING, "the login for %s stays in %s: %s", move->login->host, path,
                         move->stays);
        else if (is_plan)
            terminal_say(stdout, TERMINAL_WOULD, "move the password for %s from %s into the store", move->login->host,
                         path);
        else if (move->is_stored)
            terminal_say(stdout, TERMINAL_DONE, "the password for %s is in the store, and out of %s", move->login->host,
                         path);
    }
}
