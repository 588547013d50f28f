/*
 * The same conversation as gpg has with its agent (GnuPG, g10/call-agent.c and common/asshelp.c),
 * in two or three round trips.
 */
#include "gpg/agent-client.h"

#include <errno.h>
#include <gpg-error.h>
#include <stdio.h>
#include <string.h>

#include "gpg/agent-options.h"
#include "gpg/key-description.h"
#include "gpg/patience.h"

enum {
    /* an agent that hashes passphrases for other clients does nothing else meanwhile */
    GREETING_TIMEOUT_MS = 5000,
    ANSWER_TIMEOUT_MS = 30000,
    MOST_VALUE = 16 << 10,
    DATA_PIECE = 300, /* escaped, at most 900 bytes of a line */
    KEYGRIP_HEX_SIZE = 2 * KEYGRIP_SIZE + 1,
};

static int append_text(struct secbuf *ret, const char *text)
{
    return secbuf_append(ret, text, strlen(text));
}

/* 0 for OK. */
static int receive_ok(struct assuan *assuan)
{
    struct assuan_line line;
    int r = assuan_receive(assuan, &line);

    return r < 0 ? r : assuan_is(&line, "OK", NULL) ? 0 : -EPROTO;
}

static void set_timeout(struct assuan *assuan, int64_t most_ms)
{
    int64_t patience_ms = (int64_t)gpg_patience() * 1000;

    assuan_set_timeout(assuan, patience_ms < most_ms ? patience_ms : most_ms);
}

static bool is_code(const struct assuan_line *text, gpg_err_code_t code)
{
    return gpg_err_code(assuan_parse_error(text)) == code;
}

/*
 * Receives the answer to one OPTION. A restricted socket, as ssh forwards it, refuses all of them,
 * and gpg continues without. Refusing the pinentry mode is different: the caller relies on that
 * option.
 */
static int receive_option(struct assuan *assuan, const char *line, bool *ret_is_restricted)
{
    static const char mode[] = "OPTION pinentry-mode=";
    struct assuan_line answer, rest;
    int r = assuan_receive(assuan, &answer);

    if (r < 0 || assuan_is(&answer, "OK", NULL))
        return r;
    if (!assuan_is(&answer, "ERR", &rest) || !is_code(&rest, GPG_ERR_FORBIDDEN) ||
        strncmp(line, mode, strlen(mode)) == 0)
        return -EPROTO;
    *ret_is_restricted = true;
    return 0;
}

int agent_greet(struct assuan *assuan, enum gpg_pinentry_mode mode, bool *ret_is_restricted)
{
    CLEANUP(secbuf_done) struct secbuf lines = {0};
    bool is_restricted = false;
    int r = agent_options_append(&lines, mode);

    set_timeout(assuan, GREETING_TIMEOUT_MS);
    if (r == 0)
        r = assuan_send(assuan, lines.data, lines.size);
    if (r == 0)
        r = receive_ok(assuan); /* the greeting */
    for (size_t at = 0; r == 0 && at < lines.size;) {
        const char *line = (const char *)lines.data + at,
                   *end = memchr(line, '\n', lines.size - at);

        r = receive_option(assuan, line, &is_restricted);
        at += (size_t)(end - line) + 1;
    }
    if (r == 0)
        *ret_is_restricted = is_restricted;
    return r;
}

/* --- looking up ------------------------------------------------------------------------------ */

static void format_keygrip(const unsigned char keygrip[KEYGRIP_SIZE], char ret[KEYGRIP_HEX_SIZE])
{
    for (size_t i = 0; i < KEYGRIP_SIZE; i++)
        snprintf(ret + 2 * i, 3, "%02X", keygrip[i]);
}

/*
 * "<grip> <D|T|X> <serial> <id> <1|-> <P|C|-> ...": whether it is on the disk and needs no
 * passphrase now.
 */
