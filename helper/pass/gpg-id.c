/*
 * The recipients of a store. Their ids stay text, because only gpg knows all the forms that they
 * may have.
 */
#include "helper/pass/gpg-id.h"

#include <errno.h>
#include <string.h>

static const char blanks[] = " \t\r\v\f";
static const char mark[] = "\xef\xbb\xbf";

bool gpg_id_has_mark(const char *text, size_t size)
{
    return size >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0;
}

/* Appends the id of one line to out, which has enough room. Returns the new end. */
static char *append_id(char *out, const char *line, size_t size)
{
    const char *comment = memchr(line, '#', size);

    if (comment)
        size = (size_t)(comment - line);
    while (size > 0 && strchr(blanks, line[0])) {
        line++;
        size--;
    }
    while (size > 0 && strchr(blanks, line[size - 1]))
        size--;
    if (size == 0)
        return out;
    memcpy(out, line, size);
    out[size] = '\n';
    return out + size + 1;
}

int gpg_id_parse(const char *text, size_t size, char **ret_ids)
{
    char *ids, *end;

    if (size && memchr(text, '\0', size))
        return -EINVAL;
    ids = malloc(size + 2); /* a newline for the last line, and a NUL */
    if (!ids)
        return -ENOMEM;
    end = ids;
    if (gpg_id_has_mark(text, size)) {
        text += strlen(mark);
        size -= strlen(mark);
    }
    while (size > 0) {
        const char *newline = memchr(text, '\n', size);
        size_t length = newline ? (size_t)(newline - text) : size;

        end = append_id(end, text, length);
        length += newline ? 1 : 0;
        text += length;
        size -= length;
    }
    *end = '\0';
    *ret_ids = ids;
    return 0;
}

int gpg_id_parse_words(const char *text, char **ret_ids)
{
    char *ids = malloc(strlen(text) + 2), *end = ids;

    if (!ids)
        return -ENOMEM;
    while (*(text += strspn(text, " \t\n"))) {
        size_t length = strcspn(text, " \t\n");

        memcpy(end, text, length);
        end += length;
        *end++ = '\n';
        text += length;
    }
    *end = '\0';
    *ret_ids = ids;
    return 0;
}
