/*
 * A state machine that looks at each byte of a head once and skips bodies. Flaws of a value are noted and reported at the
 * head's end, so that a head that is too long as well is always refused as too long; what makes the end of the head
 * doubtful is refused at once.
 */
#include "registry/spec/framing.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "registry/spec/framing-fields.h"

enum { EMPTY_LINES_MAX = 8, CHUNK_DIGITS_MAX = 16 };

static const struct framing_flaw
    bad_line = {400, "the request line is malformed"},
    bad_line_end = {400, "a line does not end with CR and LF"},
    bad_version = {505, "only HTTP/1.1 and 1.0 are supported"},
    target_too_long = {414, "the target is too long"},
    head_too_long = {431, "the headers are too long"},
    bad_name = {400, "invalid header name"},
    folded = {400, "a header continues on a second line"},
    no_colon = {400, "a header has no colon"},
    bad_value = {400, "a header has a control character"},
    chunk_too_large = {413, "the body is longer than a number can say"},
    bad_chunk = {400, "the chunked encoding of the body is malformed"};

/* One call of framing_take(). Positions are of the bytes that are passed on. */
struct pass {
    struct framing *framing;
    char *data;
    size_t used;  /* bytes passed on */
    size_t begin; /* where the current head, chunk line or trailer begins, or the piece if it began before */
    size_t target_begin, target_end;
    bool has_target;
};