static bool is_ready(const struct assuan_line *keyinfo)
{
    char text[200] = "", type, cached, protection;

    memcpy(text, keyinfo->data, keyinfo->size < sizeof(text) ? keyinfo->size : sizeof(text) - 1);
    if (sscanf(text, "%*s %c %*s %*s %c %c", &type, &cached, &protection) != 3)
        return false;
    return type == 'D' && (cached == '1' || protection == 'C');
}

int agent_look_up(struct assuan *assuan, const unsigned char keygrip[KEYGRIP_SIZE],
                  enum agent_key *ret)
{
    char grip[KEYGRIP_HEX_SIZE], command[64];
    enum agent_key found = AGENT_KEY_MISSING;
    struct assuan_line line, rest;
    int r;

    format_keygrip(keygrip, grip);
    r = assuan_send(assuan, command,
                    (size_t)snprintf(command, sizeof(command), "KEYINFO %s\n", grip));
    while (r == 0) {
        r = assuan_receive(assuan, &line);
        if (r < 0)
            break;
        if (assuan_is(&line, "S", &rest) && assuan_is(&rest, "KEYINFO", &rest)) {
            found = is_ready(&rest) ? AGENT_KEY_READY : AGENT_KEY_LOCKED;
        } else if (assuan_is(&line, "OK", NULL) || assuan_is(&line, "ERR", NULL)) {
            *ret = found;
            break;
        }
    }
    return r;
}

/* --- decrypting ------------------------------------------------------------------------------ */

void agent_answer_done(struct agent_answer *answer)
{
    secbuf_done(&answer->value);
}

/*
 * <name> and the bytes as a canonical S-expression, in which a number with its top bit set has a
 * zero before it.
 */
static int append_pair(struct secbuf *ret, char name, const struct bytes *bytes, bool is_number)
{
    bool needs_zero = is_number && bytes->size && bytes->data[0] & 0x80;
    char head[32];
    int r;

    snprintf(head, sizeof(head), "(1:%c%zu:", name, bytes->size + needs_zero);
    r = append_text(ret, head);
    if (r == 0 && needs_zero)
        r = secbuf_append(ret, "", 1);
    if (r == 0)
        r = secbuf_append(ret, bytes->data, bytes->size);
    return r < 0 ? r : append_text(ret, ")");
}

static int append_expression(struct secbuf *ret, const struct session_packet *session)
{
    bool is_rsa = session->algorithm == PUBLIC_KEY_RSA;
    int r = append_text(ret, is_rsa ? "(7:enc-val(3:rsa" : "(7:enc-val(4:ecdh");

    if (r == 0 && is_rsa)
        r = append_pair(ret, 'a', &session->number, true);
    if (r == 0 && !is_rsa)
        r = append_pair(ret, 's', &session->counted, false);
    if (r == 0 && !is_rsa)
        r = append_pair(ret, 'e', &session->number, true);
    return r < 0 ? r : append_text(ret, "))");
}

static int send_ciphertext(struct assuan *assuan, const struct session_packet *session)
{
    CLEANUP(secbuf_done) struct secbuf expression = {0}, lines = {0};
    int r = append_expression(&expression, session);

    for (size_t at = 0; r == 0 && at < expression.size; at += DATA_PIECE) {
        size_t left = expression.size - at;

        r = append_text(&lines, "D ");
        if (r == 0)
            r = assuan_escape(&lines, expression.data + at, left < DATA_PIECE ? left : DATA_PIECE);
        if (r == 0)
            r = append_text(&lines, "\n");
    }
    if (r == 0)
        r = append_text(&lines, "END\n");
    return r < 0 ? r : assuan_send(assuan, lines.data, lines.size);
}

