#include "helper/terminal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/macros.h"
#include "common/printable.h"

enum { COLUMNS = 80, INDENT = 7, COMMAND_INDENT = 9 };

static const struct {
    const char *word, *colour;
} marks[] = {
    [TERMINAL_OK] = {"ok", "32"},       [TERMINAL_DONE] = {"done", "32"},
    [TERMINAL_WOULD] = {"would", "36"}, [TERMINAL_WARNING] = {"warn", "33"},
    [TERMINAL_BAD] = {"bad", "31"},
};

static bool has_colour(FILE *stream)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fileno(stream)) && !(no_colour && *no_colour) && term &&
           strcmp(term, "dumb") != 0;
}

static PRINTF_LIKE(1, 0) char *format_text(const char *format, va_list arguments)
{
    char *text;

    if (vasprintf(&text, format, arguments) < 0)
        return strdup("(out of memory)");
    printable_clean(text);
    return text;
}

/* The width of UTF-8 text in columns; each character counts as one. */
static int width_of(const char *text, size_t size)
{
    int width = 0;

    for (size_t i = 0; i < size; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

/* The cursor is at column INDENT. */
static void print_wrapped(FILE *stream, const char *text)
{
    int column = INDENT;

    while (*text) {
        size_t size = strcspn(text, " ");
        int width = width_of(text, size);

        if (column > INDENT && column + 1 + width > COLUMNS) {
            fprintf(stream, "\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            fputc(' ', stream);
            column++;
        }
        fwrite(text, 1, size, stream);
        column += width;
        text += size;
        text += strspn(text, " ");
    }
    fputc('\n', stream);
}

void terminal_say(FILE *stream, enum terminal_mark mark, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    const char *word = marks[mark].word;
    va_list arguments;

    va_start(arguments, format);
    text = format_text(format, arguments);
    va_end(arguments);
    if (has_colour(stream))
        fprintf(stream, "\033[%sm%s\033[0m%*s", marks[mark].colour, word,
                INDENT - (int)strlen(word), "");
    else
        fprintf(stream, "%-*s", INDENT, word);
    print_wrapped(stream, text ? text : "");
}

void terminal_explain(FILE *stream, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = format_text(format, arguments);
    va_end(arguments);
    fprintf(stream, "%*s", INDENT, "");
    print_wrapped(stream, text ? text : "");
}

void terminal_show_command(FILE *stream, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = format_text(format, arguments);
    va_end(arguments);
    fprintf(stream, "%*s%s\n", COMMAND_INDENT, "", text ? text : "");
}

void terminal_print_line(FILE *stream, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = format_text(format, arguments);
    va_end(arguments);
    fprintf(stream, "%s\n", text ? text : "");
}

bool terminal_can_ask(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* A line without its end; owned by the caller. NULL at the end of the input. */
static char *read_answer(void)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size = getline(&line, &capacity, stdin);

    if (size < 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\r\n")] = '\0';
    return line;
}

static int refuse_end(struct error *err)
{
    return error_set(err, ECANCELED,
                     "the input ended before the question was answered; nothing more was done");
}

int terminal_ask_yes(const char *question, bool is_yes_standard, struct error *err)
{
    for (;;) {
        CLEANUP_FREE char *answer = NULL;

        fprintf(stderr, "%s [%s] ", question, is_yes_standard ? "Y/n" : "y/N");
        answer = read_answer();
        if (!answer)
            return refuse_end(err);
        if (!*answer)
            return is_yes_standard ? TERMINAL_YES : TERMINAL_NO;
        if (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0)
            return TERMINAL_YES;
        if (strcasecmp(answer, "n") == 0 || strcasecmp(answer, "no") == 0)
            return TERMINAL_NO;
    }
}

int terminal_ask_line(const char *question, const char *standard, char **ret, struct error *err)
{
    CLEANUP_FREE char *shown = strdup(standard ? standard : "");

    if (!shown)
        return error_set_oom(err);
    printable_clean(shown);
    for (;;) {
        CLEANUP_FREE char *answer = NULL;

        if (standard)
            fprintf(stderr, "%s [%s]: ", question, shown);
        else
            fprintf(stderr, "%s: ", question);
        answer = read_answer();
        if (!answer)
            return refuse_end(err);
        if (!*answer && !standard)
            continue;
        *ret = *answer ? steal_ptr(&answer) : strdup(standard);
        return *ret ? 0 : error_set_oom(err);
    }
}
