#pragma once

#include "gpg/assuan.h"
#include "gpg/keybox.h"
#include "gpg/message.h"
#include "gpg/options.h"

/* What is asked of gpg-agent over its socket, where gpg would ask it too, in the same words. */

/*
 * Takes the greeting, and says what gpg says at first: terminal, display, language, and the environment of the pinentry.
 * 0, or negative: -ETIMEDOUT after five seconds or one's patience (gpg/patience.h); -EPROTO: the agent refuses something;
 * -E2BIG: a variable too long to say; -EPIPE and the like.
 * *ret_is_restricted tells that the agent took no options, as through its restricted socket, which ssh forwards.
 */
int agent_greet(struct assuan *assuan, enum gpg_pinentry_mode mode, bool *ret_is_restricted) MUST_USE;

enum agent_key {
    AGENT_KEY_MISSING,
    AGENT_KEY_READY,  /* it can be used at once */
    AGENT_KEY_LOCKED, /* somebody may be asked for a passphrase, or for a card */
};

/* What the agent knows of a secret key. 0 or negative. */
int agent_look_up(struct assuan *assuan, const unsigned char keygrip[KEYGRIP_SIZE], enum agent_key *ret) MUST_USE;

struct agent_request {
    unsigned char keygrip[KEYGRIP_SIZE];
    const struct keybox_entry *key;
    const struct session_packet *session;
    bool is_restricted; /* as agent_greet() told */
};

struct agent_answer {
    struct secbuf value;   /* RSA: the number; ECDH: the shared point */
    bool has_padding;      /* PKCS #1's is still there */
    unsigned refusal;      /* where it was refused: libgpg-error's number, source and code */
    bool has_asked_person; /* a pinentry was up */
};

/*
 * Has the agent do the secret key's part of a decryption. A person may be asked for the passphrase, and takes as long as that
 * takes; without a pinentry it is half a minute or one's patience at most. 0; AGENT_REFUSED with ret->refusal; or negative (-EMSGSIZE: the key's
 * description makes no line). *ret is the caller's in any case (agent_answer_done).
 */
enum { AGENT_REFUSED = 1 };
int agent_decrypt(struct assuan *assuan, const struct agent_request *request, struct agent_answer *ret) MUST_USE;

void agent_answer_done(struct agent_answer *answer);
