/*
 * gpg's list of secret keys says which of them are on a card. It is read only if gpg decrypts and
 * nobody may be asked.
 */
#include "gpg/card-guard.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "gpg/card.h"
#include "gpg/context-private.h"
#include "gpg/home.h"
#include "gpg/message.h"
#include "gpg/watch.h"

enum { MESSAGE_MAX = 2 << 20, MOST_CARD_KEYS = 32 };

struct card_keys {
    struct card_key {
        char key_id[17], keygrip[2 * KEYGRIP_SIZE + 1];
    } items[MOST_CARD_KEYS];
    size_t count;
};

static void add_card_keys(gpgme_key_t key, struct card_keys *keys)
{
    for (gpgme_subkey_t s = key->subkeys; s && keys->count < MOST_CARD_KEYS; s = s->next)
        if (s->is_cardkey && s->can_encrypt && s->keyid && s->keygrip) {
            struct card_key *item = &keys->items[keys->count++];

            snprintf(item->key_id, sizeof(item->key_id), "%s", s->keyid);
            snprintf(item->keygrip, sizeof(item->keygrip), "%s", s->keygrip);
        }
}

/* If the keys cannot be listed, the decryption fails as well and reports why. */
static int list_card_keys(struct gpg_context *gpg, struct card_keys *ret, struct error *err)
{
    gpgme_key_t key;

    gpg_watch_begin(gpg);
    if (gpgme.set_keylist_mode(gpg->handle,
                               GPGME_KEYLIST_MODE_LOCAL | GPGME_KEYLIST_MODE_WITH_SECRET) == 0 &&
        gpgme.op_keylist_start(gpg->handle, NULL, 1) == 0)
        while (gpgme.op_keylist_next(gpg->handle, &key) == 0) {
            add_card_keys(key, ret);
            gpgme.key_unref(key);
        }
    gpgme.op_keylist_end(gpg->handle);
    return gpg_watch_end(gpg, false, true, err);
}

/* Whether the message may be for that key. */
static bool is_recipient(const struct message *message, const char *key_id)
{
    uint64_t id = strtoull(key_id, NULL, 16);

    for (size_t i = 0; i < message->key_count; i++)
        if (message->keys[i].key_id == id || message->keys[i].key_id == 0)
            return true;
    return false;
}

static const struct card_key *choose(const struct card_keys *keys, int fd)
{
    CLEANUP_FREE char *bytes = NULL;
    struct message message;
    size_t size;

    if (lseek(fd, 0, SEEK_SET) < 0 || file_read_all(fd, MESSAGE_MAX, &bytes, &size) < 0 ||
        message_parse((const unsigned char *)bytes, size, &message) < 0)
        return &keys->items[0]; /* of another form, so any key may decrypt it */
    for (size_t i = 0; i < keys->count; i++)
        if (is_recipient(&message, keys->items[i].key_id))
            return &keys->items[i];
    return NULL;
}

static bool find_card(struct gpg_context *gpg, const char *keygrip, struct gpg_card *ret)
{
    CLEANUP(assuan_done) struct assuan agent = ASSUAN_INIT;
    unsigned char grip[KEYGRIP_SIZE];
    char path[SOCKET_PATH_SIZE];
    struct assuan_line greeting;
    struct gpg_home home;
    unsigned byte;

    for (size_t i = 0; i < KEYGRIP_SIZE; i++) {
        if (sscanf(keygrip + 2 * i, "%2x", &byte) != 1)
            return false;
        grip[i] = (unsigned char)byte;
    }
    return gpg_home_find(gpgme.ctx_get_engine_info(gpg->handle)->home_dir, &home) == 0 &&
           gpg_home_find_socket(&home, GPG_AGENT_SOCKET, path) == 0 &&
           assuan_connect(path, &agent) == 0 && assuan_receive(&agent, &greeting) == 0 &&
           gpg_card_find(&agent, grip, ret);
}

int gpg_card_guard(struct gpg_context *gpg, int fd, const char *name, struct error *err)
{
    struct card_keys keys = {0};
    const struct card_key *key;
    struct gpg_card card = {.refusal = 0};
    int r = list_card_keys(gpg, &keys, err);

    if (r < 0)
        return error_wrap(err, "gpg cannot list its keys");
    key = keys.count > 0 ? choose(&keys, fd) : NULL;
    if (!key)
        return 0;
    if (!find_card(gpg, key->keygrip, &card))
        snprintf(card.serial, sizeof(card.serial), "(unknown)");
    return gpg_card_explain_untried(&card, name, err);
}