/* RFC 9110 section 5.6.2. */
static bool is_token(unsigned char c)
{
    return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* --- flaws ---------------------------------------------------------------------------- */

/* Reported at the end of the head; only the first counts. */
static void note(struct pass *pass, const struct framing_flaw *flaw)
{
    struct framing *framing = pass->framing;

    if (framing->flaw)
        return;
    framing->flaw = flaw;
    if (pass->has_target)
        framing->target = strndup(pass->data + pass->target_begin, pass->target_end - pass->target_begin);
    pass->used = pass->begin;
}

static void refuse(struct pass *pass, const struct framing_flaw *flaw)
{
    note(pass, flaw);
    pass->framing->state = FRAMING_REFUSED;
}

/* False if the head is too long, which counts more than any other flaw of it. */
static bool pay(struct pass *pass, unsigned cost)
{
    struct framing *framing = pass->framing;
    bool is_line = framing->state < FRAMING_LINE;

    framing->cost += cost;
    if (framing->cost <= FRAMING_HEAD_MAX)
        return true;
    refuse(pass, is_line ? &target_too_long : &head_too_long);
    framing->flaw = is_line ? &target_too_long : &head_too_long;
    return false;
}

/* --- text that matters ------------------------------------------------------------------ */

static void begin_text(struct framing *framing, enum framing_state state)
{
    framing->state = state;
    framing->text_size = 0;
}

static void add_text(struct framing *framing, char c)
{
    if (framing->text_size < sizeof(framing->text))
        framing->text[framing->text_size] = c;
    framing->text_size++;
}

/* --- the end of a head -------------------------------------------------------------------- */

static void end_value(struct pass *pass)
{
    const struct framing_flaw *flaw = framing_end_field(pass->framing);

    if (flaw)
        note(pass, flaw);
    pass->framing->state = FRAMING_LINE;
}

static void begin_request(struct framing *framing)
{
    const struct framing_flaw *flaw = framing->flaw;
    char *target = framing->target;

    *framing = (struct framing){.flaw = flaw, .target = target};
}

static void end_head(struct pass *pass)
{
    struct framing *framing = pass->framing;
    const struct framing_flaw *flaw = framing_check_fields(framing);

    if (flaw)
        note(pass, flaw);
    framing->digits = 0;
    if (framing->flaw)
        framing->state = FRAMING_REFUSED;
    else if (framing->encodings > 0)
        framing->state = FRAMING_CHUNK_SIZE;
    else if (framing->length > 0)
        framing->state = FRAMING_BODY;
    else
        begin_request(framing);
}

static void end_version(struct pass *pass)
{
    struct framing *framing = pass->framing;
    const char *text = framing->text;

    if (framing->text_size != strlen("HTTP/1.1") || memcmp(text, "HTTP/", 5) != 0 || !isdigit((unsigned char)text[5]) ||
        text[6] != '.' || !isdigit((unsigned char)text[7])) {
        refuse(pass, &bad_line);
        return;
    }
    if (text[5] != '1') {
        refuse(pass, &bad_version);
        return;
    }
    framing->is_1_0 = text[7] == '0';
    framing->state = FRAMING_LINE;
}

static void end_chunk_size(struct pass *pass)
{
    struct framing *framing = pass->framing;

    if (framing->digits == 0) {
        refuse(pass, &bad_chunk);
    } else if (framing->length > 0) {
        framing->state = FRAMING_CHUNK;
    } else {
        framing->is_trailer = true;
        framing->state = FRAMING_LINE;
    }
}

/* CR and LF have come. */
static void end_line(struct pass *pass)
{
    struct framing *framing = pass->framing;

    switch (framing->state) {
    case FRAMING_START:
        if (++framing->empty_lines > EMPTY_LINES_MAX)
            refuse(pass, &bad_line);
        break;
    case FRAMING_VERSION:
        end_version(pass);
        break;
    case FRAMING_LINE:
        if (!framing->is_trailer)
            end_head(pass);
        else if (framing->flaw)
            framing->state = FRAMING_REFUSED;
        else
            begin_request(framing);
        break;
    case FRAMING_NAME:
        note(pass, &no_colon);
        framing->state = FRAMING_LINE;
        break;
    case FRAMING_VALUE:
        end_value(pass);
        break;
    case FRAMING_CHUNK_SIZE:
    case FRAMING_CHUNK_EXTENSION:
        end_chunk_size(pass);
        break;
    case FRAMING_CHUNK_END:
        framing->digits = 0;
        framing->state = FRAMING_CHUNK_SIZE;
        break;
    default:
        refuse(pass, &bad_line);
    }
}

/* --- bytes ---------------------------------------------------------------------------------- */

static void take_method(struct pass *pass, unsigned char c)
{
    struct framing *framing = pass->framing;

    if (is_token(c)) {
        add_text(framing, (char)c);
    } else if (c == ' ' && framing->text_size > 0) {
        framing->is_head_method = framing->text_size == 4 && memcmp(framing->text, "HEAD", 4) == 0;
        framing->state = FRAMING_TARGET;
        framing->text_size = 0;
    } else {
        refuse(pass, &bad_line);
    }
}

static void take_target(struct pass *pass, unsigned char c)
{
    struct framing *framing = pass->framing;

    if (c == ' ' && framing->text_size > 0) {
        pass->target_end = pass->used;
        pass->has_target = pass->target_end > pass->target_begin && pass->target_begin > 0;
        begin_text(framing, FRAMING_VERSION);
    } else if (c == ' ' || is_control(c)) {
        note(pass, &bad_line);
    } else {
        if (framing->text_size++ == 0)
            pass->target_begin = pass->used;
        if (c == '&' || c == '?')
            (void)pay(pass, FRAMING_ITEM_COST);
    }
}

static void begin_header(struct pass *pass, unsigned char c)
{
    struct framing *framing = pass->framing;

    if (!pay(pass, FRAMING_ITEM_COST))
        return;
    framing->field = FIELD_OTHER;
    begin_text(framing, FRAMING_NAME);
    if (c == ' ' || c == '\t') {
        note(pass, &folded);
        framing->state = FRAMING_VALUE;
    }
}

static void take_name(struct pass *pass, unsigned char c)
{
    struct framing *framing = pass->framing;

    if (is_token(c)) {
        add_text(framing, (char)c);
        return;
    }
    if (c != ':' || framing->text_size == 0)
        note(pass, &bad_name);
    if (c != ':')
        return;
    framing->field = framing->is_trailer ? FIELD_OTHER : framing_find_field(framing);
    begin_text(framing, FRAMING_VALUE);
    if (framing->field == FIELD_COOKIE)
        (void)pay(pass, FRAMING_ITEM_COST);
}

static void take_value(struct pass *pass, unsigned char c)
{
    struct framing *framing = pass->framing;

    if (is_control(c) && c != '\t')
        note(pass, &bad_value);
    if (framing->field == FIELD_COOKIE)
        (void)pay(pass, 1 + (c == ';' || c == ',' ? FRAMING_ITEM_COST : 0));
    else if (framing->text_size > 0 || (c != ' ' && c != '\t'))
        add_text(framing, (char)c);
}

static void take_chunk_size(struct pass *pass, unsigned char c)
{
    struct framing *framing = pass->framing;

    if (c == ';' && framing->digits > 0) {
        framing->state = FRAMING_CHUNK_EXTENSION;
    } else if (!isxdigit(c)) {
        refuse(pass, &bad_chunk);
    } else if (framing->length >> 60) {
        refuse(pass, &chunk_too_large);
    } else if (++framing->digits > CHUNK_DIGITS_MAX) {
        refuse(pass, &bad_chunk);
    } else {
        framing->length = framing->length << 4 | (unsigned)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
    }
}

/* A byte of a line that is no part of its end. */
static void take_byte(struct pass *pass, unsigned char c)
{
    struct framing *framing = pass->framing;

    if (framing->state == FRAMING_START)
        begin_text(framing, FRAMING_METHOD);
    if (framing->state == FRAMING_LINE)
        begin_header(pass, c);
    switch (framing->state) {
    case FRAMING_METHOD:
        take_method(pass, c);
        break;
    case FRAMING_TARGET:
        take_target(pass, c);
        break;
    case FRAMING_VERSION:
        add_text(framing, (char)c);
        break;
    case FRAMING_NAME:
        take_name(pass, c);
        break;
    case FRAMING_VALUE:
        take_value(pass, c);
        break;
    case FRAMING_CHUNK_SIZE:
        take_chunk_size(pass, c);
        break;
    case FRAMING_CHUNK_EXTENSION:
        if (is_control(c) && c != '\t')
            refuse(pass, &bad_chunk);
        break;
    case FRAMING_CHUNK_END:
        refuse(pass, &bad_chunk);
        break;
    default:
        break;
    }
}

static void take_line_byte(struct pass *pass, unsigned char c)
{
    struct framing *framing = pass->framing;
    bool is_chunk = framing->state >= FRAMING_CHUNK_SIZE, is_after_cr = framing->is_after_cr;

    if ((!is_chunk || framing->state == FRAMING_CHUNK_EXTENSION) && !pay(pass, 1))
        return;
    framing->is_after_cr = c == '\r';
    if (c == '\n' && is_after_cr)
        end_line(pass);
    else if (c == '\n')
        refuse(pass, is_chunk ? &bad_chunk : &bad_line_end);
    else if (is_after_cr)
        is_chunk ? refuse(pass, &bad_chunk) : note(pass, &bad_line_end);
    else if (c != '\r')
        take_byte(pass, c);
}

/* --- pieces --------------------------------------------------------------------------------- */

static bool is_data(enum framing_state state)
{
    return state == FRAMING_BODY || state == FRAMING_CHUNK;
}

/* Bytes of a body pass by. Returns how many. */
static size_t take_data(struct pass *pass, const char *data, size_t size)
{
    struct framing *framing = pass->framing;

    if (size > framing->length)
        size = (size_t)framing->length;
    if (pass->data + pass->used != data)
        memmove(pass->data + pass->used, data, size);
    pass->used += size;
    framing->length -= size;
    if (framing->length > 0)
        return size;
    if (framing->state == FRAMING_CHUNK)
        framing->state = FRAMING_CHUNK_END;
    else
        begin_request(framing);
    return size;
}

/* A run of ordinary bytes of a value that does not matter, which most heads consist of. Returns how many; 0: one by one. */
static size_t take_run(struct pass *pass, const char *data, size_t size)
{
    struct framing *framing = pass->framing;
    size_t n = 0;

    if (framing->state != FRAMING_VALUE || framing->field == FIELD_COOKIE || framing->field >= FIELD_LENGTH ||
        framing->is_after_cr || framing->flaw)
        return 0;
    while (n < size && !is_control((unsigned char)data[n]))
        n++;
    if (n == 0 || !pay(pass, (unsigned)n))
        return n;
    if (pass->data + pass->used != data)
        memmove(pass->data + pass->used, data, n);
    pass->used += n;
    return n;
}

/* Whether what begins here is refused as a whole, and not what came before it. */
static bool is_beginning(const struct framing *framing)
{
    switch (framing->state) {
    case FRAMING_START:
        return !framing->is_after_cr;
    case FRAMING_CHUNK_SIZE:
        return framing->digits == 0 && !framing->is_after_cr;
    case FRAMING_CHUNK_END:
        return !framing->is_after_cr;
    default:
        return false;
    }
}

static void begin_part(struct pass *pass)
{
    pass->begin = pass->used;
    if (pass->framing->state != FRAMING_START)
        return;
    pass->has_target = false;
    pass->target_begin = 0;
}

size_t framing_take(struct framing *framing, char *data, size_t size)
{
    struct pass pass = {.framing = framing, .data = data};

    for (size_t i = 0; i < size && framing->state != FRAMING_REFUSED;) {
        size_t run = is_data(framing->state) ? take_data(&pass, data + i, size - i) : take_run(&pass, data + i, size - i);
        bool is_extension;

        i += run;
        if (run > 0)
            continue;
        if (is_beginning(framing))
            begin_part(&pass);
        take_line_byte(&pass, (unsigned char)data[i]);
        is_extension = framing->state == FRAMING_CHUNK_EXTENSION && !framing->is_after_cr;
        if (!framing->flaw && !is_extension)
            data[pass.used++] = data[i];
        i++;
    }
    return pass.used;
}

void framing_done(struct framing *framing)
{
    free(framing->target);
    framing->target = NULL;
}
