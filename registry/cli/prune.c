/*
 * `registryd prune` removes the tags and manifests that the access file's lines "retain" and
 * "untagged" do not keep, and then collects garbage. It works while servers are running.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/words.h"
#include "registry/access/watched-file.h"
#include "registry/cli/findings.h"
#include "registry/cli/flags.h"
#include "registry/cli/offline.h"
#include "registry/cli/space.h"
#include "registry/cli/verbs.h"
#include "registry/config/duration.h"
#include "registry/config/settings.h"

struct order {
    bool is_dry_run;
    uint64_t grace_s;
    const char *config; /* borrowed from argv; NULL: not given */
    struct findings findings;
};

static int parse(char **argv, struct order *order, struct error *err)
{
    const char *grace = NULL;
    uint64_t grace_ms;
    char words[WORDS_SIZE_MAX];
    const struct flag flags[] = {
        {.name = "dry-run", .letter = 'd', .is_set = &order->is_dry_run},
        {.name = "grace", .letter = 'g', .text = &grace},
        {.name = "json", .letter = 'j', .is_set = &order->findings.is_json},
        {.name = "quiet", .letter = 'q', .is_set = &order->findings.is_quiet},
        {0},
    };
    int r = flags_parse(argv, flags, &order->config, err);

    order->grace_s = COLLECT_USUAL_GRACE_S;
    if (r != 0 || !grace)
        return r;
    if (duration_parse(grace, &grace_ms) < 0 || grace_ms < COLLECT_LEAST_GRACE_S * UINT64_C(1000))
        return error_set(err, EINVAL, "--grace must be a duration such as 24h or 90m, at least %s",
                         words_duration(COLLECT_LEAST_GRACE_S, words));
    order->grace_s = (grace_ms + 999) / 1000;
    return 0;
}

static int read_rules(const struct settings *settings, struct rules **ret, struct error *err)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    const char *path = settings->auth.access;
    int r;

    if (!path)
        return error_set(
            err, EINVAL,
            "the configuration has no auth.htpasswd.access, the file whose lines \"retain\" and "
            "\"untagged\" say what to remove");
    r = watched_file_read(path, &content, err);
    if (r == 0)
        r = rules_parse(path, content.text, content.size, ret, err);
    if (r == 0 && !rules_have_retention(*ret))
        return error_set(err, EINVAL,
                         "%s has no line \"retain\" or \"untagged\", so there is nothing to remove",
                         path);
    return r;
}

/* With --quiet, people see errors only; scripts get the list anyway. */
static void say_removed(void *object, const char *line)
{
    struct findings *findings = object;

    if (!findings->is_quiet || findings->is_json)
        findings_say(findings, line);
}

static int write_result(struct order *order, const struct space_result *result, struct error *err)
{
    struct json_out *out = &order->findings.out;

    json_out_close(out, ']');
    json_out_bool(out, "dryRun", order->is_dry_run);
    json_out_number(out, "graceSeconds", order->grace_s);
    json_out_number(out, "tags", result->tags);
    json_out_number(out, "manifests", result->manifests);
    json_out_number(out, "blobs", result->blobs);
    json_out_number(out, "bytes", result->bytes);
    json_out_close(out, '}');
    return json_out_end(out, err);
}

static void print_result(const struct order *order, const struct space_result *result)
{
    char bytes[WORDS_SIZE_MAX];

    if (order->findings.is_quiet)
        return;
    printf("%s %zu %s, %zu %s and %zu %s", order->is_dry_run ? "would remove" : "removed",
           result->tags, words_plural(result->tags, "tag", "tags"), result->manifests,
           words_plural(result->manifests, "manifest", "manifests"), result->blobs,
           words_plural(result->blobs, "blob", "blobs"));
    if (order->is_dry_run)
        puts("; manifests and blobs that only these tags use would be removed, too");
    else
        printf(", %s\n", words_bytes(result->bytes, bytes));
}

static int prune(struct order *order, const struct settings *settings, const struct rules *rules,
                 struct error *err)
{
    CLEANUP(store_closep) struct store *store = NULL;
    struct findings *findings = &order->findings;
    const struct space_options options = {.rules = rules,
                                          .is_dry_run = order->is_dry_run,
                                          .grace_s = order->grace_s,
                                          .tell = say_removed,
                                          .object = findings,
                                          .progress =
                                              findings->is_quiet ? NULL : progress_line_show,
                                          .progress_object = &findings->line};
    struct space_result result = {0};
    int r = offline_open_store(settings, &store, err);

    if (r < 0)
        return r;
    findings_begin(findings, "removed");
    r = space_run(store, &options, &result, err);
    progress_line_clear(&findings->line);
    if (r == 0 && findings->is_json)
        r = write_result(order, &result, err);
    else if (r == 0)
        print_result(order, &result);
    return r < 0 ? r : findings_flush(err);
}

static int run_prune(int argc, char **argv)
{
    CLEANUP(settings_freep) struct settings *settings = NULL;
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    struct order order = {0};
    struct error err = {0};
    int r = parse(argv, &order, &err);

    (void)argc;
    if (r == FLAGS_HELP)
        return verb_print_help(&verb_prune);
    if (r == 0)
        r = settings_load_for_data(order.config, environ, &settings, &err);
    if (r == 0)
        r = read_rules(settings, &rules, &err);
    progress_line_start(&order.findings.line, order.findings.is_quiet);
    if (r == 0)
        r = prune(&order, settings, rules, &err);
    return r == 0 ? EXIT_SUCCESS : verb_fail(&err);
}

const struct verb verb_prune = {
    .name = "prune",
    .function = run_prune,
    .help =
        "Usage: registryd prune [OPTIONS] [CONFIG]\n"
        "\n"
        "Removes the tags and the untagged manifests that no line of the access file\n"
        "keeps (\"retain\", \"always\", \"immutable\", \"untagged\"; see registryd-access(5)),\n"
        "and then the blobs that no manifest refers to, as garbage-collect does. Servers\n"
        "may be running. serve can do this on a schedule\n"
        "(storage.maintenance.garbagecollect).\n"
        "\n"
        "  -d, --dry-run     only print what would be removed, and why\n"
        "  -g, --grace TIME  keep blobs and manifests that are younger, or were requested\n"
        "                    since then, such as 24h (the default) or 90m\n"
        "  -j, --json        print what is removed, and its size, as JSON\n"
        "  -q, --quiet       print errors only\n"
        "  -h, --help        this text\n"
        "\n"
        "CONFIG is the server's configuration; without it, the file that serve reads.\n"
        "\n"
        "Example:\n"
        "  registryd prune --dry-run /srv/registry/config.yml\n"
        "\n"
        "Exit status: 0 on success; 1 on failure and for a wrong command line: standard\n"
        "error says why.\n",
};
