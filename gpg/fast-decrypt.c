/*
 * Starting gpg takes ten times as long as decrypting. This file decrypts without gpg, for the one
 * kind of message and key that nearly everybody has. If anything is not exactly as expected it
 * declines, so a wrong assumption about gpg only costs time.
 */
#include "gpg/fast-decrypt.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "gpg/agent-client.h"
#include "gpg/agent-options.h"
#include "gpg/card.h"
#include "gpg/explain.h"
#include "gpg/home.h"
#include "gpg/keyboxd.h"
#include "gpg/keygrip.h"
#include "gpg/literal.h"
#include "gpg/patience.h"
#include "gpg/sealed.h"
#include "gpg/tty.h"

enum {
    LARGEST_MESSAGE = (1 << 20) + (16 << 10),
    LARGEST_KEYBOX = 4 << 20,
};

/* A key that the message is for and that the keyring has. */
struct candidate {
    struct keybox_entry entry;
    /* owned: the bytes that the entry points into, if it came from keyboxd */
    unsigned char *keyblock;
    const struct session_packet *session;
    unsigned char fingerprint[FINGERPRINT_SIZE];
    unsigned char keygrip[KEYGRIP_SIZE];
};

struct candidates {
    struct candidate items[MESSAGE_MOST_KEYS];
    size_t count;
};

/* The public inputs of a decryption. */
struct attempt {
    const struct gpg_options *options;
    struct gpg_home home;
    char *message_bytes, *keybox_bytes;
    size_t message_size, keybox_size;
    struct message message;
    struct candidates candidates;
    struct assuan keyboxd, agent;
    bool is_restricted; /* the agent */
};

static void attempt_done(struct attempt *attempt)
{
    free(attempt->message_bytes);
    free(attempt->keybox_bytes);
    for (size_t i = 0; i < attempt->candidates.count; i++)
        free(attempt->candidates.items[i].keyblock);
    assuan_done(&attempt->keyboxd);
    assuan_done(&attempt->agent);
}

static int decline(struct error *err, const char *why)
{
    error_set(err, ENOTSUP, "%s", why);
    return GPG_FAST_DECLINED;
}

static bool is_switched_off(void)
{
    const char *value = getenv("DOCKER_CREDENTIAL_PASS_FAST");

    return !FAST_DECRYPT || (value && strcmp(value, "0") == 0);
}

/* --- what is on the disk --------------------------------------------------------------------- */

/* Reads a regular file from its start; only regular files have a known size. */
static int read_file(int fd, size_t limit, char **ret_bytes, size_t *ret_size)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
        (uint64_t)st.st_size > limit || lseek(fd, 0, SEEK_SET) < 0)
        return -ENOTSUP;
    return file_read_all(fd, (size_t)st.st_size, ret_bytes, ret_size);
}

