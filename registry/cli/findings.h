#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "registry/cli/json-out.h"
#include "registry/cli/progress-line.h"

/*
 * The output of a verb that reports findings: a line each, or members of a list in JSON. The
 * progress is on standard error. One thread.
 */
struct findings {
    bool is_quiet, is_json;
    struct json_out out;
    struct progress_line line;
};

/* Opens the JSON object and its list of findings, which has that name, if the output is JSON. */
void findings_begin(struct findings *findings, const char *list);

/* Reports one, such as "damaged: sha256:...: its bytes have another digest". object: findings. */
void findings_say(void *object, const char *finding);

/* Returns negative if standard output cannot be written. */
int findings_flush(struct error *err) MUST_USE;
