/*
 * The passwords in the file, as docker's command line reads them (docker/cli,
 * cli/config/configfile).
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

static struct secbuf without_line_ends(const struct secbuf *text)
{
    struct secbuf view = *text;

    while (view.size > 0 && (view.data[view.size - 1] == '\n' || view.data[view.size - 1] == '\r'))
        view.size--;
    return view;
}

bool client_login_is_same(const struct client_login *a, const struct client_login *b)
{
    struct secbuf left = without_line_ends(&a->secret), right = without_line_ends(&b->secret);

    return secbuf_is_equal(&a->username, &b->username) && secbuf_is_equal(&left, &right);
}

/*
 * Appends the text of the last member that Go takes for that field; null does not change it. 1 if
 * the text is not empty, else 0, -EINVAL if a member is not a string, or -ENOMEM.
 */
static int get_text(const struct json *entry, const char *folded, struct secbuf *ret)
{
    for (const struct json *member = json_get_first(entry); member;
         member = json_get_next(member)) {
        if (!json_is_folded(json_get_name(member), folded) || json_get_type(member) == JSON_NULL)
            continue;
        if (json_get_type(member) != JSON_STRING)
            return -EINVAL;
        secbuf_truncate(ret, 0);
        if (json_copy_string(member, ret) < 0)
            return -ENOMEM;
    }
    return ret->size > 0;
}

/*
 * The standard alphabet (RFC 4648 section 4); line ends are skipped, as Go does. 0, -EINVAL or
 * -ENOMEM.
 */
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

/* "user:password"; docker removes NULs at both ends of the password. */
static int split(struct client_login *login, const struct secbuf *decoded)
{
    const unsigned char *colon = decoded->size ? memchr(decoded->data, ':', decoded->size) : NULL;
    const unsigned char *begin, *end;

    if (!colon || colon == decoded->data) {
        login->problem = "its \"auth\" does not hold a username and a password";
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
        login->problem = "its \"auth\" is not valid base64";
        return 0;
    }
    return r < 0 ? r : split(login, &decoded);
}

/* Docker keeps an identity token in a helper under this user name. */
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
    const struct {
        const char *name;
        struct secbuf *value;
    } members[] = {
        {"auth", &ret->auth},
        {"identitytoken", &ret->token},
        {"registrytoken", &ret->registry_token},
        {"username", &ret->username},
        {"password", &ret->password},
    };
    int r = 0;

    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(members); i++)
        r = get_text(entry, members[i].name, members[i].value);
    return r < 0 ? r : 0;
}

enum { HAS_NO_SECRET, HAS_SECRET };

/* Whether the entry holds a secret; then fills in login. Or -ENOMEM. */
static int read_entry(const struct json *entry, struct client_login *login)
{
    CLEANUP(fields_done) struct fields fields = {0};
    int r = read_fields(entry, &fields);

    if (r == -EINVAL)
        login->problem = "one of its members is not a string";
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
        login->problem = "it holds a registry token, which no helper can keep";
    else
        return HAS_NO_SECRET;
    return r == -ENOMEM ? r : HAS_SECRET;
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

/* Whether a later entry for the same host follows, in this object or in a later one. */
static bool is_replaced(const struct json *entry, const struct json *container, bool is_legacy)
{
    for (const struct json *one = json_get_next(entry); one; one = json_get_next(one))
        if (strcmp(json_get_name(one), json_get_name(entry)) == 0)
            return true;
    for (container = is_legacy ? NULL : json_get_next(container); container;
         container = json_get_next(container))
        if (json_is_folded(json_get_name(container), "auths") &&
            (json_get_type(container) == JSON_NULL || json_find(container, json_get_name(entry))))
            return true;
    return false;
}

static int read_all(const struct json *container, bool is_legacy, struct client_logins *logins)
{
    for (const struct json *member = json_get_first(container); member;
         member = json_get_next(member)) {
        CLEANUP(login_done) struct client_login login = {0};
        int r;

        if (json_get_type(member) != JSON_OBJECT || is_replaced(member, container, is_legacy))
            continue;
        login.host = strdup(json_get_name(member));
        r = login.host ? read_entry(member, &login) : -ENOMEM;
        if (r == HAS_SECRET)
            r = add_login(logins, &login);
        if (r < 0)
            return r;
    }
    return 0;
}

int client_config_list_logins(const struct client_config *config, struct client_logins *ret,
                              struct error *err)
{
    CLEANUP(client_logins_done) struct client_logins logins = {0};
    int r = config->is_legacy ? read_all(config->json, true, &logins) : 0;

    for (const struct json *member = json_get_first(config->json);
         r == 0 && !config->is_legacy && member; member = json_get_next(member))
        if (json_is_folded(json_get_name(member), "auths") && json_get_type(member) == JSON_OBJECT)
            r = read_all(member, false, &logins);
    if (r < 0)
        return error_set_oom(err);
    *ret = logins;
    logins = (struct client_logins){0};
    return 0;
}
