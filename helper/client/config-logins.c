/*
 * The passwords that stand in the file, as docker's command line reads them (docker/cli, cli/config/configfile).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "helper/client/config.h"

static void login_done(struct client_login *login)
{
    free(login->host);
    secbuf_done(&login->username);
    secbuf_done(&login->secret);
}

void client_logins_done(struct client_logins *logins)
{
    for (size_t i = 0; i < logins->count; i++)
        login_done(&logins->items[i]);
    free(logins->items);
    *logins = (struct client_logins){0};
}

/* 1 with the member's text appended, 0 where it is absent, null or empty, -EINVAL where it is no string, or -ENOMEM. */
static int get_text(const struct json *entry, const char *name, struct secbuf *ret)
{
    const struct json *member = json_find(entry, name);

    if (!member || json_get_type(member) == JSON_NULL)
        return 0;
    if (json_get_type(member) != JSON_STRING)
        return -EINVAL;
    if (json_copy_string(member, ret) < 0)
        return -ENOMEM;
    return ret->size > 0;
}

/* Of the standard alphabet (RFC 4648 section 4), line ends left out as by Go. 0, -EINVAL or -ENOMEM. */
static int decode(const struct secbuf *text, struct secbuf *ret)
{
    CLEANUP(secbuf_done) struct secbuf url_safe = {0};
    size_t size = 0;

    if (secbuf_reserve(&url_safe, text->size + 1) < 0 || secbuf_reserve(ret, text->size + 1) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < text->size; i++) {
        unsigned char c = text->data[i];

        if (c == '-' || c == '_')
            return -EINVAL;
        if (c != '\r' && c != '\n')
            url_safe.data[url_safe.size++] = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    if (base64url_decode((const char *)url_safe.data, url_safe.size, ret->data, &size) < 0)
        return -EINVAL;
    ret->size = size;
    return 0;
}

/* "user:password"; docker takes NULs at both ends of the password off. */
static int split(struct client_login *login, const struct secbuf *decoded)
{
    const unsigned char *colon = decoded->size ? memchr(decoded->data, ':', decoded->size) : NULL;
    const unsigned char *begin, *end;

    if (!colon || colon == decoded->data) {
        login->problem = "its \"auth\" holds no username and password";
        return 0;
    }
    begin = colon + 1;
    end = decoded->data + decoded->size;
    while (begin < end && *begin == '\0')
        begin++;
    while (end > begin && end[-1] == '\0')
        end--;
    if (secbuf_append(&login->username, decoded->data, (size_t)(colon - decoded->data)) < 0)
        return -ENOMEM;
    return secbuf_append(&login->secret, begin, (size_t)(end - begin));
}

static int take_auth(struct client_login *login, const struct secbuf *auth)
{
    CLEANUP(secbuf_done) struct secbuf decoded = {0};
    int r = decode(auth, &decoded);

    if (r == -EINVAL) {
        login->problem = "its \"auth\" is no base64";
        return 0;
    }
    return r < 0 ? r : split(login, &decoded);
}

/* docker's native store keeps an identity token under this name, and asks for it by it. */
static int take_token(struct client_login *login, const struct secbuf *token)
{
    static const char name[] = "<token>";

    login->is_token = true;
    if (secbuf_append(&login->username, name, sizeof(name) - 1) < 0)
        return -ENOMEM;
    return secbuf_append(&login->secret, token->data, token->size);
}

struct fields {
    struct secbuf auth, token, registry_token, username, password;
};

static void fields_done(struct fields *fields)
{
    secbuf_done(&fields->auth);
    secbuf_done(&fields->token);
    secbuf_done(&fields->registry_token);
    secbuf_done(&fields->username);
    secbuf_done(&fields->password);
}

static int read_fields(const struct json *entry, struct fields *ret)
{
    const struct { const char *name; struct secbuf *value; } members[] = {
        {"auth", &ret->auth},         {"identitytoken", &ret->token}, {"registrytoken", &ret->registry_token},
        {"username", &ret->username}, {"password", &ret->password},
    };
    int r = 0;

    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(members); i++)
        r = get_text(entry, members[i].name, members[i].value);
    return r < 0 ? r : 0;
}

/* 1 where the entry holds anything secret, 0 where not, or -ENOMEM. */
static int read_entry(const struct json *entry, struct client_login *login)
{
    CLEANUP(fields_done) struct fields fields = {0};
    int r = read_fields(entry, &fields);

    if (r == -EINVAL)
        login->problem = "a part of it is no text";
    else if (r < 0)
        return r;
    else if (fields.token.size)
        r = take_token(login, &fields.token);
    else if (fields.auth.size)
        r = take_auth(login, &fields.auth);
    else if (fields.username.size && fields.password.size)
        r = secbuf_append(&login->username, fields.username.data, fields.username.size) < 0
                ? -ENOMEM
                : secbuf_append(&login->secret, fields.password.data, fields.password.size);
    else if (fields.registry_token.size)
        login->problem = "it holds a registry token, which docker never keeps in a store";
    else
        return 0;
    return r == -ENOMEM ? r : 1;
}

static int add_login(struct client_logins *logins, struct client_login *login)
{
    struct client_login *more = reallocarray(logins->items, logins->count + 1, sizeof(*more));

    if (!more)
        return -ENOMEM;
    logins->items = more;
    more[logins->count++] = *login;
    *login = (struct client_login){0};
    return 0;
}

/* Of several entries for one host the last counts. */
static bool is_last(const struct json *auths, const struct json *member)
{
    return json_find(auths, json_get_name(member)) == member;
}

static int read_all(const struct json *auths, struct client_logins *logins)
{
    for (const struct json *member = json_get_first(auths); member; member = json_get_next(member)) {
        CLEANUP(login_done) struct client_login login = {0};
        int r;

        if (json_get_type(member) != JSON_OBJECT || !is_last(auths, member))
            continue;
        login.host = strdup(json_get_name(member));
        r = login.host ? read_entry(member, &login) : -ENOMEM;
        if (r == 1)
            r = add_login(logins, &login);
        if (r < 0)
            return r;
    }
    return 0;
}

int client_config_list_logins(const struct client_config *config, struct client_logins *ret, struct error *err)
{
    CLEANUP(client_logins_done) struct client_logins logins = {0};
    const struct json *auths = json_find(config->json, "auths");

    if (auths && json_get_type(auths) == JSON_OBJECT && read_all(auths, &logins) < 0)
        return error_set_oom(err);
    *ret = logins;
    logins = (struct client_logins){0};
    return 0;
}
