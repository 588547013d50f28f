#pragma once

#include <stdbool.h>

#include <gpg-error.h>

/* What gpg's status lines have said during one operation. They are the same in every language. */
struct gpg_status {
    bool has_spoken;           /* there was one */
    bool has_encrypted;        /* all of the input is encrypted */
    bool has_option_failure;   /* gpg refuses its options or its configuration, and did nothing */
    bool has_keyring_failure;  /* gpg cannot read its public keys, so "no such key" means nothing */
    bool has_recipient;        /* the message is for some key */
    bool has_hidden_recipient; /* and does not say for which */
    bool has_no_data;          /* the input is not an OpenPGP message */
    bool has_session_key;      /* a secret key has opened the message; what fails afterwards is the message's fault */
    bool has_no_mdc;           /* that message is authenticated by its cipher, OCB, if at all */
    bool has_refused_mode;     /* the agent, which is restricted, does not let itself be told when to ask */
    bool wants_loopback;       /* gpg would ask for the passphrase itself, instead of by a pinentry */
    gpg_error_t key_error;     /* why a secret key that is here could not be used; 0: that did not happen */
    int prompts;               /* how often a pinentry came up */
};

/* Notes one line: its keyword and what follows it. Pure. */
void gpg_status_note(struct gpg_status *status, const char *keyword, const char *args);

/*
 * Whether an entry was tampered with although gpg says DECRYPTION_OKAY. GnuPG 2.2 and 2.4.4 say that of an OCB tag that does
 * not match, too, after they have handed out what they decrypted. After most such tags they find garbage. Their exit status
 * proves nothing: it is 2 also for a sound entry with hidden recipients. Pure.
 */
bool gpg_status_is_unauthentic(const struct gpg_status *status);
