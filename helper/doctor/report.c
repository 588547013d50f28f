#include "helper/doctor/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/json-quote.h"
#include "common/printable.h"
#include "common/shell-quote.h"
#include "helper/terminal.h"

/* --- adding ------------------------------------------------------------------------------ */

static struct finding *add(struct report *report, struct finding *finding)
{
    struct finding **more = finding ? reallocarray(report->items, report->count + 1, sizeof(*more)) : NULL;

    if (!more) {
        free(finding);
        report->is_out_of_memory = true;
        return NULL;
    }
    report->items = more;
    more[report->count++] = finding;
    return finding;
}

struct finding *report_add(struct report *report, const char *id, enum finding_status status, const char *why,
                           const char *what, ...)
{
    struct finding *finding = add(report, calloc(1, sizeof(*finding)));
    va_list arguments;

    if (!finding)
        return NULL;
    finding->id = id;
    finding->status = status;
    finding->why = why;
    va_start(arguments, what);
    if (vasprintf(&finding->what, what, arguments) < 0)
        finding->what = NULL; /* said when it is told */
    va_end(arguments);
    return finding;
}

void finding_add_command(struct finding *finding, const char *format, ...)
{
    char *text = NULL, **place = NULL;
    size_t size = 0;
    va_list arguments;
    FILE *stream;

    for (size_t i = 0; finding && !place && i < FINDING_COMMANDS; i++)
        place = finding->commands[i] ? NULL : &finding->commands[i];
    stream = place ? open_memstream(&text, &size) : NULL;
    if (!stream)
        return;
    va_start(arguments, format);
    for (const char *at = format; *at; at++) {
        if (at[0] == '%' && at[1] == 's') {
            CLEANUP_FREE char *quoted = shell_quote(va_arg(arguments, const char *));

            fputs(quoted ? quoted : "", stream);
            at++;
        } else {
            fputc(*at, stream);
        }
    }
    va_end(arguments);
    if (fclose(stream) == 0)
        *place = text;
}

size_t report_count_bad(const struct report *report)
{
    size_t count = 0;

    for (size_t i = 0; i < report->count; i++)
        count += report->items[i]->status == FINDING_BAD && !report->items[i]->is_fixed;
    return count;
}

void report_done(struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->items[i]->what);
        for (size_t k = 0; k < FINDING_COMMANDS; k++)
            free(report->items[i]->commands[k]);
        free(report->items[i]);
    }
    free(report->items);
    *report = (struct report){0};
}

/* --- telling ----------------------------------------------------------------------------- */

static void tell(const struct finding *finding)
{
    enum terminal_mark mark = finding->is_fixed                   ? TERMINAL_DONE
                              : finding->status == FINDING_BAD ? TERMINAL_BAD
                                                                 : TERMINAL_WARNING;

    terminal_say(stdout, mark, "%s%s", finding->is_fixed ? "mended: " : "", finding->what ? finding->what : "");
    if (finding->is_fixed)
        return;
    terminal_explain(stdout, "%s", finding->why);
    for (size_t i = 0; i < FINDING_COMMANDS && finding->commands[i]; i++)
        terminal_show_command(stdout, "%s", finding->commands[i]);
}

void report_tell(const struct report *report, size_t first)
{
    for (size_t i = first; i < report->count; i++)
        tell(report->items[i]);
}

/* For a person's terminal too, so it is escaped further than JSON asks for. Without memory it is null, and false is answered. */
static bool print_quoted(FILE *stream, const char *text)
{
    size_t size = text ? json_quote(text, strlen(text), NULL) : 0, shown_size;
    CLEANUP_FREE char *quoted = text ? malloc(size) : NULL, *shown = NULL;

    if (quoted) {
        json_quote(text, strlen(text), quoted);
        shown_size = printable_escape_json(quoted, size, NULL);
        shown = malloc(shown_size);
    }
    if (!shown) {
        fputs("null", stream);
        return false;
    }
    printable_escape_json(quoted, size, shown);
    fwrite(shown, 1, shown_size, stream);
    return true;
}

static bool print_finding(FILE *stream, const struct finding *finding)
{
    const char *status = finding->is_fixed ? "fixed" : finding->status == FINDING_BAD ? "bad" : "warning";
    bool is_whole;

    fprintf(stream, "{\"id\":\"%s\",\"status\":\"%s\",\"what\":", finding->id, status);
    is_whole = print_quoted(stream, finding->what);
    fputs(",\"why\":", stream);
    is_whole &= print_quoted(stream, finding->why);
    fputs(",\"commands\":[", stream);
    for (size_t i = 0; i < FINDING_COMMANDS && finding->commands[i]; i++) {
        fputs(i ? "," : "", stream);
        is_whole &= print_quoted(stream, finding->commands[i]);
    }
    fprintf(stream, "],\"fixable\":%s}", finding->is_fixable ? "true" : "false");
    return is_whole;
}

void report_print_json(struct report *report, FILE *stream)
{
    fprintf(stream, "{\"ok\":%s,\"decrypt_ms\":", report_count_bad(report) == 0 ? "true" : "false");
    if (report->decrypt_us)
        fprintf(stream, "%" PRIu64 ",\"decrypt_way\":\"%s\"", (report->decrypt_us + 500) / 1000,
                report->is_by_gpg ? "gpg" : "fast");
    else
        fputs("null,\"decrypt_way\":null", stream);
    fputs(",\"findings\":[", stream);
    for (size_t i = 0; i < report->count; i++) {
        fputs(i ? "," : "", stream);
        report->is_out_of_memory |= !print_finding(stream, report->items[i]);
    }
    fputs("]}\n", stream);
}