static int read_keybox(struct attempt *attempt)
{
    CLEANUP_CLOSE int directory_fd = file_open_directory(AT_FDCWD, attempt->home.path), fd = -1;

    if (directory_fd < 0)
        return directory_fd;
    fd = openat(directory_fd, "pubring.kbx", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return read_file(fd, LARGEST_KEYBOX, &attempt->keybox_bytes, &attempt->keybox_size);
}

static int find_key(struct attempt *attempt, uint64_t key_id, struct candidate *ret)
{
    if (attempt->home.uses_keyboxd)
        return keyboxd_find(&attempt->keyboxd, key_id, &ret->entry, &ret->keyblock);
    return keybox_find((const unsigned char *)attempt->keybox_bytes, attempt->keybox_size, key_id,
                       &ret->entry);
}

/* 0: a candidate; -ENOENT, -ENOTSUP: try the message's next key; other: decline. */
static int find_candidate(struct attempt *attempt, const struct session_packet *session,
                          struct candidate *ret)
{
    int r = find_key(attempt, session->key_id, ret);

    if (r == 0 && ret->entry.key.algorithm != session->algorithm)
        r = -EBADMSG;
    if (r == 0)
        r = public_key_fingerprint(&ret->entry.key, ret->fingerprint);
    if (r == 0 && memcmp(ret->entry.fingerprint, ret->fingerprint, FINGERPRINT_SIZE) != 0)
        r = -EBADMSG;
    if (r == 0)
        r = public_key_keygrip(&ret->entry.key, ret->keygrip);
    ret->session = session;
    if (r < 0) {
        free(ret->keyblock);
        ret->keyblock = NULL;
    }
    return r;
}

static int find_candidates(struct attempt *attempt)
{
    struct candidates *found = &attempt->candidates;

    for (size_t i = 0; i < attempt->message.key_count; i++) {
        int r = find_candidate(attempt, &attempt->message.keys[i], &found->items[found->count]);

        if (r == 0)
            found->count++;
        else if (r != -ENOENT && r != -ENOTSUP)
            return r;
    }
    return found->count ? 0 : -ENOENT;
}

static int connect_daemon(const struct attempt *attempt, const char *socket_name,
                          struct assuan *ret)
{
    char path[SOCKET_PATH_SIZE];
    int r = gpg_home_find_socket(&attempt->home, socket_name, path);

    return r < 0 ? r : assuan_connect(path, ret);
}

/* Why not, or NULL. */
static const char *open_keyring(struct attempt *attempt)
{
    if (!attempt->home.uses_keyboxd)
        return read_keybox(attempt) < 0
                   ? "gpg's keyring (pubring.kbx) cannot be read, or is very large"
                   : NULL;
    if (connect_daemon(attempt, GPG_KEYBOXD_SOCKET, &attempt->keyboxd) < 0)
        return "keyboxd is not running yet";
    return keyboxd_greet(&attempt->keyboxd) < 0 ? "keyboxd does not answer as usual" : NULL;
}

/* Why not, or NULL. */
static const char *read_all(struct attempt *attempt, int fd)
{
    const char *why;

    if (read_file(fd, LARGEST_MESSAGE, &attempt->message_bytes, &attempt->message_size) < 0)
        return "the file is of another size than entries have";
    if (message_parse((const unsigned char *)attempt->message_bytes, attempt->message_size,
                      &attempt->message) < 0)
        return "the message is of another form than entries have";
    if (gpg_home_find(attempt->options->homedir, &attempt->home) < 0)
        return "GNUPGHOME or HOME is not a plain absolute path";
    if (gpg_home_check(&attempt->home) < 0)
        return "gpg's configuration says more than is known to be harmless, or it has another kind "
               "of keyring";
    why = open_keyring(attempt);
    if (why)
        return why;
    if (find_candidates(attempt) < 0)
        return "none of the message's keys is in the keyring, or of a kind known here";
    return NULL;
}

/* --- the agent ------------------------------------------------------------------------------- */

static const char *connect_agent(struct attempt *attempt)
{
    if (connect_daemon(attempt, GPG_AGENT_SOCKET, &attempt->agent) < 0)
        return "gpg-agent is not running yet";
    gpg_tty_export();
    if (agent_greet(&attempt->agent, attempt->options->pinentry_mode, &attempt->is_restricted) < 0)
        return "gpg-agent does not answer as usual";
    return NULL;
}

/* Whether gpg would translate its part of the prompt. Only gpg has the translations. */
static bool is_prompt_translated(void)
{
    const char *language = agent_locale("LC_MESSAGES");

    return strcmp(language, "C") != 0 && strcmp(language, "POSIX") != 0 &&
           strncmp(language, "C.", 2) != 0 && strncmp(language, "en", 2) != 0;
}

/* The candidate to decrypt with; NULL if gpg must choose or ask. */
static const struct candidate *choose(struct attempt *attempt)
{
    const struct candidates *all = &attempt->candidates;

    if (all->count == 1 && !is_prompt_translated())
        return &all->items[0];
    for (size_t i = 0; i < all->count; i++) {
        enum agent_key state;

        if (agent_look_up(&attempt->agent, all->items[i].keygrip, &state) < 0)
            return NULL;
        if (state == AGENT_KEY_READY)
            return &all->items[i];
    }
    return NULL;
}

/* Whether another try would ask the same person the same question again. */
static bool is_final(const struct agent_answer *answer)
{
    switch (gpg_err_code(answer->refusal)) {
    case GPG_ERR_CANCELED:
    case GPG_ERR_FULLY_CANCELED:
    case GPG_ERR_BAD_PASSPHRASE:
    case GPG_ERR_NO_PIN_ENTRY:
        return true;
    /*
     * the agent's secure memory is full: gpg_decrypt() queues, and the agent knows the passphrase
     * now
     */
    case GPG_ERR_ENOMEM:
        return false;
    default:
        return answer->has_asked_person ||
               gpg_err_source(answer->refusal) == GPG_ERR_SOURCE_PINENTRY;
    }
}

/* --- the message ----------------------------------------------------------------------------- */

static int find_session_key(const struct candidate *chosen, const struct agent_answer *answer,
                            struct session_key *ret)
{
    const struct session_packet *session = chosen->session;
    struct bytes wrapped;

    if (session->algorithm == PUBLIC_KEY_RSA)
        return session_key_from_rsa(&answer->value, answer->has_padding, ret);
    wrapped = (struct bytes){session->counted.data + 1, session->counted.size - 1};
    return session_key_from_ecdh(&answer->value, &chosen->entry.key, chosen->fingerprint, &wrapped,
                                 ret);
}

static int open_message(const struct attempt *attempt, const struct candidate *chosen,
                        const struct agent_answer *answer, size_t limit, struct secbuf *ret_plain)
{
    CLEANUP(session_key_done) struct session_key key = {0};
    CLEANUP(secbuf_done) struct secbuf content = {0};
    int r = find_session_key(chosen, answer, &key);

    if (r == 0)
        r = sealed_open(&attempt->message.sealed, &key, &content);
    return r < 0 ? r : literal_append(&content, limit, ret_plain);
}

int gpg_fast_decrypt(const struct gpg_options *options, int fd, const char *name, size_t limit,
                     struct secbuf *ret_plain, struct error *err)
{
    CLEANUP(attempt_done)
    struct attempt attempt = {
        .options = options,
        .keyboxd = ASSUAN_INIT,
        .agent = ASSUAN_INIT,
    };
    CLEANUP(agent_answer_done) struct agent_answer answer = {0};
    struct agent_request request;
    struct gpg_card card;
    const struct candidate *chosen;
    const char *why;
    int patience, r = gpg_patience_read(&patience, err);

    if (r < 0)
        return r;
    if (is_switched_off())
        return decline(err, "it is switched off");
    why = read_all(&attempt, fd);
    if (!why)
        why = connect_agent(&attempt);
    if (why)
        return decline(err, why);
    chosen = choose(&attempt);
    if (!chosen)
        return decline(
            err,
            "gpg must choose among several keys, or ask for a passphrase in the user's language");
    request = (struct agent_request){
        .key = &chosen->entry,
        .session = chosen->session,
        .is_restricted = attempt.is_restricted,
    };
    memcpy(request.keygrip, chosen->keygrip, KEYGRIP_SIZE);
    if (options->pinentry_mode == GPG_PINENTRY_ERROR &&
        gpg_card_find(&attempt.agent, request.keygrip, &card))
        return gpg_card_explain_untried(&card, name, err);
    r = agent_decrypt(&attempt.agent, &request, &answer);
    /* A card has asked for its PIN or its touch: gpg would ask for them again. */
    if (r == AGENT_REFUSED && gpg_err_code(answer.refusal) != GPG_ERR_ENOMEM &&
        gpg_card_find(&attempt.agent, request.keygrip, &card))
        return gpg_card_explain(answer.refusal, &card, name, err);
    if (r == AGENT_REFUSED && is_final(&answer))
        return gpg_explain_code(options->pinentry_mode, answer.refusal, name, err);
    if (r != 0)
        return decline(err, "gpg-agent does not decrypt with this key");
    if (open_message(&attempt, chosen, &answer, limit, ret_plain) < 0)
        return decline(err, "the message is damaged, or holds something else than entries do");
    return 0;
}
