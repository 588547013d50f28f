#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/access/access-file.h"
#include "registry/access/authenticator.h"
#include "registry/access/external-tokens.h"
#include "registry/access/guess-limit.h"
#include "registry/access/robots-file.h"
#include "registry/access/tokens.h"

/*
 * Decides whether a request is permitted. The input is credentials and a list of scopes; the result
 * is a principal and a verdict. Without rules, every user of the htpasswd file may do everything.
 * Any thread may call these functions.
 */
struct access {
    struct authenticator *authenticator; /* borrowed; NULL: there are no users */
    /* borrowed; NULL: unset. If both are NULL, everybody may do everything */
    struct external_tokens *external;
    struct guess_limit *guess_limit; /* borrowed; NULL: guesses are not limited */
    /* borrowed; of struct rules; NULL: no access file. Only with an authenticator */
    struct watched_table *rules;
    /* borrowed; of struct robots; NULL: robots are ordinary users. Only with an authenticator */
    struct watched_table *robots;
    /* borrowed; NULL: tokens are off. Only with an authenticator */
    struct tokens *tokens;
};

enum access_scope_kind {
    SCOPE_REQUIRED,
    SCOPE_OPTIONAL, /* the request can be served without this right */
    SCOPE_CANCEL,   /* cancels an upload: the right to push is enough */
};

/*
 * A right, in the terms of the token specification: "repository", "team/app", "pull". All borrowed.
 */
struct access_scope {
    const char *type, *name, *action;
    enum access_scope_kind kind;
};

enum { PRINCIPAL_NAME_MAX = 255 };

/* The user or program that sends a request. */
struct principal {
    char name[PRINCIPAL_NAME_MAX + 1]; /* "" without a login */
};

enum access_verdict {
    ACCESS_GRANTED,
    /* missing or wrong credentials; also if a login could give access */
    ACCESS_UNAUTHENTICATED,
    ACCESS_DENIED,  /* the user is known, and no rule allows what they ask for */
    ACCESS_LIMITED, /* too many wrong passwords from this address; wait_ms says how long to wait */
    ACCESS_WOULD_WAIT, /* only if may_wait is false: ask again on a worker */
    ACCESS_FAILED,     /* the check failed, for example because memory is exhausted */
};

enum access_reason {
    ACCESS_NO_LOGIN,      /* the credentials are missing or wrong */
    ACCESS_TOKEN_INVALID, /* the access token is invalid or has expired */
    ACCESS_SCOPE_MISSING, /* another access token might have the scopes */
};

/* All borrowed. */
struct access_question {
    const char *address;                  /* the client's */
    const struct secbuf *user, *password; /* NULL: the request has no credentials of that kind */
    const struct secbuf *bearer;          /* an access token, or NULL */
    const struct access_scope *scopes;    /* the request needs all of them */
    size_t scope_count;
    bool needs_fresh;  /* look up an identity token in the storage, not in the cache */
    struct error *err; /* filled for ACCESS_FAILED; its code stays 0 if memory is exhausted */
    bool may_wait;     /* the call may check a password and read files */
};

struct access_answer {
    struct principal principal; /* if access was granted or denied */
    bool is_new_tags_only;      /* the right to push does not include replacing a tag */
    /* set by access_grant(): the credentials are a password, not a token */
    bool is_password;
    /* set by access_grant(): the credentials have a stamp. Tokens end when it changes */
    bool has_stamp;
    unsigned char stamp[TOKEN_STAMP_SIZE];
    bool may_mount;        /* optional scopes are granted, too, or mounts are not restricted */
    enum access_reason reason; /* of ACCESS_UNAUTHENTICATED */
    uint64_t wait_ms;
};

enum access_verdict access_check(const struct access *access,
                                 const struct access_question *question, struct access_answer *ret);

/* Whether rules restrict what the principal may do. */
bool access_is_restricted(const struct access *access, const struct principal *principal);

/*
 * Authenticates a client that asks for a token, and removes the actions that it may not have from
 * scopes. The question's scopes and bearer are ignored. A client without credentials is
 * unauthenticated if nothing is left.
 */
enum access_verdict access_grant(const struct access *access,
                                 const struct access_question *question, struct scopes *scopes,
                                 struct access_answer *ret);

/*
 * Finds the stamp of the current credential of a user or robot, for struct tokens_options. Returns
 * false if there is no such user or the credential has expired. Does not wait.
 */
bool access_find_stamp(const struct access *access, const char *user,
                       unsigned char ret[TOKEN_STAMP_SIZE]);

/* Whether access tokens are accepted. */
bool access_has_bearer(const struct access *access);

/*
 * Whether credentials are an identity token. Checking it waits for the storage, while checking a
 * password computes.
 */
bool access_is_identity_token(const struct access *access, const struct secbuf *user);

/* Whether rules restrict what users may do. */
bool access_has_rules(const struct access *access);

/* Whether something is permitted without a login. */
bool access_has_anonymous(const struct access *access);

/*
 * Whether a principal that was granted access before may see the health of the registry: without
 * rules every user, with rules those with the action "health". Never waits.
 */
bool access_may_see_health(const struct access *access, const struct principal *principal);

/* Whether a principal that was granted access before may pull from a repository. Never waits. */
bool access_may_pull(const struct access *access, const struct principal *principal,
                     const char *repository);

/*
 * Whether a principal may pull from every repository, also from those that no longer exist and
 * those that do not exist yet. The caller knows that it may pull from all that exist.
 */
bool access_may_pull_all(const struct access *access, const struct principal *principal);

/* The same for the right to push new tags. */
bool access_may_push(const struct access *access, const struct principal *principal,
                     const char *repository);

/* The same for the right to delete. */
bool access_may_delete(const struct access *access, const struct principal *principal,
                       const char *repository);

/* Whether rules forbid everybody to replace the tag. Never waits. */
bool access_is_tag_immutable(const struct access *access, const char *repository, const char *tag);
