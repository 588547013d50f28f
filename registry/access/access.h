#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/access/authenticator.h"
#include "registry/access/guess-limit.h"

/*
 * Decides whether a request may do what it asks for: credentials and a list of scopes in, a
 * principal and a verdict out. Today the users of an htpasswd file may do everything.
 * From any thread.
 */
struct access {
    struct authenticator *authenticator; /* borrowed; NULL: everybody may do everything */
    struct guess_limit *guess_limit;     /* borrowed; NULL: guesses are not limited */
};

/* A right, as a token of registry:2 would name it: "repository", "team/app", "pull". All borrowed. */
struct access_scope {
    const char *type, *name, *action;
};

enum { PRINCIPAL_NAME_MAX = 255 };

/* Who asks. */
struct principal {
    char name[PRINCIPAL_NAME_MAX + 1]; /* of the user; "" for nobody in particular */
};

enum access_verdict {
    ACCESS_GRANTED,
    ACCESS_UNAUTHENTICATED, /* no credentials, or wrong ones */
    ACCESS_LIMITED,         /* too many wrong ones from there; wait_ms says how long to wait */
    ACCESS_WOULD_WAIT,      /* only where may_wait is false: ask again from a worker */
    ACCESS_FAILED,          /* memory is out, nothing was found out */
};

/* All borrowed. */
struct access_question {
    const char *address;                 /* the client's */
    const struct secbuf *user, *password; /* NULL: none were shown */
    const struct access_scope *scopes;   /* all of which the request needs */
    size_t scope_count;
    bool may_wait; /* on a worker: for a password to be checked */
};

struct access_answer {
    struct principal principal; /* where access was granted */
    uint64_t wait_ms;
};

enum access_verdict access_check(const struct access *access, const struct access_question *question,
                                 struct access_answer *ret);
