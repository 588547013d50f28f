/*
 * What the fields of a head say about its framing (RFC 9112 section 6). A length or an encoding that is refused here is
 * one that some other reader takes in another way.
 */
#include "registry/spec/framing-fields.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/macros.h"

static const struct framing_flaw
    bad_length = {400, "invalid Content-Length"},
    length_too_large = {413, "the body is longer than a number can say"},
    bad_encoding = {400, "the only supported Transfer-Encoding is chunked, with HTTP/1.1"},
    two_lengths = {400, "the length of the body is stated twice"},
    bad_host = {400, "exactly one Host header is required"},
    two_authorizations = {400, "there is more than one Authorization header"};

static bool is_text(const struct framing *framing, const char *wanted)
{
    size_t size = strlen(wanted);

    return framing->text_size == size && strncasecmp(framing->text, wanted, size) == 0;
}

enum framing_field framing_find_field(const struct framing *framing)
{
    static const char *const names[] = {
        [FIELD_HOST] = "Host", [FIELD_AUTHORIZATION] = "Authorization", [FIELD_COOKIE] = "Cookie",
        [FIELD_LENGTH] = "Content-Length", [FIELD_ENCODING] = "Transfer-Encoding",
    };

    for (size_t i = FIELD_HOST; i < ARRAY_SIZE(names); i++)
        if (is_text(framing, names[i]))
            return (enum framing_field)i;
    return FIELD_OTHER;
}

/* White space behind a value is not part of it. */
static void trim(struct framing *framing)
{
    while (framing->text_size > 0 && framing->text_size <= sizeof(framing->text) &&
           (framing->text[framing->text_size - 1] == ' ' || framing->text[framing->text_size - 1] == '\t'))
        framing->text_size--;
}

static const struct framing_flaw *end_length(struct framing *framing)
{
    bool is_too_large = framing->text_size > sizeof(framing->text);
    size_t size = is_too_large ? sizeof(framing->text) : framing->text_size;
    uint64_t length = 0;

    framing->lengths++;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)framing->text[i];

        if (!isdigit(c))
            return &bad_length;
        is_too_large |= __builtin_mul_overflow(length, 10, &length) || __builtin_add_overflow(length, c - '0', &length);
    }
    if (is_too_large)
        return &length_too_large;
    framing->length = length;
    return size > 0 && length <= INT64_MAX ? NULL : &bad_length;
}

static const struct framing_flaw *end_encoding(struct framing *framing)
{
    framing->encodings++;
    return is_text(framing, "chunked") ? NULL : &bad_encoding;
}

const struct framing_flaw *framing_end_field(struct framing *framing)
{
    trim(framing);
    switch (framing->field) {
    case FIELD_HOST:
        framing->hosts++;
        return NULL;
    case FIELD_AUTHORIZATION:
        framing->authorizations++;
        return NULL;
    case FIELD_LENGTH:
        return end_length(framing);
    case FIELD_ENCODING:
        return end_encoding(framing);
    default:
        return NULL;
    }
}

const struct framing_flaw *framing_check_fields(const struct framing *framing)
{
    if (framing->hosts > 1 || (framing->hosts == 0 && !framing->is_1_0))
        return &bad_host;
    if (framing->authorizations > 1)
        return &two_authorizations;
    if (framing->lengths + framing->encodings > 1)
        return &two_lengths;
    return framing->encodings > 0 && framing->is_1_0 ? &bad_encoding : NULL;
}
