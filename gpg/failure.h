#pragma once

#include <errno.h>

/*
 * The established cause of a failed operation of gpg: err->code is one of these or an errno. Causes
 * come from gpg's status lines, error codes and gpg-agent's answers, never from the words of a
 * message, which are translated.
 */
enum gpg_failure {
    GPG_FAILURE_UNKNOWN = EIO, /* unknown cause: err->text has gpg's own words */
    /* gpg refuses its options or its gpg.conf: in its own words */
    GPG_FAILURE_CONFIGURATION = EBADRQC,
    GPG_FAILURE_ACCESS = EACCES, /* a file of gpg's that this user may not read */
    /* the key needs a passphrase or a card, and GPG_PINENTRY_ERROR forbids asking */
    GPG_FAILURE_LOCKED = EAGAIN,
    /* gpg-agent is on another machine, and cannot be told not to ask there */
    GPG_FAILURE_REMOTE = EREMOTE,
    GPG_FAILURE_NO_SECRET_KEY = ENOKEY, /* gpg-agent answers, and has none of the message's keys */
    /* the message was read, and is not a whole OpenPGP message */
    GPG_FAILURE_DAMAGED = EBADMSG,
    GPG_FAILURE_NO_AGENT = EHOSTDOWN,  /* gpg-agent cannot be reached */
    GPG_FAILURE_NO_PINENTRY = ENOEXEC, /* gpg-agent cannot run a pinentry */
    GPG_FAILURE_NO_TERMINAL = ENOTTY,  /* the pinentry has no terminal and no window to ask on */
    GPG_FAILURE_BAD_PASSPHRASE = EKEYREJECTED,
    GPG_FAILURE_CANCELED = ECANCELED,  /* the person cancelled the prompt, or did not answer */
    GPG_FAILURE_AGENT_MEMORY = ENOMEM, /* gpg-agent is out of secure memory */
    /* the smartcard is not there, or refuses; the text says which and why */
    GPG_FAILURE_CARD = ENOMEDIUM,
    GPG_FAILURE_NO_SCDAEMON = ENOPKG, /* the program that talks to smartcards is not installed */
    /* a key cannot be encrypted to; the text says which and why */
    GPG_FAILURE_RECIPIENT = EDESTADDRREQ,
};
