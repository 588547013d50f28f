/*
 * Formats a line of the log. Values come from clients, who may try to forge a line or to control a
 * terminal, so everything that is not known to be harmless is escaped.
 */
#include "registry/runtime/log-line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/decimal.h"
#include "common/rfc3339.h"
#include "common/utf8.h"

/*
 * Room for "...", the closing quote, the field that says that the line was cut, the brace and the
 * newline.
 */
enum { RESERVE = 64 };

enum { NUMBER_SIZE = 64 }; /* more than the longest duration takes */

#define MARK "..."

static bool is_json(const struct log_line *line)
{
    return line->formatter != LOG_FORMATTER_TEXT;
}

/* Appends text that is known to fit. */
static void put(struct log_line *line, const char *text, size_t size)
{
    memcpy(line->text + line->used, text, size);
    line->used += size;
}

static void put_text(struct log_line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Appends text; false if it does not fit. */
static bool try_put(struct log_line *line, const char *text, size_t size)
{
    if (line->is_cut || line->limit - line->used < size) {
        line->is_cut = true;
        return false;
    }
    put(line, text, size);
    return true;
}

/*
 * Characters that are invisible or change how their neighbours look: controls, directions, joiners,
 * tags.
 */
static bool is_hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad || c == 0x61c || c == 0x180e ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || (c >= 0xe000 && c <= 0xf8ff) ||
           (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff || (c >= 0xfff0 && c <= 0xfffc) ||
           (c & 0xfffe) == 0xfffe || c >= 0xe0000;
}

/* Escapes like Go's strconv.Quote, which logrus' text formatter uses. */
static int escape_text(char *ret, size_t size, const unsigned char *at, size_t taken, uint32_t c)
{
    static const char letters[] = "abtnvfr"; /* from 7 on */

    if (c == '"' || c == '\\')
        return snprintf(ret, size, "\\%c", (int)c);
    if (c >= 7 && c <= 13)
        return snprintf(ret, size, "\\%c", letters[c - 7]);
    if (c < 0x80 || (c == UTF8_REPLACEMENT && taken == 1))
        return snprintf(ret, size, "\\x%02x", *at);
    return snprintf(ret, size, c > 0xffff ? "\\U%08" PRIx32 : "\\u%04" PRIx32, c);
}

static int escape_json(char *ret, size_t size, uint32_t c)
{
    if (c == '"' || c == '\\')
        return snprintf(ret, size, "\\%c", (int)c);
    if (c == '\n' || c == '\r' || c == '\t')
        return snprintf(ret, size, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    if (c > 0xffff)
        return snprintf(ret, size, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + ((c - 0x10000) >> 10),
                        0xdc00 + ((c - 0x10000) & 0x3ff));
    return snprintf(ret, size, "\\u%04" PRIx32, c);
}

/* Writes one code point, escaped if necessary, and returns how many bytes of at it used. */
static size_t put_code_point(struct log_line *line, const unsigned char *at, size_t size)
{
    uint32_t c;
    size_t taken = utf8_decode(at, size, &c);
    bool is_broken = c == UTF8_REPLACEMENT && taken == 1;
    char escaped[16];
    int length;

    if (!is_hidden(c) && c != '"' && c != '\\' && !is_broken) {
        try_put(line, (const char *)at, taken);
        return taken;
    }
    length = is_json(line) ? escape_json(escaped, sizeof(escaped), c)
                           : escape_text(escaped, sizeof(escaped), at, taken, c);
    try_put(line, escaped, (size_t)length);
    return taken;
}

/* Counts the bytes at the start of text that need no escaping in any format. */
static size_t count_harmless(const unsigned char *text, size_t size)
{
    size_t count = 0;

    while (count < size && text[count] >= 0x20 && text[count] < 0x7f && text[count] != '"' &&
           text[count] != '\\')
        count++;
    return count;
}

static void put_quoted(struct log_line *line, const char *value, size_t size)
{
    const unsigned char *at = (const unsigned char *)value;

    put_text(line, "\"");
    while (size > 0 && !line->is_cut) {
        size_t count = count_harmless(at, size), room = line->limit - line->used;

        if (count > 0) {
            put(line, (const char *)at, count < room ? count : room);
            line->is_cut = count > room;
        } else {
            count = put_code_point(line, at, size);
        }
        at += count;
        size -= count;
    }
    put_text(line, line->is_cut ? MARK "\"" : "\"");
}

/* Whether logrus would write the value without quotes: letters, digits and -._/@^+. */
static bool is_bare(const char *value, size_t size)
{
    static const uint64_t bare[2] = {0x03ffe80000000000, 0x07fffffec7ffffff};

    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)value[i];

        if (c >= 128 || !(bare[c / 64] >> c % 64 & 1))
            return false;
    }
    return true;
}

static void put_value(struct log_line *line, const char *value, size_t size)
{
    if (!is_json(line) && line->limit - line->used >= size && is_bare(value, size))
        put(line, value, size);
    else
        put_quoted(line, value, size);
}

