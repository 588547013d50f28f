#include "registry/cli/progress-line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/macros.h"
#include "common/monotonic.h"
#include "common/words.h"
#include "registry/cli/table.h"

enum {
    FIRST_MS = 1000,
    REDRAW_MS = 200,
    LINE_MS = 30 * 1000,
    SECOND_MS = 1000,
    MINUTE_S = 60,
    MINUTES = 60, /* of an hour */
};

void progress_line_start(struct progress_line *line, bool is_quiet)
{
    struct winsize size = {0};

    /* After the confinement, stdio cannot find out that this is a terminal. */
    if (isatty(STDOUT_FILENO))
        setvbuf(stdout, NULL, _IOLBF, 0);
    *line = (struct progress_line){
        .is_quiet = is_quiet, .has_terminal = isatty(STDERR_FILENO), .columns = 80};
    if (line->has_terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        line->columns = size.ws_col;
    if (line->columns > PROGRESS_COLUMNS_MAX)
        line->columns = PROGRESS_COLUMNS_MAX;
}

void progress_line_clear(struct progress_line *line)
{
    if (line->is_drawn)
        fputs("\r\033[K", stderr);
    line->is_drawn = false;
}

static PRINTF_LIKE(3, 4) void append(char *text, size_t size, const char *format, ...)
{
    size_t length = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + length, size - length, format, args);
    va_end(args);
}

/* ", 3:20 left", or ", 1:03:20 left". Short, so that the line fits a terminal of 80 columns. */
static void append_rest(char *text, size_t size, uint64_t rest_s)
{
    uint64_t minutes = rest_s / MINUTE_S, seconds = rest_s % MINUTE_S;

    if (minutes < MINUTES)
        append(text, size, ", %" PRIu64 ":%02" PRIu64 " left", minutes, seconds);
    else
        append(text, size, ", %" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " left", minutes / MINUTES,
               minutes % MINUTES, seconds);
}

static void append_count(char *text, size_t size, uint64_t done, uint64_t total, const char *unit)
{
    append(text, size, "%" PRIu64, done);
    if (total > 0)
        append(text, size, " of %" PRIu64, total);
    append(text, size, " %s", unit);
}

/* How much of the step is done, in its bytes or units. */
static double find_done(const struct progress *progress)
{
    if (progress->bytes_total > 0)
        return (double)progress->bytes_done;
    if (progress->part_total == 0 || progress->part_done > progress->part_total)
        return (double)progress->done;
    return (double)progress->done + (double)progress->part_done / (double)progress->part_total;
}

/*
 * "reading: 12 of 40 blobs, 1.5 GiB of 3.0 GiB, 210.0 MiB/s, 0:07 left", or
 * "marking: 0 of 1 repositories (700 of 1000 manifests), 0:07 left". elapsed_ms is at least 1.
 */
static void format(const struct progress *progress, int64_t elapsed_ms, char *ret, size_t size)
{
    bool has_bytes = progress->bytes_total > 0;
    double done = find_done(progress),
           total = (double)(has_bytes ? progress->bytes_total : progress->total);
    char one[WORDS_SIZE_MAX], two[WORDS_SIZE_MAX], rate[WORDS_SIZE_MAX];

    snprintf(ret, size, "%s: ", progress->step);
    append_count(ret, size, progress->done, progress->total, progress->unit);
    if (progress->part_unit) {
        append(ret, size, " (");
        append_count(ret, size, progress->part_done, progress->part_total, progress->part_unit);
        append(ret, size, ")");
    }
    if (has_bytes)
        append(ret, size, ", %s of %s, %s/s", words_short_bytes(progress->bytes_done, one),
               words_short_bytes(progress->bytes_total, two),
               words_short_bytes(progress->bytes_done * SECOND_MS / (uint64_t)elapsed_ms, rate));
    if (done > 0 && done <= total)
        append_rest(ret, size, (uint64_t)((double)elapsed_ms / done * (total - done)) / SECOND_MS);
}

void progress_line_show(void *object, const struct progress *progress)
{
    struct progress_line *line = object;
    int64_t now_ms = monotonic_ms();
    char text[PROGRESS_COLUMNS_MAX + 1];

    if (line->is_quiet)
        return;
    if (line->step != progress->step) {
        line->step = progress->step;
        line->began_ms = now_ms;
        line->next_ms = now_ms + (line->has_terminal ? FIRST_MS : LINE_MS);
    }
    if (now_ms < line->next_ms)
        return;
    line->next_ms = now_ms + (line->has_terminal ? REDRAW_MS : LINE_MS);
    format(progress, now_ms > line->began_ms ? now_ms - line->began_ms : 1, text, line->columns);
    if (line->print)
        line->print(text);
    else if (line->has_terminal)
        fprintf(stderr, "\r%s\033[K", text);
    else
        fprintf(stderr, "%s\n", text);
    line->is_drawn = line->has_terminal;
}
