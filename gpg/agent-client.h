#pragma once

#include "gpg/assuan.h"
#include "gpg/keybox.h"
#include "gpg/message.h"
#include "gpg/options.h"

/* Requests to gpg-agent over its socket, in the form in which gpg sends them. */

/*
 * Receives the greeting and sends the options that gpg sends first: terminal, display, language,
 * and the environment of the pinentry. 0; -ETIMEDOUT after five seconds or after the user's timeout
 * (gpg/patience.h); -EPROTO if the agent refuses an option that matters; -E2BIG if a variable does
 * not fit in a line; -EPIPE and other -errno. *ret_is_restricted is set if the agent accepts no
 * options, as on its restricted socket, which ssh forwards.
 */
int agent_greet(struct assuan *assuan, enum gpg_pinentry_mode mode,
                bool *ret_is_restricted) MUST_USE;

enum agent_key {
    AGENT_KEY_MISSING,
    AGENT_KEY_READY,  /* it can be used at once */
    AGENT_KEY_LOCKED, /* a person may be asked for a passphrase, or for a card */
};

/* What the agent knows of a secret key. 0 or negative. */
int agent_look_up(struct assuan *assuan, const unsigned char keygrip[KEYGRIP_SIZE],
                  enum agent_key *ret) MUST_USE;

struct agent_request {
    unsigned char keygrip[KEYGRIP_SIZE];
    const struct keybox_entry *key;
    const struct session_packet *session;
    bool is_restricted; /* as agent_greet() told */
};

struct agent_answer {
    struct secbuf value;   /* RSA: the number; ECDH: the shared point */
    bool has_padding;      /* PKCS #1's is still there */
    unsigned refusal;      /* if the agent refused: libgpg-error's number, source and code */
    bool has_asked_person; /* a pinentry was up */
};

/*
 * Asks the agent to do the secret key's part of a decryption. The agent may ask a person for the
 * passphrase, without a time limit; without a pinentry the limit is half a minute or the user's
 * timeout. 0; AGENT_REFUSED with ret->refusal; or negative (-EMSGSIZE: the key's description does
 * not fit in a line). *ret is owned by the caller in any case (agent_answer_done).
 */
enum { AGENT_REFUSED = 1 };
int agent_decrypt(struct assuan *assuan, const struct agent_request *request,
                  struct agent_answer *ret) MUST_USE;

void agent_answer_done(struct agent_answer *answer);
