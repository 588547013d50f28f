/*
 * `registryd copy` copies a registry between directories and buckets.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/words.h"
#include "registry/cli/findings.h"
#include "registry/cli/flags.h"
#include "registry/cli/open-store.h"
#include "registry/cli/verbs.h"
#include "registry/config/settings.h"
#include "registry/core/copy.h"

enum { COPY_DAMAGE = 1, COPY_HELP };

/* One of the two storages. */
struct side {
    const char *config;              /* borrowed from argv; NULL: not given */
    enum filesystem_sharing sharing; /* of a directory; that of the destination is created */
    struct settings *settings;
    struct bucket *bucket;
    struct store *store;
};

struct order {
    bool does_delete;
    struct side from, to;
    struct findings findings;
};

static void side_done(struct side *side)
{
    store_close(side->store);
    bucket_free(side->bucket);
    settings_free(side->settings);
}

static void order_done(struct order *order)
{
    side_done(&order->from);
    side_done(&order->to);
}

/* --- reading the configurations -------------------------------------------------------------- */

/* NULL: the side is a bucket. */
static const char *directory_of(const struct side *side)
{
    return side->settings->storage.s3.is_enabled ? NULL : side->settings->storage.root_directory;
}

/*
 * Variables such as REGISTRY_STORAGE_S3_BUCKET would change both configurations, so none counts.
 * Those of the credentials (AWS_*) do.
 */
static int load(struct side *side, struct error *err)
{
    char *no_environment[] = {NULL};

    return settings_load_for_data(side->config, no_environment, &side->settings, err);
}

/* Two names of one bucket can be told apart only by trying, so those are left to the user. */
static bool is_same_storage(const struct side *a, const struct side *b)
{
    const struct settings_s3 *left = &a->settings->storage.s3, *right = &b->settings->storage.s3;
    struct stat first, second;

    if (left->is_enabled != right->is_enabled)
        return false;
    if (left->is_enabled)
        return strcmp(left->endpoint, right->endpoint) == 0 &&
               strcmp(left->bucket, right->bucket) == 0 &&
               strcmp(left->root_directory, right->root_directory) == 0;
    return strcmp(directory_of(a), directory_of(b)) == 0 ||
           (stat(directory_of(a), &first) == 0 && stat(directory_of(b), &second) == 0 &&
            first.st_dev == second.st_dev && first.st_ino == second.st_ino);
}

static int load_both(struct order *order, struct error *err)
{
    int r;

    if (!order->from.config || !order->to.config)
        return error_set(err, EINVAL,
                         "copy needs --from CONFIG and --to CONFIG (see registryd copy --help)");
    r = load(&order->from, err);
    if (r == 0)
        r = load(&order->to, err);
    if (r == 0 && is_same_storage(&order->from, &order->to))
        return error_set(err, EINVAL, "%s and %s name the same storage", order->from.config,
                         order->to.config);
    return r;
}

/* --- opening the storages -------------------------------------------------------------------- */

/* Adds the ports of a bucket, and the file with authorities. Returns 0 or negative. */
static int allow_bucket(const struct bucket *bucket, struct confinement *confinement,
                        struct error *err)
{
    unsigned ports[CONFINE_PORTS_MAX] = {0};
    const char *authorities = bucket->functions->get_authorities(bucket);

    if (confinement->authorities && authorities && strcmp(confinement->authorities, authorities))
        return error_set(err, EINVAL, "both buckets need the same file of authorities");
    if (authorities)
        confinement->authorities = authorities;
    if (bucket->functions->get_token_file(bucket)) /* both have the same variables */
        confinement->token_file = bucket->functions->get_token_file(bucket);
    bucket->functions->get_ports(bucket, ports);
    for (size_t i = 0; i < CONFINE_PORTS_MAX && ports[i]; i++) {
        size_t place = 0;

        while (place < CONFINE_PORTS_MAX && confinement->ports[place] &&
               confinement->ports[place] != ports[i])
            place++;
        if (place == CONFINE_PORTS_MAX)
            return error_set(err, EINVAL, "the buckets use too many different ports");
        confinement->ports[place] = ports[i];
    }
    return 0;
}

/* Root becomes the owner of the destination's files or, if it is a bucket, of the source's. */
static int change_identity(const struct order *order, struct confinement *confinement,
                           struct error *err)
{
    const struct side *side = directory_of(&order->to) ? &order->to : &order->from;

    confinement->becomes_owner = true;
    confinement->user = side->settings->confinement.user;
    confinement->storage = directory_of(side);
    confinement->source = directory_of(&order->from);
    return confine_identity(confinement, err);
}

/* The source is only read. */
static void allow_directories(const struct order *order, struct confinement *confinement)
{
    confinement->storage = directory_of(&order->to);
    confinement->source = directory_of(&order->from);
}

static int open_side(struct side *side, struct error *err)
{
    return open_store(side->settings, steal_ptr(&side->bucket), side->sharing, &side->store, err);
}

