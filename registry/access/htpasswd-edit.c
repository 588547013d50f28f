/*
 * Changes the text of an htpasswd file. Comments and the order of lines are kept.
 */
#include "registry/access/htpasswd-edit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char mark[] = "\xEF\xBB\xBF";

void htpasswd_text_done(struct htpasswd_text *text)
{
    if (text->text)
        explicit_bzero(text->text, text->size);
    free(text->text);
    *text = (struct htpasswd_text){0};
}

int htpasswd_check_user(const char *user, struct error *err)
{
    size_t size = strlen(user);

    if (size > HTPASSWD_USER_MAX)
        return error_set(err, EMSGSIZE, "the user's name must have 1 to %d bytes",
                         HTPASSWD_USER_MAX);
    if (size == 0)
        return error_set(err, EINVAL, "the user's name must have 1 to %d bytes", HTPASSWD_USER_MAX);
    if (strchr(user, ':'))
        return error_set(err, EINVAL,
                         "the user's name must not contain ':', which ends the name in the file");
    for (const char *c = user; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return error_set(err, EINVAL, "the user's name must not contain control characters");
    if (strncmp(user, mark, strlen(mark)) == 0)
        return error_set(err, EINVAL,
                         "the user's name must not begin with a byte order mark, which would be "
                         "skipped in the file");
    if (user[0] == '#' || user[0] == ' ' || user[size - 1] == ' ')
        return error_set(
            err, EINVAL,
            "the user's name must not begin with '#', nor begin or end with a blank, which mean "
            "something else in the file");
    return 0;
}

/* --- lines ------------------------------------------------------------------------------ */

struct line {
    const char *at;   /* start of the line in the file */
    size_t size;      /* with its newline */
    const char *text; /* without spaces around it */
    size_t text_size;
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Finds the line that begins at `from`; false at the end of the text. */
static bool find_line(const struct htpasswd_text *text, size_t from, struct line *line)
{
    const char *newline;

    if (from >= text->size)
        return false;
    line->at = line->text = text->text + from;
    newline = memchr(line->at, '\n', text->size - from);
    line->size = newline ? (size_t)(newline + 1 - line->at) : text->size - from;
    line->text_size = line->size;
    while (line->text_size > 0 && is_blank(line->text[line->text_size - 1]))
        line->text_size--;
    while (line->text_size > 0 && is_blank(line->text[0])) {
        line->text++;
        line->text_size--;
    }
    return true;
}

static size_t mark_size(const struct htpasswd_text *text)
{
    size_t size = strlen(mark);

    return text->size >= size && memcmp(text->text, mark, size) == 0 ? size : 0;
}

static bool is_silent(const struct line *line)
{
    return line->text_size == 0 || line->text[0] == '#';
}

static bool is_of(const struct line *line, const char *user)
{
    size_t size = strlen(user);

    return !is_silent(line) && line->text_size > size && memcmp(line->text, user, size) == 0 &&
           line->text[size] == ':';
}

/* Returns "\r\n" or "\n", as the line has it; NULL if it has neither. */
static const char *end_of(const struct line *line)
{
    if (line->at[line->size - 1] != '\n')
        return NULL;
    return line->size > 1 && line->at[line->size - 2] == '\r' ? "\r\n" : "\n";
}

size_t htpasswd_text_find_stranger(const struct htpasswd_text *text)
{
    size_t number = 0;
    struct line line;

    for (size_t at = mark_size(text); find_line(text, at, &line); at += line.size) {
        number++;
        if (!is_silent(&line) && !memchr(line.text, ':', line.text_size))
            return number;
    }
    return 0;
}

/* --- the new text ----------------------------------------------------------------------- */

static void put(struct htpasswd_text *out, const char *bytes, size_t size)
{
    if (size > 0)
        memcpy(out->text + out->size, bytes, size);
    out->size += size;
}

static void put_user(struct htpasswd_text *out, const char *user, const char *hash, const char *end)
{
    put(out, user, strlen(user));
    put(out, ":", 1);
    put(out, hash, strlen(hash));
    put(out, end, strlen(end));
}

/*
 * Returns an upper bound for the result: each of the user's lines has the longest form, and one
 * line is appended.
 */
static int make_room(const struct htpasswd_text *before, const char *user, const char *hash,
                     struct htpasswd_text *out)
{
    size_t count = 1, most = hash ? strlen(user) + strlen(hash) + strlen(":\r\n") : 0;
    struct line line;

    for (size_t at = mark_size(before); find_line(before, at, &line); at += line.size)
        count += is_of(&line, user);
    out->text = malloc(strlen(mark) + before->size + count * most + strlen("\r\n") + 1);
    return out->text ? 0 : -ENOMEM;
}

/*
 * A file may begin with a byte order mark, which is skipped. If a line that becomes the first one
 * begins with the same bytes, another mark before it keeps its meaning.
 */
static void put_other(struct htpasswd_text *out, const struct line *line)
{
    if (out->size == 0 && line->size >= strlen(mark) && memcmp(line->at, mark, strlen(mark)) == 0)
        put(out, mark, strlen(mark));
    put(out, line->at, line->size);
}

/* If hash is NULL, removes the user's lines. Returns how many lines the user had. */
static size_t copy_lines(const struct htpasswd_text *before, const char *user, const char *hash,
                         struct htpasswd_text *out, const char **ret_end)
{
    size_t found = 0, at = mark_size(before);
    struct line line;

    *ret_end = "\n";
    put(out, before->text, at);
    for (; find_line(before, at, &line); at += line.size) {
        const char *end = end_of(&line);

        *ret_end = end ? end : *ret_end;
        if (!is_of(&line, user)) {
            put_other(out, &line);
            continue;
        }
        found++;
        if (hash)
            put_user(out, user, hash, end ? end : *ret_end);
    }
    return found;
}

static int change(const struct htpasswd_text *before, const char *user, const char *hash,
                  struct htpasswd_text *ret)
{
    CLEANUP(htpasswd_text_done) struct htpasswd_text out = {0};
    const char *end;
    size_t found;
    int r = make_room(before, user, hash, &out);

    if (r < 0)
        return r;
    found = copy_lines(before, user, hash, &out, &end);
    if (found == 0 && !hash)
        return HTPASSWD_NO_SUCH_USER;
    if (found == 0) {
        /*
         * If the last line has no newline, one is added, so that the new line does not become a
         * part of it.
         */
        if (out.size > mark_size(&out) && out.text[out.size - 1] != '\n')
            put(&out, end, strlen(end));
        put_user(&out, user, hash, end);
    }
    out.text[out.size] = '\0';
    *ret = out;
    out = (struct htpasswd_text){0};
    return found == 0 ? HTPASSWD_NO_SUCH_USER : 0;
}

int htpasswd_text_set(const struct htpasswd_text *before, const char *user, const char *hash,
                      struct htpasswd_text *ret)
{
    return change(before, user, hash, ret);
}

int htpasswd_text_remove(const struct htpasswd_text *before, const char *user,
                         struct htpasswd_text *ret)
{
    return change(before, user, NULL, ret);
}
