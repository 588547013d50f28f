#include "registry/cli/findings.h"

#include <errno.h>
#include <stdio.h>

void findings_begin(struct findings *findings, const char *list)
{
    if (!findings->is_json)
        return;
    json_out_open(&findings->out, NULL, '{');
    json_out_open(&findings->out, list, '[');
}

void findings_say(void *object, const char *finding)
{
    struct findings *findings = object;

    progress_line_clear(&findings->line);
    if (findings->is_json)
        json_out_text(&findings->out, NULL, finding);
    else
        puts(finding);
}

int findings_flush(struct error *err)
{
    return fflush(stdout) != 0 ? error_set_errno(err, errno, "cannot write to standard output") : 0;
}
