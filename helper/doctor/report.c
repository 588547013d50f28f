#include "helper/doctor/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json-quote.h"
#include "common/printable.h"
#include "common/process.h"
#include "common/shell-quote.h"
#include "helper/terminal.h"

/* --- adding ---------------------------------------------------------------------------------- */

static struct finding *add(struct report *report, struct finding *finding)
{
    struct finding **more =
        finding ? reallocarray(report->items, report->count + 1, sizeof(*more)) : NULL;

    if (!more) {
        free(finding);
        report->is_out_of_memory = true;
        return NULL;
    }
    report->items = more;
    more[report->count++] = finding;
    return finding;
}

struct finding *report_add(struct report *report, const char *id, enum finding_status status,
                           const char *why, const char *what, ...)
{
    struct finding *finding;
    va_list arguments;

    if (status == FINDING_BAD && report->explains &&
        !(report->explains & (report->failed | report->untried)))
        return NULL;
    finding = add(report, calloc(1, sizeof(*finding)));
    if (!finding)
        return NULL;
    if (status == FINDING_BAD)
        report->explained |= report->explains;
    finding->id = id;
    finding->status = status;
    finding->why = why;
    va_start(arguments, what);
    if (vasprintf(&finding->what, what, arguments) < 0)
        finding->what = NULL; /* reported when it is printed */
    va_end(arguments);
    return finding;
}

static void take_command(struct finding *finding, char *command)
{
    for (size_t i = 0; finding && i < FINDING_COMMANDS; i++)
        if (!finding->commands[i]) {
            finding->commands[i] = command;
            return;
        }
    free(command);
}

void finding_add_command(struct finding *finding, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    take_command(finding, shell_format(format, arguments));
    va_end(arguments);
}

void finding_add_root_command(struct finding *finding, const char *format, ...)
{
    CLEANUP_FREE char *command = NULL, *sudo = NULL;
    va_list arguments;
    char *wrapped = NULL;

    va_start(arguments, format);
    command = shell_format(format, arguments);
    va_end(arguments);
    if (!command)
        return;
    if (geteuid() == 0)
        wrapped = steal_ptr(&command);
    else if (process_find("sudo", &sudo) == 0)
        wrapped = asprintf(&wrapped, "sudo %s", command) < 0 ? NULL : wrapped;
    else
        finding_add_command(finding, "su -c %s", command);
    if (wrapped)
        take_command(finding, wrapped);
}

size_t report_count_bad(const struct report *report)
{
    size_t count = 0;

    for (size_t i = 0; i < report->count; i++)
        count += report->items[i]->status == FINDING_BAD && !report->items[i]->is_fixed;
    return count;
}

enum report_verdict report_judge(const struct report *report)
{
    enum report_verdict verdict = report->untried ? REPORT_UNKNOWN : REPORT_WORKS;

    if (report_count_bad(report) > 0)
        return REPORT_FAILS;
    for (size_t i = 0; i < report->count; i++)
        if (report->items[i]->status == FINDING_UNCHECKED)
            verdict = REPORT_UNKNOWN;
    return verdict;
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

/* --- telling --------------------------------------------------------------------------------- */

static void tell(const struct finding *finding)
{
    enum terminal_mark mark = finding->is_fixed                ? TERMINAL_DONE
                              : finding->status == FINDING_BAD ? TERMINAL_BAD
                                                               : TERMINAL_WARNING;

    terminal_say(stdout, mark, "%s%s", finding->is_fixed ? "corrected: " : "",
                 finding->what ? finding->what : "");
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

/*
 * The output may go to a terminal, so more is escaped than JSON requires. If memory is exhausted,
 * prints null and returns false.
 */
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
    static const char *const statuses[] = {
        [FINDING_WARNING] = "warning",
        [FINDING_BAD] = "bad",
        [FINDING_UNCHECKED] = "unchecked",
    };
    const char *status = finding->is_fixed ? "fixed" : statuses[finding->status];
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

static const char *name_result(const struct report *report, unsigned step)
{
    if (report->failed & step)
        return "failed";
    if (report->locked & step)
        return "locked";
    return report->untried & step ? "not tried" : "passed";
}

static void print_steps(const struct report *report, FILE *stream)
{
    static const char *const names[] = {
        [STEP_ENCRYPT] = "encrypt",
        [STEP_DECRYPT] = "decrypt",
        [STEP_WRITE] = "write",
        [STEP_ENTRIES] = "entries",
    };

    fputs(",\"steps\":{", stream);
    for (unsigned i = 0; i < STEP_COUNT; i++)
        fprintf(stream, "%s\"%s\":\"%s\"", i ? "," : "", names[i], name_result(report, 1U << i));
    fputs("}", stream);
}

void report_print_json(struct report *report, FILE *stream)
{
    static const char *const verdicts[] = {
        [REPORT_WORKS] = "true",
        [REPORT_FAILS] = "false",
        [REPORT_UNKNOWN] = "null",
    };

    fprintf(stream, "{\"ok\":%s,\"decrypt_ms\":", verdicts[report_judge(report)]);
    if (report->decrypt_us)
        fprintf(stream, "%" PRIu64 ",\"decrypt_way\":\"%s\"", (report->decrypt_us + 500) / 1000,
                report->is_by_gpg ? "gpg" : "fast");
    else
        fputs("null,\"decrypt_way\":null", stream);
    print_steps(report, stream);
    fputs(",\"findings\":[", stream);
    for (size_t i = 0; i < report->count; i++) {
        fputs(i ? "," : "", stream);
        report->is_out_of_memory |= !print_finding(stream, report->items[i]);
    }
    fputs("]}\n", stream);
}
