/*
 * `registryd verify` reads all data and compares it with its digests.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/words.h"
#include "registry/config/settings.h"
#include "registry/core/verify.h"
#include "registry/cli/findings.h"
#include "registry/cli/flags.h"
#include "registry/cli/offline.h"
#include "registry/cli/verbs.h"

/* The arguments of the command line, and the state of the output. */
struct order {
    const char *config; /* borrowed from argv; NULL: not given */
    struct findings findings;
};

static void print_result(const struct order *order, const struct verify_result *result)
{
    char words[WORDS_SIZE_MAX];

    if (order->findings.is_quiet)
        return;
    printf("%zu %s verified, %s; %zu damaged, %zu missing, %zu %s wrong\n", result->blobs,
           words_plural(result->blobs, "blob or manifest", "blobs and manifests"),
           words_bytes(result->bytes, words), result->damaged, result->missing, result->wrong,
           words_plural(result->wrong, "link", "links"));
}

static int write_result(struct json_out *out, const struct verify_result *result, struct error *err)
{
    json_out_close(out, ']');
    json_out_number(out, "blobs", result->blobs);
    json_out_number(out, "bytes", result->bytes);
    json_out_number(out, "damaged", result->damaged);
    json_out_number(out, "missing", result->missing);
    json_out_number(out, "wrong", result->wrong);
    json_out_close(out, '}');
    return json_out_end(out, err);
}

enum { VERIFY_DAMAGE = 1, VERIFY_HELP };

/* 0, VERIFY_DAMAGE, or negative. */
static int verify(struct order *order, struct store *store, struct error *err)
{
    struct findings *findings = &order->findings;
    const struct verify_options options = {
        .say = findings_say,
        .object = findings,
        .progress_object = &findings->line,
        .progress = findings->is_quiet ? NULL : progress_line_show,
    };
    struct verify_result result;
    int r;

    findings_begin(findings, "findings");
    r = store_verify(store, &options, &result, err);
    progress_line_clear(&findings->line);
    if (r == 0 && findings->is_json)
        r = write_result(&findings->out, &result, err);
    else if (r == 0)
        print_result(order, &result);
    if (r == 0)
        r = findings_flush(err);
    if (r < 0)
        return r;
    return result.damaged || result.missing || result.wrong ? VERIFY_DAMAGE : 0;
}

static int open_and_verify(struct order *order, const struct settings *settings, struct error *err)
{
    CLEANUP(store_closep) struct store *store = NULL;
    int r = offline_open_store(settings, &store, err);

    return r < 0 ? r : verify(order, store, err);
}

static int run(char **argv, struct error *err)
{
    CLEANUP(settings_freep) struct settings *settings = NULL;
    struct order order = {0};
    const struct flag flags[] = {
        {.name = "json", .letter = 'j', .is_set = &order.findings.is_json},
        {.name = "quiet", .letter = 'q', .is_set = &order.findings.is_quiet},
        {0},
    };
    int r = flags_parse(argv, flags, &order.config, err);

    if (r == FLAGS_HELP)
        return VERIFY_HELP;
    if (r == 0)
        r = settings_load_for_data(order.config, environ, &settings, err);
    progress_line_start(&order.findings.line, order.findings.is_quiet);
    return r < 0 ? r : open_and_verify(&order, settings, err);
}

static int run_verify(int argc, char **argv)
{
    struct error err = {0};
    int r = run(argv, &err);

    (void)argc;
    if (r == VERIFY_HELP)
        return verb_print_help(&verb_verify);
    if (r < 0)
        return verb_fail(&err);
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct verb verb_verify = {
    .name = "verify",
    .function = run_verify,
    .help = "Usage: registryd verify [OPTIONS] [CONFIG]\n"
            "\n"
            "Reads all blobs and manifests. Reports each one that does not match its digest,\n"
            "each one that is missing although a repository refers to it, and each link with\n"
            "invalid content. Changes nothing, and works while servers are running. Shows its\n"
            "progress on standard error.\n"
            "\n"
            "  -j, --json   print the findings and the counts as JSON\n"
            "  -q, --quiet  print findings and errors only\n"
            "  -h, --help   this text\n"
            "\n"
            "CONFIG is the server's configuration; without it, the file that serve reads.\n"
            "\n"
            "Example:\n"
            "  registryd verify /srv/registry/config.yml\n"
            "\n"
            "Exit status: 0 if everything is in order; 1 if anything is damaged, missing or\n"
            "wrong, if the storage cannot be read, and for a wrong command line.\n",
};
