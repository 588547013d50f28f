/*
 * `registryd garbage-collect` has registry:2's options and output, so that instructions for
 * registry:2 work. If no server uses the storage, it removes what registry:2's command would
 * remove. If servers are running, it keeps recent data; registry:2's command would remove images
 * that are being pushed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/words.h"
#include "registry/config/duration.h"
#include "registry/config/settings.h"
#include "registry/core/collect.h"
#include "registry/cli/findings.h"
#include "registry/cli/flags.h"
#include "registry/cli/offline.h"
#include "registry/cli/open-store.h"
#include "registry/cli/verbs.h"

/* The arguments of the command line. */
struct order {
    struct collect_options options;
    bool has_grace;     /* --grace was given */
    const char *config; /* borrowed from argv; NULL: not given */
    struct findings findings;
};

/*
 * The JSON output contains only the lines about removed objects: "blob eligible for deletion:
 * sha256:...", and the same for manifests.
 */
static void say(void *object, const char *line)
{
    struct findings *findings = object;

    if (!findings->is_json || strstr(line, " eligible for deletion: "))
        findings_say(findings, line);
}

static int write_result(struct order *order, const struct collect_result *result, struct error *err)
{
    struct json_out *out = &order->findings.out;

    json_out_close(out, ']');
    json_out_bool(out, "dryRun", order->options.is_dry_run);
    json_out_number(out, "graceSeconds", order->options.grace_s);
    json_out_number(out, "marked", result->marked);
    json_out_number(out, "blobs", result->blobs);
    json_out_number(out, "manifests", result->manifests);
    json_out_number(out, "bytes", result->bytes);
    json_out_close(out, '}');
    return json_out_end(out, err);
}

static int parse_grace(struct order *order, const char *text, struct error *err)
{
    char words[WORDS_SIZE_MAX];
    uint64_t grace_ms;

    if (duration_parse(text, &grace_ms) < 0 || grace_ms < COLLECT_LEAST_GRACE_S * UINT64_C(1000))
        return error_set(err, EINVAL, "--grace must be a duration such as 24h or 90m, at least %s",
                         words_duration(COLLECT_LEAST_GRACE_S, words));
    order->options.grace_s = (grace_ms + 999) / 1000;
    order->has_grace = true;
    return 0;
}

/* 0, FLAGS_HELP, or negative. */
static int parse(char **argv, struct order *order, struct error *err)
{
    const char *grace = NULL;
    const struct flag flags[] = {
        {.name = "delete-untagged", .letter = 'm', .is_set = &order->options.does_untag},
        {.name = "dry-run", .letter = 'd', .is_set = &order->options.is_dry_run},
        {.name = "grace", .letter = 'g', .text = &grace},
        {.name = "json", .letter = 'j', .is_set = &order->findings.is_json},
        {.name = "quiet", .letter = 'q', .is_set = &order->findings.is_quiet},
        {0},
    };
    int r = flags_parse(argv, flags, &order->config, err);

    return r == 0 && grace ? parse_grace(order, grace, err) : r;
}

static int collect(struct order *order, struct store *store, struct error *err)
{
    struct collect_options *options = &order->options;
    struct findings *findings = &order->findings;
    struct collect_result result;
    char words[WORDS_SIZE_MAX];
    int r;

    findings_begin(findings, "eligible");
    if (!findings->is_json && !findings->is_quiet && options->grace_s)
        printf("keeping what was pushed or requested in the last %s, because it may be part of a "
               "push\n",
               words_duration(options->grace_s, words));
    options->say = findings->is_quiet && !findings->is_json ? NULL : say;
    options->object = findings;
    options->progress = findings->is_quiet ? NULL : progress_line_show;
    options->progress_object = &findings->line;
    r = store_collect(store, options, &result, err);
    progress_line_clear(&findings->line);
    if (r == 0 && findings->is_json)
        r = write_result(order, &result, err);
    return r < 0 ? r : findings_flush(err);
}

/* Without --grace, nothing is kept if no server uses the storage. */
static int open_and_collect(struct order *order, const struct settings *settings, struct error *err)
{
    CLEANUP(store_closep) struct store *store = NULL;
    bool is_shared = order->has_grace;
    int r = offline_open_store_alone(settings, &is_shared, &store, err);

    if (is_shared && !order->has_grace)
        order->options.grace_s = COLLECT_USUAL_GRACE_S;
    return r < 0 ? r : collect(order, store, err);
}

static int run(char **argv, struct error *err)
{
    CLEANUP(settings_freep) struct settings *settings = NULL;
    struct order order = {0};
    int r = parse(argv, &order, err);

    if (r == 0)
        r = settings_load_for_data(order.config, environ, &settings, err);
    progress_line_start(&order.findings.line, order.findings.is_quiet);
    return r == 0 ? open_and_collect(&order, settings, err) : r;
}

static int run_garbage_collect(int argc, char **argv)
{
    struct error err = {0};
    int r = run(argv, &err);

    (void)argc;
    if (r == FLAGS_HELP)
        return verb_print_help(&verb_garbage_collect);
    return r == 0 ? EXIT_SUCCESS : verb_fail(&err);
}

const struct verb verb_garbage_collect = {
    .name = "garbage-collect",
    .function = run_garbage_collect,
    .help = "Usage: registryd garbage-collect [OPTIONS] [CONFIG]\n"
            "\n"
            "Removes the blobs that no manifest refers to. While servers use the storage, it\n"
            "keeps what was pushed or requested in the last day.\n"
            "\n"
            "  -d, --dry-run          only print what would be removed\n"
            "  -m, --delete-untagged  first remove the manifests that have no tag\n"
            "  -g, --grace TIME       keep what is younger, such as 24h or 90m (at least 2m)\n"
            "  -j, --json             print what is removed, and its size, as JSON\n"
            "  -q, --quiet            print errors only\n"
            "  -h, --help             this text\n"
            "\n"
            "CONFIG is the server's configuration; without it, the file that serve reads.\n"
            "\n"
            "Example:\n"
            "  registryd garbage-collect --dry-run /srv/registry/config.yml\n"
            "\n"
            "Exit status: 0 if all garbage was removed; 1 on failure and for a wrong command\n"
            "line: standard error says why.\n",
};
