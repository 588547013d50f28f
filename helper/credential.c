/* The JSON document that docker sends and receives. Its fields never leave secure memory. */
#include "helper/credential.h"

#include <errno.h>
#include <string.h>

#include "common/json-quote.h"
#include "common/json.h"
#include "helper/protocol.h"

enum { SHORT_TEXT = 300 };

static struct secbuf *field_named(struct credential *credential, const char *name)
{
    if (json_is_folded(name, "serverurl"))
        return &credential->server_url;
    if (json_is_folded(name, "username"))
        return &credential->username;
    if (json_is_folded(name, "secret"))
        return &credential->secret;
    return NULL;
}

static int take_member(struct credential *credential, const struct json *member, struct error *err)
{
    struct secbuf *field = field_named(credential, json_get_name(member));

    if (!field || json_get_type(member) == JSON_NULL)
        return 0;
    if (json_get_type(member) != JSON_STRING)
        return error_set(err, EINVAL, "the request's field %s is not a string",
                         json_get_name(member));
    secbuf_truncate(field, 0);
    return json_copy_string(member, field) < 0 ? error_set_oom(err) : 0;
}

static int take_document(struct credential *credential, const struct json *document,
                         struct error *err)
{
    if (json_get_type(document) == JSON_NULL)
        return 0;
    if (json_get_type(document) != JSON_OBJECT)
        return error_set(err, EINVAL, "the request is not a JSON object");
    for (const struct json *member = json_get_first(document); member;
         member = json_get_next(member)) {
        int r = take_member(credential, member, err);

        if (r < 0)
            return r;
    }
    return 0;
}

int credential_parse(const void *text, size_t size, struct credential *ret, struct error *err)
{
    CLEANUP(credential_done) struct credential credential = {0};
    CLEANUP(json_freep) struct json *document = NULL;
    int r = json_parse(text, size, &document);

    if (r == -ENOMEM)
        return error_set_oom(err);
    if (r < 0)
        return error_set(err, EINVAL, "the request on standard input is not valid JSON");
    r = take_document(&credential, document, err);
    if (r < 0)
        return r;
    if (credential.server_url.size == 0)
        return error_set(err, EINVAL, PROTOCOL_NO_SERVER_URL);
    if (credential.username.size == 0)
        return error_set(err, EINVAL, PROTOCOL_NO_USERNAME);
    *ret = credential;
    credential = (struct credential){0};
    return 0;
}

int credential_append_quoted(struct secbuf *ret_text, const void *text, size_t size)
{
    /*
     * A quoted byte takes at most six bytes (\u0000). Reserving that much for a short text is
     * cheaper than measuring it first.
     */
    size_t length = size <= SHORT_TEXT ? 6 * size + 2 : json_quote(text, size, NULL);
    int r = secbuf_reserve(ret_text, length);

    if (r < 0)
        return r;
    ret_text->size += json_quote(text, size, (char *)ret_text->data + ret_text->size);
    return 0;
}

int credential_format(const struct credential *credential, struct secbuf *ret_text)
{
    const struct {
        const char *prefix;
        const struct secbuf *value;
    } fields[] = {
        {"{\"ServerURL\":", &credential->server_url},
        {",\"Username\":", &credential->username},
        {",\"Secret\":", &credential->secret},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fields); i++) {
        r = secbuf_append(ret_text, fields[i].prefix, strlen(fields[i].prefix));
        if (r == 0)
            r = credential_append_quoted(ret_text, fields[i].value->data, fields[i].value->size);
    }
    return r < 0 ? r : secbuf_append(ret_text, "}\n", 2);
}

void credential_done(struct credential *credential)
{
    secbuf_done(&credential->server_url);
    secbuf_done(&credential->username);
    secbuf_done(&credential->secret);
}