/* Writes the name of a field; false if it does not fit together with a short value. */
static bool put_name(struct log_line *line, const char *name)
{
    size_t size = strlen(name);

    if (line->is_cut || line->limit - line->used < size + RESERVE) {
        line->is_cut = true;
        return false;
    }
    put_text(line, is_json(line) ? ",\"" : " ");
    put(line, name, size);
    put_text(line, is_json(line) ? "\":" : "=");
    return true;
}

static char *append(char *at, const char *text)
{
    size_t size = strlen(text);

    memcpy(at, text, size);
    return at + size;
}

/* A whole number and its part, without the zeros at the end of the part: "1.5". */
static char *append_fraction(char *at, uint64_t whole, uint64_t part, size_t part_width)
{
    at += decimal_format(whole, 1, at);
    if (part == 0)
        return at;
    at = append(at, ".");
    at += decimal_format(part, part_width, at);
    while (at[-1] == '0')
        at--;
    return at;
}

/* Microseconds as Go writes a time.Duration: 0s, 850µs, 1.5ms, 2m3.5s. Returns the size. */
static size_t format_duration(uint64_t us, char ret_text[NUMBER_SIZE])
{
    uint64_t minutes = us / 60000000;
    char *at = ret_text;

    if (us > 0 && us < 1000) {
        at += decimal_format(us, 1, at);
        return (size_t)(append(at, "\xC2\xB5s") - ret_text);
    }
    if (us > 0 && us < 1000000)
        return (size_t)(append(append_fraction(at, us / 1000, us % 1000, 3), "ms") - ret_text);
    if (minutes >= 60) {
        at += decimal_format(minutes / 60, 1, at);
        at = append(at, "h");
    }
    if (minutes > 0) {
        at += decimal_format(minutes % 60, 1, at);
        at = append(at, "m");
    }
    at = append_fraction(at, us / 1000000 % 60, us % 1000000, 6);
    return (size_t)(append(at, "s") - ret_text);
}

static size_t format_integer(int64_t number, char ret_text[NUMBER_SIZE])
{
    char *at = ret_text;

    if (number < 0)
        at = append(at, "-");
    at += decimal_format(number < 0 ? -(uint64_t)number : (uint64_t)number, 1, at);
    return (size_t)(at - ret_text);
}

void log_line_add(struct log_line *line, const struct log_field *field)
{
    char number[NUMBER_SIZE];

    if (field->kind == LOG_TEXT && !field->text)
        return;
    if (!put_name(line, field->name))
        return;
    switch (field->kind) {
    case LOG_TEXT:
        put_value(line, field->text, strlen(field->text));
        break;
    case LOG_INTEGER:
        put(line, number, format_integer(field->integer, number)); /* bare in JSON too */
        break;
    case LOG_DURATION:
        put_value(line, number, format_duration(field->duration_us, number));
        break;
    }
}

void log_line_add_made(struct log_line *line, const char *made, size_t size)
{
    try_put(line, made, size);
}

/* Caches the text of the current second, which may be needed thousands of times. */
static void put_time(struct log_line *line)
{
    static _Thread_local time_t second = -1;
    static _Thread_local char text[RFC3339_SIZE];
    struct timespec now;
    char fraction[DECIMAL_MAX];

    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second) {
        rfc3339_format(now.tv_sec, text);
        *strchrnul(text, 'Z') = '\0';
        second = now.tv_sec;
    }
    put_text(line, text);
    put_text(line, ".");
    put(line, fraction, decimal_format((uint64_t)now.tv_nsec / 1000, 6, fraction));
    put_text(line, "Z");
}

void log_line_begin_made(struct log_line *line, enum log_formatter formatter)
{
    line->formatter = formatter;
    line->used = 0;
    line->limit = LOG_LINE_MAX / 4;
    line->is_cut = false;
}

void log_line_begin(struct log_line *line, enum log_formatter formatter, enum log_level level,
                    const char *message)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    static const struct { const char *time, *level, *message;
    } words[] = {
        [LOG_FORMATTER_TEXT] = {"time=\"", "\" level=", " msg="},
        [LOG_FORMATTER_JSON] = {"{\"time\":\"", "\",\"level\":\"", "\",\"msg\":"},
        [LOG_FORMATTER_LOGSTASH] = {"{\"@timestamp\":\"", "\",\"@version\":\"1\",\"level\":\"",
                                    "\",\"message\":"},
    };

    log_line_begin_made(line, formatter);
    put_text(line, words[formatter].time);
    put_time(line);
    put_text(line, words[formatter].level);
    put_text(line, names[level]);
    put_text(line, words[formatter].message);
    line->limit = LOG_LINE_MAX / 2; /* a long message leaves room for fields */
    put_value(line, message, strlen(message));
    line->limit = LOG_LINE_MAX - RESERVE;
    line->is_cut = false;
}

void log_line_end(struct log_line *line)
{
    if (line->is_cut)
        put_text(line, is_json(line) ? ",\"truncated\":\"" MARK "\"" : " truncated=" MARK);
    put_text(line, is_json(line) ? "}\n" : "\n");
}
