/* Formats and parses a record as one JSON object. */
#include "registry/access/identity-record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json-quote.h"
#include "common/json.h"

void identity_format_hex(const unsigned char *bytes, size_t size, char *ret_text)
{
    for (size_t i = 0; i < size; i++)
        snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

static int parse_hex(const char *text, unsigned char *ret_bytes, size_t size)
{
    if (!text || strlen(text) != 2 * size || strspn(text, "0123456789abcdef") != 2 * size)
        return -EBADMSG;
    for (size_t i = 0; i < size; i++) {
        const char pair[] = {text[2 * i], text[2 * i + 1], '\0'};

        ret_bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return 0;
}

char *identity_record_format(const struct identity_record *record)
{
    CLEANUP_FREE char *user = json_quote_new(record->user);
    CLEANUP_FREE char *client = json_quote_new(record->client);
    CLEANUP_FREE char *address = json_quote_new(record->address);
    char credential[2 * KEYED_DIGEST_SIZE + 1], *text;

    if (!user || !client || !address)
        return NULL;
    identity_format_hex(record->credential.bytes, KEYED_DIGEST_SIZE, credential);
    if (asprintf(&text,
                 "{\"user\":%s,\"client\":%s,\"address\":%s,\"created\":%" PRId64
                 ",\"used\":%" PRId64 ",\"credential\":\"%s\"}\n",
                 user, client, address, record->created_s, record->used_s, credential) < 0)
        return NULL;
    return text;
}

static int copy_text(const struct json *object, const char *name, char *ret_text, size_t size)
{
    const char *text = json_get_text(json_find(object, name));

    if (!text || strlen(text) >= size)
        return -EBADMSG;
    snprintf(ret_text, size, "%s", text);
    return 0;
}

int identity_record_parse(const char *text, size_t size, struct identity_record *ret)
{
    CLEANUP(json_freep) struct json *object = NULL;
    int r = json_parse_public(text, size, &object);

    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    r = copy_text(object, "user", ret->user, sizeof(ret->user));
    if (r == 0)
        r = copy_text(object, "client", ret->client, sizeof(ret->client));
    if (r == 0)
        r = copy_text(object, "address", ret->address, sizeof(ret->address));
    if (r == 0)
        r = parse_hex(json_get_text(json_find(object, "credential")), ret->credential.bytes,
                      KEYED_DIGEST_SIZE);
    if (r < 0)
        return r;
    if (json_get_integer(json_find(object, "created"), &ret->created_s) < 0 ||
        json_get_integer(json_find(object, "used"), &ret->used_s) < 0)
        return -EBADMSG;
    return 0;
}
