#include "registry/storage/s3/identity-answer.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/rfc3339.h"
#include "registry/storage/s3/wiping-memory.h"
#include "registry/storage/s3/xml.h"

#define RESULT "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/"

static int append(struct secbuf *form, const char *text)
{
    return secbuf_append(form, text, strlen(text));
}

/* Everything but letters, digits and "-._~" as %XX. */
static int append_escaped(struct secbuf *form, struct piece text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.text[i];
        char escaped[4];
        int r;

        snprintf(escaped, sizeof(escaped), "%%%02X", byte);
        r = byte < 128 && (isalnum(byte) || (byte && strchr("-._~", byte)))
                ? secbuf_append(form, &byte, 1)
                : secbuf_append(form, escaped, 3);
        if (r < 0)
            return r;
    }
    return 0;
}

static struct piece piece_of(const char *text)
{
    return (struct piece){text, strlen(text)};
}

int identity_format_form(const struct key_endpoint *endpoint, struct piece token,
                         struct secbuf *ret)
{
    return append(ret, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=") < 0 ||
                   append_escaped(ret, piece_of(endpoint->role)) < 0 ||
                   append(ret, "&RoleSessionName=") < 0 ||
                   append_escaped(ret, piece_of(endpoint->session)) < 0 ||
                   append(ret, "&WebIdentityToken=") < 0 || append_escaped(ret, token) < 0
               ? -ENOMEM
               : 0;
}

struct parts {
    struct secbuf access, secret, token;
    int64_t expires_s;
};

static void parts_done(struct parts *parts)
{
    secbuf_done(&parts->access);
    secbuf_done(&parts->secret);
    secbuf_done(&parts->token);
}

static int take_part(void *object, const char *path, const char *text)
{
    struct parts *parts = object;
    const struct {
        const char *path;
        struct secbuf *place;
    } places[] = {
        {RESULT "AccessKeyId", &parts->access},
        {RESULT "SecretAccessKey", &parts->secret},
        {RESULT "SessionToken", &parts->token},
    };

    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        if (strcmp(path, places[i].path) == 0) {
            secbuf_truncate(places[i].place, 0);
            return secbuf_append(places[i].place, text, strlen(text));
        }
    return strcmp(path, RESULT "Expiration") == 0 &&
                   rfc3339_parse(text, strlen(text), &parts->expires_s) < 0
               ? -EBADMSG
               : 0;
}

int identity_parse(struct piece answer, const char *origin, struct keys **ret, struct error *err)
{
    CLEANUP(parts_done) struct parts parts = {0};
    enum memory_use before = wiping_memory_set(MEMORY_OF_SECRETS);
    struct error ignored; /* it might have a part of the answer */
    struct keys *keys;
    int r = xml_parse(answer.text, answer.size, take_part, &parts, &ignored);

    wiping_memory_set(before);
    if (r < 0)
        return error_set(err, EBADMSG, "%s: the answer is invalid", origin);
    r = keys_new(&(struct keys_source){.access = piece_of_secret(&parts.access),
                                       .secret = piece_of_secret(&parts.secret),
                                       .token = piece_of_secret(&parts.token),
                                       .expires_s = parts.expires_s,
                                       .origin = origin},
                 &keys, err);
    if (r < 0)
        return r;
    if (!keys_are_expired(keys)) {
        *ret = keys;
        return 0;
    }
    keys_drop(keys);
    return error_set(err, EBADMSG, "%s: its keys have expired already", origin);
}
