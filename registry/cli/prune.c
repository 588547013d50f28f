/*
 * `registryd prune` removes the tags and manifests that the access file's lines "retain" and
 * "untagged" do not keep, and then collects garbage. It works while servers are running.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/words.h"
#include "registry/access/watched-file.h"
#include "registry/cli/flags.h"
#include "registry/cli/offline.h"
#include "registry/cli/space.h"
#include "registry/cli/verbs.h"
#include "registry/config/duration.h"
#include "registry/config/settings.h"

struct order {
    bool is_dry_run, is_quiet;
    uint64_t grace_s;
    const char *config; /* borrowed from argv; NULL: not given */
};

static int parse(char **argv, struct order *order, struct error *err)
{
    const char *grace = NULL;
    uint64_t grace_ms;
    char words[WORDS_SIZE_MAX];
    const struct flag flags[] = {
        {.name = "dry-run", .letter = 'd', .is_set = &order->is_dry_run},
        {.name = "grace", .letter = 'g', .text = &grace},
        {.name = "quiet", .letter = 'q', .is_set = &order->is_quiet},
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

static void print_line(void *object, const char *line)
{
    const struct order *order = object;

    if (!order->is_quiet)
        puts(line);
}

static void print_result(const struct order *order, const struct space_result *result)
{
    char bytes[WORDS_SIZE_MAX];

    if (order->is_quiet)
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
    const struct space_options options = {.rules = rules,
                                          .is_dry_run = order->is_dry_run,
                                          .grace_s = order->grace_s,
                                          .tell = print_line,
                                          .object = order};
    struct space_result result = {0};
    int r = offline_open_store(settings, &store, err);

    if (r == 0)
        r = space_run(store, &options, &result, err);
    if (r < 0)
        return r;
    print_result(order, &result);
    return fflush(stdout) != 0 ? error_set_errno(err, errno, "cannot write to standard output") : 0;
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
    if (r == 0)
        r = prune(&order, settings, rules, &err);
    if (r == 0)
        return EXIT_SUCCESS;
    fflush(stdout);
    fprintf(stderr, "registryd: %s\n", err.text);
    return EXIT_FAILURE;
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
