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

enum { FIRST_MS = 1000, REDRAW_MS = 200, LINE_MS = 30 * 1000, COLUMNS_MAX = 200, SECOND_MS = 1000 };

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
    if (line->columns > COLUMNS_MAX)
        line->columns = COLUMNS_MAX;
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

/*
 * "reading: 12 of 40 blobs, 1.5 GiB of 3.0 GiB, 210.0 MiB a second, 7 seconds left". elapsed_ms is
 * at least 1.
 */
static void format(const struct progress *progress, int64_t elapsed_ms, char *ret, size_t size)
{
    bool has_bytes = progress->bytes_total > 0;
    uint64_t done = has_bytes ? progress->bytes_done : progress->done;
    uint64_t total = has_bytes ? progress->bytes_total : progress->total;
    char one[WORDS_SIZE_MAX], two[WORDS_SIZE_MAX], rate[WORDS_SIZE_MAX], words[WORDS_SIZE_MAX];

    snprintf(ret, size, "%s: %" PRIu64, progress->step, progress->done);
    if (progress->total > 0)
        append(ret, size, " of %" PRIu64, progress->total);
    append(ret, size, " %s", progress->unit);
    if (has_bytes)
        append(ret, size, ", %s of %s, %s a second", words_short_bytes(done, one),
               words_short_bytes(total, two),
               words_short_bytes(done * SECOND_MS / (uint64_t)elapsed_ms, rate));
    if (done > 0 && done <= total)
        append(
            ret, size, ", %s left",
            words_duration((uint64_t)((double)elapsed_ms / (double)done * (double)(total - done)) /
                               SECOND_MS,
                           words));
}

void progress_line_show(void *object, const struct progress *progress)
{
    struct progress_line *line = object;
    int64_t now_ms = monotonic_ms();
    char text[COLUMNS_MAX + 1];

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
    if (line->has_terminal)
        fprintf(stderr, "\r%s\033[K", text);
    else
        fprintf(stderr, "%s\n", text);
    line->is_drawn = line->has_terminal;
}
