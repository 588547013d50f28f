#pragma once

#include <stdbool.h>

#include <gpg-error.h>

/* What gpg's status lines said during one operation. They are the same in every language. */
struct gpg_status {
    bool has_spoken;           /* there was one */
    bool has_encrypted;        /* all of the input is encrypted */
    bool has_option_failure;   /* gpg refuses its options or its configuration, and did nothing */
    bool has_keyring_failure;  /* gpg cannot read its public keys, so "no such key" means nothing */
    bool has_recipient;        /* the message names a key */
    bool has_hidden_recipient; /* one of its recipients is hidden */
    bool has_no_data;          /* the input is not an OpenPGP message */
    /* a secret key has decrypted the session key; a later failure is the message's fault */
    bool has_session_key;
    /* the message has no MDC; only its cipher, OCB, may authenticate it */
    bool has_no_mdc;
    bool has_aead;         /* gpg named the mode that authenticates it; GnuPG 2.2 never does */
    bool has_refused_mode; /* the agent is restricted and does not accept a pinentry mode */
    bool wants_loopback;   /* gpg itself would ask for the passphrase, not the pinentry */
    gpg_error_t key_error; /* why a present secret key could not be used; 0: it could */
    int prompts;           /* how often a pinentry came up */
};

/* Notes one line: its keyword and what follows it. Pure. */
void gpg_status_note(struct gpg_status *status, const char *keyword, const char *args);

/*
 * Whether an entry was tampered with although gpg says DECRYPTION_OKAY. GnuPG 2.2 and 2.4.4 say
 * this even for an OCB tag that does not match, after they have returned the plaintext. After most
 * such tags they report invalid packets. Their exit status does not help: it is 2 also for a valid
 * entry with hidden recipients. Pure.
 */
bool gpg_status_is_unauthentic(const struct gpg_status *status);