/* Directories are opened before the process gives up its rights, buckets after that. */
static int open_both(struct order *order, struct error *err)
{
    struct side *sides[] = {&order->from, &order->to};
    bool is_confined =
        order->from.settings->confinement.is_enabled && order->to.settings->confinement.is_enabled;
    struct confinement confinement = {0};
    int r = is_confined ? change_identity(order, &confinement, err) : 0;

    allow_directories(order, &confinement);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sides); i++) {
        r = open_store_prepare(sides[i]->settings, &sides[i]->bucket, err);
        if (r == 0)
            r = sides[i]->bucket ? allow_bucket(sides[i]->bucket, &confinement, err)
                                 : open_side(sides[i], err);
    }
    if (r == 0 && is_confined)
        r = confine_rest(&confinement, err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sides); i++)
        if (sides[i]->bucket)
            r = open_side(sides[i], err);
    return r;
}

/* --- copying --------------------------------------------------------------------------------- */

static void print_result(const struct order *order, const struct copy_result *result)
{
    char words[WORDS_SIZE_MAX];

    if (order->findings.is_quiet)
        return;
    printf("%ju %s copied, %s; %ju %s written, %ju removed; %ju damaged\n",
           (uintmax_t)result->blobs,
           words_plural(result->blobs, "blob or manifest", "blobs and manifests"),
           words_bytes(result->bytes, words), (uintmax_t)result->links,
           words_plural(result->links, "link or record", "links and records"),
           (uintmax_t)result->removed, (uintmax_t)result->damaged);
    if (result->surplus > 0)
        printf("%ju %s only in the destination; --delete removes %s\n", (uintmax_t)result->surplus,
               words_plural(result->surplus, "tag, manifest or link exists",
                            "tags, manifests and links exist"),
               result->surplus == 1 ? "it" : "them");
}

static int write_result(struct json_out *out, const struct copy_result *result, struct error *err)
{
    json_out_close(out, ']');
    json_out_number(out, "blobs", result->blobs);
    json_out_number(out, "bytes", result->bytes);
    json_out_number(out, "links", result->links);
    json_out_number(out, "removed", result->removed);
    json_out_number(out, "surplus", result->surplus);
    json_out_number(out, "damaged", result->damaged);
    json_out_close(out, '}');
    return json_out_end(out, err);
}

/* 0, COPY_DAMAGE or negative. */
static int copy(struct order *order, struct error *err)
{
    struct findings *findings = &order->findings;
    const struct copy_options options = {.does_delete = order->does_delete,
                                         .say = findings_say,
                                         .object = findings,
                                         .progress = findings->is_quiet ? NULL : progress_line_show,
                                         .progress_object = &findings->line};
    struct copy_result result;
    int r;

    findings_begin(findings, "findings");
    r = store_copy(order->from.store, order->to.store, &options, &result, err);
    progress_line_clear(&findings->line);
    if (r == 0 && findings->is_json)
        r = write_result(&findings->out, &result, err);
    else if (r == 0)
        print_result(order, &result);
    if (r == 0)
        r = findings_flush(err);
    if (r < 0)
        return r;
    return result.damaged > 0 ? COPY_DAMAGE : 0;
}

static int run(char **argv, struct error *err)
{
    CLEANUP(order_done)
    struct order order = {.from.sharing = FILESYSTEM_LOOKS, .to.sharing = FILESYSTEM_SERVES};
    const struct flag flags[] = {
        {.name = "from", .text = &order.from.config},
        {.name = "to", .text = &order.to.config},
        {.name = "delete", .is_set = &order.does_delete},
        {.name = "json", .letter = 'j', .is_set = &order.findings.is_json},
        {.name = "quiet", .letter = 'q', .is_set = &order.findings.is_quiet},
        {0},
    };
    const char *operand = NULL;
    int r = flags_parse(argv, flags, &operand, err);

    if (r == FLAGS_HELP)
        return COPY_HELP;
    if (r == 0 && operand)
        r = error_set(err, EINVAL, "copy takes no operand: %s", operand);
    if (r == 0)
        r = load_both(&order, err);
    progress_line_start(&order.findings.line, order.findings.is_quiet);
    if (r == 0)
        r = open_both(&order, err);
    return r < 0 ? r : copy(&order, err);
}

static int run_copy(int argc, char **argv)
{
    struct error err = {0};
    int r = run(argv, &err);

    (void)argc;
    if (r == COPY_HELP)
        return verb_print_help(&verb_copy);
    if (r < 0)
        return verb_fail(&err);
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct verb verb_copy = {
    .name = "copy",
    .function = run_copy,
    .help = "Usage: registryd copy --from CONFIG --to CONFIG [OPTIONS]\n"
            "\n"
            "Copies a registry from the storage of one configuration to that of another:\n"
            "directories or buckets, in any combination. Servers may use the source\n"
            "meanwhile. All bytes are compared with their digests. What the destination has\n"
            "is not copied again: repeat the command after an interruption, or to catch up.\n"
            "\n"
            "  --delete     also remove tags, manifests and blobs of repositories that the\n"
            "               source does not have, such as a tag that was deleted\n"
            "  -j, --json   print the findings and the counts as JSON\n"
            "  -q, --quiet  print findings and errors only\n"
            "  -h, --help   this text\n"
            "\n"
            "To move a registry: copy while it serves. Then make it read-only\n"
            "(storage.maintenance.readonly.enabled), copy once more with --delete, and start\n"
            "the servers with the other configuration. Variables REGISTRY_* are ignored.\n"
            "\n"
            "Example:\n"
            "  registryd copy --from /srv/registry/config.yml --to /srv/registry/bucket.yml\n"
            "\n"
            "Exit status: 0 if everything was copied; 1 if anything is damaged or missing, if\n"
            "the copy could not be completed, and for a wrong command line.\n",
};
