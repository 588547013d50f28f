#include "registry/api/token-form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/api/credentials.h"
#include "registry/spec/escape.h"

enum { WORD_SIZE = 32 };

static int refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return -EINVAL;
}

/* --- scopes and client ---------------------------------------------------------------------- */

/* The parameter scope may be repeated, and may contain several scopes. */
static int parse_scopes(const char *text, struct scopes *ret, const char **ret_why)
{
    size_t size = strlen(text) + 1;
    CLEANUP_FREE char *value = malloc(size);
    int r = value ? 0 : -ENOMEM, found;

    while (r == 0 && (found = escape_find_next(&text, "scope", value, size)) != -ENOENT)
        r = found < 0 ? refuse(ret_why, "the parameter scope is malformed")
                      : scopes_add(ret, value);
    return r == -E2BIG ? refuse(ret_why, "too many scopes for one token") : r;
}

/* Returns 0 with "" if the parameter is missing. */
static int find_word(const char *text, const char *name, char *ret_word, size_t size)
{
    int r = escape_find(text, name, ret_word, size);

    if (r < 0)
        ret_word[0] = '\0';
    return r == -ENOENT ? 0 : r;
}

/*
 * RFC 6749 section 3.2 forbids repeated parameters: a proxy may check the first one and a server
 * use the last one. Only scope may be repeated.
 */
static bool has_duplicates(const char *text)
{
    static const char *const names[] = {
        "service",    "client_id", "account",  "offline_token", "access_type",
        "grant_type", "username",  "password", "refresh_token",
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *at = text;
        char none[1];

        if (escape_find_next(&at, names[i], none, sizeof(none)) != -ENOENT &&
            escape_find_next(&at, names[i], none, sizeof(none)) != -ENOENT)
            return true;
    }
    return false;
}

static void parse_client(const char *text, char ret_client[IDENTITY_CLIENT_MAX + 1])
{
    if (find_word(text, "client_id", ret_client, IDENTITY_CLIENT_MAX + 1) < 0)
        memcpy(ret_client, "?", sizeof("?"));
    for (char *at = ret_client; *at; at++)
        if (*at < 0x20 || *at > 0x7e)
            *at = '?';
}

static bool is_word(const char *text, const char *name, const char *value)
{
    char word[WORD_SIZE];

    return find_word(text, name, word, sizeof(word)) == 0 && strcmp(word, value) == 0;
}

/* Whether the parameter service is missing or names our service: tokens are valid only here. */
static bool is_service(const char *text, const char *service)
{
    size_t size = strlen(text) + 1;
    CLEANUP_FREE char *value = malloc(size);

    return value && find_word(text, "service", value, size) == 0 &&
           (!*value || strcmp(value, service) == 0);
}

int token_form_parse(const char *text, const char *service, struct token_form *ret,
                     const char **ret_why)
{
    int r = has_duplicates(text) ? refuse(ret_why, "a parameter other than scope is repeated") : 0;

    if (r == 0)
        r = parse_scopes(text, &ret->scopes, ret_why);
    if (r == 0 && !is_service(text, service))
        r = refuse(ret_why, "tokens for this service are not issued here");
    if (r < 0) {
        scopes_done(&ret->scopes);
        return r;
    }
    parse_client(text, ret->client);
    ret->wants_identity =
        is_word(text, "offline_token", "true") || is_word(text, "access_type", "offline");
    return 0;
}

void token_form_done(struct token_form *form)
{
    scopes_done(&form->scopes);
}

/* --- credentials ---------------------------------------------------------------------------- */

/* Decodes a parameter into secure memory. 0, -ENOENT, -EINVAL or -ENOMEM. */
static int find_secret(const char *text, const char *name, struct secbuf *ret)
{
    int r = secbuf_reserve(ret, strlen(text) + 1);

    if (r == 0)
        r = escape_find(text, name, (char *)ret->data, ret->capacity);
    if (r == 0)
        ret->size = strlen((char *)ret->data);
    return r == -E2BIG ? -EINVAL : r;
}

static int parse_both(const char *text, const char *grant, struct credentials *ret)
{
    static const char token_user[] = "<token>";
    int r;

    if (strcmp(grant, "refresh_token") == 0) {
        r = secbuf_append(&ret->user, token_user, strlen(token_user));
        return r < 0 ? r : find_secret(text, "refresh_token", &ret->password);
    }
    r = find_secret(text, "username", &ret->user);
    return r < 0 ? r : find_secret(text, "password", &ret->password);
}

int token_form_parse_credentials(const char *text, struct credentials *ret, const char **ret_why)
{
    char grant[WORD_SIZE];
    int r = find_word(text, "grant_type", grant, sizeof(grant));

    if (r < 0 || (strcmp(grant, "password") != 0 && strcmp(grant, "refresh_token") != 0))
        return refuse(ret_why, "grant_type must be password or refresh_token");
    r = parse_both(text, grant, ret);
    if (r == 0)
        return 0;
    credentials_done(ret);
    return r == -ENOMEM ? r : refuse(ret_why, "a parameter of the grant is missing or malformed");
}

int token_form_parse_revocation(const char *text, struct secbuf *ret)
{
    const char *at = text;
    char none[1];
    int r;

    if (escape_find_next(&at, "token", none, sizeof(none)) == -ENOENT ||
        escape_find_next(&at, "token", none, sizeof(none)) != -ENOENT)
        return -EINVAL;
    r = find_secret(text, "token", ret);
    if (r == 0)
        return 0;
    secbuf_done(ret);
    return r == -ENOMEM ? r : -EINVAL;
}