static int answer_inquiry(struct assuan *assuan, const struct assuan_line *what,
                          const struct session_packet *session, struct agent_answer *answer)
{
    if (assuan_is(what, "CIPHERTEXT", NULL))
        return send_ciphertext(assuan, session);
    if (!assuan_is(what, "PINENTRY_LAUNCHED", NULL))
        return assuan_send(assuan, "CAN\n", 4);
    answer->has_asked_person = true;
    assuan_set_timeout(assuan, ASSUAN_FOREVER);
    return assuan_send(assuan, "END\n", 4);
}

static int take_data(const struct assuan_line *text, struct secbuf *value)
{
    return value->size + text->size > MOST_VALUE ? -EPROTO : assuan_unescape(text, value);
}

static void take_status(const struct assuan_line *status, struct agent_answer *answer)
{
    struct assuan_line rest;

    if (assuan_is(status, "PADDING", &rest))
        answer->has_padding = !(rest.size > 0 && rest.data[0] == '0');
}

/* Receives the answers to PKDECRYPT up to OK (0), ERR (AGENT_REFUSED) or a failure. */
static int receive_answer(struct assuan *assuan, const struct session_packet *session,
                          struct agent_answer *answer)
{
    struct assuan_line line, rest;
    int r;

    for (;;) {
        r = assuan_receive(assuan, &line);
        if (r < 0)
            return r;
        if (assuan_is(&line, "OK", NULL))
            return 0;
        if (assuan_is(&line, "ERR", &rest)) {
            answer->refusal = assuan_parse_error(&rest);
            return AGENT_REFUSED;
        }
        if (assuan_is(&line, "D", &rest))
            r = take_data(&rest, &answer->value);
        else if (assuan_is(&line, "S", &rest))
            take_status(&rest, answer);
        else if (assuan_is(&line, "INQUIRE", &rest))
            r = answer_inquiry(assuan, &rest, session, answer);
        else
            r = -EPROTO;
        if (r < 0)
            return r;
    }
}

/* "(5:value<size>:<bytes>)", with a NUL at the end if a card answered. Leaves only the bytes. */
static int unpack_value(struct secbuf *value)
{
    static const char head[] = "(5:value";
    size_t at = strlen(head), size = 0;

    if (value->size <= at || memcmp(value->data, head, at) != 0)
        return -EPROTO;
    for (;
         at < value->size && value->data[at] >= '0' && value->data[at] <= '9' && size < MOST_VALUE;
         at++)
        size = size * 10 + (value->data[at] - '0');
    if (at == value->size || value->data[at++] != ':' || size >= value->size - at ||
        value->data[at + size] != ')')
        return -EPROTO;
    memmove(value->data, value->data + at, size);
    secbuf_truncate(value, size);
    return 0;
}

static int send_request(struct assuan *assuan, const struct agent_request *request)
{
    CLEANUP(secbuf_done) struct secbuf lines = {0};
    char grip[KEYGRIP_HEX_SIZE], command[96];
    size_t before;
    int r;

    format_keygrip(request->keygrip, grip);
    snprintf(command, sizeof(command), "SETKEY %s\nSETKEYDESC ", grip);
    r = append_text(&lines, command);
    before = lines.size;
    if (r == 0)
        r = key_description_append(request->key, &lines);
    if (r == 0 && lines.size - before > ASSUAN_LINE_MAX - 20)
        r = -EMSGSIZE;
    if (r == 0)
        r = append_text(&lines, "\nPKDECRYPT\n");
    return r < 0 ? r : assuan_send(assuan, lines.data, lines.size);
}

int agent_decrypt(struct assuan *assuan, const struct agent_request *request,
                  struct agent_answer *ret)
{
    int r = send_request(assuan, request);

    ret->has_padding = true;
    /* A restricted agent does not tell when it asks a person. */
    set_timeout(assuan, request->is_restricted ? INT32_MAX : ANSWER_TIMEOUT_MS);
    for (unsigned i = 0; r == 0 && i < 2; i++)
        r = receive_ok(assuan);
    if (r == 0)
        r = receive_answer(assuan, request->session, ret);
    return r == 0 ? unpack_value(&ret->value) : r;
}
