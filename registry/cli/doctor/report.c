#include "registry/cli/doctor/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/printable.h"
#include "common/shell-quote.h"
#include "registry/cli/json-out.h"

enum { EXIT_UNCHECKED = 2 };

static const char *const level_names[] = {
    [FINDING_WARNING] = "warning",
    [FINDING_BAD] = "bad",
    [FINDING_UNCHECKED] = "unchecked",
};

void report_add(struct report *report, const char *id, enum finding_level level, const char *why,
                const char *what, ...)
{
    struct finding *grown = reallocarray(report->items, report->count + 1, sizeof(*grown));
    struct finding finding = {.id = id, .level = level, .why = why};
    va_list arguments;

    if (grown)
        report->items = grown;
    va_start(arguments, what);
    if (!grown || vasprintf(&finding.what, what, arguments) < 0)
        report->is_out_of_memory = true;
    else
        report->items[report->count++] = finding;
    va_end(arguments);
}

void report_set_command(struct report *report, const char *format, ...)
{
    char *command;
    va_list arguments;

    if (report->is_out_of_memory) /* the last finding may be another one */
        return;
    va_start(arguments, format);
    command = shell_format(format, arguments);
    va_end(arguments);
    report->is_out_of_memory = !command;
    report->items[report->count - 1].command = command;
}

/* --- printing -------------------------------------------------------------------------------- */

static int print_finding(const struct finding *finding, struct error *err)
{
    CLEANUP_FREE char *what = strdup(finding->what);

    if (!what)
        return error_set_oom(err);
    printable_clean(what);
    printf("%s: %s\n    %s\n", level_names[finding->level], what, finding->why);
    if (finding->command)
        printf("    to fix it: %s\n", finding->command);
    return 0;
}

static size_t count_level(const struct report *report, enum finding_level level)
{
    size_t count = 0;

    for (size_t i = 0; i < report->count; i++)
        count += report->items[i].level == level;
    return count;
}

int report_print(const struct report *report, struct error *err)
{
    int r = report->is_out_of_memory ? error_set_oom(err) : 0;

    for (size_t i = 0; r == 0 && i < report->count; i++)
        r = print_finding(&report->items[i], err);
    if (r == 0 && report->count == 0)
        puts("no problems found in configuration, users, certificate, storage and the server's "
             "answers");
    else if (r == 0)
        printf("%zu bad, %zu not checked, %zu warnings\n", count_level(report, FINDING_BAD),
               count_level(report, FINDING_UNCHECKED), count_level(report, FINDING_WARNING));
    return r;
}

int report_write_json(const struct report *report, struct error *err)
{
    struct json_out out = {.has_failed = report->is_out_of_memory};

    json_out_open(&out, NULL, '{');
    json_out_open(&out, "findings", '[');
    for (size_t i = 0; i < report->count; i++) {
        const struct finding *finding = &report->items[i];

        json_out_open(&out, NULL, '{');
        json_out_text(&out, "id", finding->id);
        json_out_text(&out, "status", level_names[finding->level]);
        json_out_text(&out, "what", finding->what);
        json_out_text(&out, "why", finding->why);
        if (finding->command)
            json_out_text(&out, "command", finding->command);
        json_out_close(&out, '}');
    }
    json_out_close(&out, ']');
    json_out_close(&out, '}');
    return json_out_end(&out, err);
}

int report_exit_status(const struct report *report)
{
    if (count_level(report, FINDING_BAD) > 0)
        return EXIT_FAILURE;
    return count_level(report, FINDING_UNCHECKED) > 0 ? EXIT_UNCHECKED : EXIT_SUCCESS;
}

void report_done(struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->items[i].what);
        free(report->items[i].command);
    }
    free(report->items);
}
