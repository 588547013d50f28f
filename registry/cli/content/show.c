/* `registryd show` describes a tag or a manifest. */
#include "registry/cli/content/show.h"

#include <errno.h>
#include <stdlib.h>

#include "common/time-units.h"
#include "registry/cli/content/content.h"

struct referrers {
    struct image *items;
    size_t count;
};

static void referrers_done(struct referrers *referrers)
{
    for (size_t i = 0; i < referrers->count; i++)
        image_done(&referrers->items[i]);
    free(referrers->items);
}

const char *show_referrer_type(const struct image *referrer)
{
    if (referrer->is_known && referrer->manifest.artifact_type)
        return referrer->manifest.artifact_type;
    return referrer->content.media_type;
}

/* Skips referrers that were removed in the meantime. */
static int read_referrers(const struct content_job *job, const struct digest *subject,
                          struct referrers *ret, struct error *err)
{
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    int r;

    do /* the first search of a repository needs several calls */
        r = store_list_referrers(job->store, job->reference.name, subject, &digests, err);
    while (r == STORE_WOULD_WAIT);
    if (r < 0)
        return r;
    store_digests_sort(&digests);
    ret->items = calloc(digests.count + 1, sizeof(*ret->items));
    if (!ret->items)
        return error_set_oom(err);
    for (size_t i = 0; r >= 0 && i < digests.count; i++) {
        r = image_read(job->store, job->reference.name, &digests.items[i], &ret->items[ret->count],
                       err);
        ret->count += r == 0;
    }
    return r < 0 ? r : 0;
}

static int show_image(const struct content_job *job, const struct image *image, struct error *err)
{
    CLEANUP(json_freep) struct json *config = NULL;
    CLEANUP(referrers_done) struct referrers referrers = {0};
    struct shown shown = {.store = job->store, .image = image, .tag = job->reference.tag};
    struct store_tag_state state;
    int r = image_read_config(job->store, image, &config, err);

    if (r == 0)
        r = read_referrers(job, &image->digest, &referrers, err);
    if (r == 0 && *shown.tag)
        r = store_stat_tag(job->store, image->name, shown.tag, &state, err);
    if (r < 0)
        return r;
    if (r == 0 && *shown.tag)
        shown.pushed_s = state.pushed_ns / NS_PER_S;
    shown.config = config;
    shown.referrers = referrers.items;
    shown.referrer_count = referrers.count;
    return job->is_json ? show_json(&shown, err) : show_text(&shown, err);
}

static int show(struct content_job *job, struct error *err)
{
    struct image image;
    struct digest digest;
    int r;

    if (!reference_is_manifest(&job->reference))
        return error_set(
            err, EINVAL,
            "show takes REPOSITORY:TAG or REPOSITORY@DIGEST; registryd ls %s lists the tags",
            job->operands[0]);
    r = reference_resolve(job->store, &job->reference, &digest, err);
    if (r == 0)
        r = image_read(job->store, job->reference.name, &digest, &image, err);
    if (r != 0)
        return r < 0 ? r
                     : error_set(err, ENOENT, "%s was removed in the meantime", job->operands[0]);
    r = show_image(job, &image, err);
    image_done(&image);
    return r;
}

static int run_show(int argc, char **argv)
{
    static const struct content_verb verb = {
        &verb_show, CONTENT_JSON, 1, 1, "one REPOSITORY:TAG or REPOSITORY@DIGEST", show};

    return content_run(argc, argv, &verb);
}

const struct verb verb_show = {
    .name = "show",
    .function = run_show,
    .help = "Usage: registryd show REPOSITORY:TAG [--json] [--config CONFIG]\n"
            "       registryd show REPOSITORY@DIGEST [--json] [--config CONFIG]\n"
            "\n"
            "Describes a tag or manifest: its digest, type and platforms; for an image, its\n"
            "configuration and each layer with the command that created it; annotations; and\n"
            "what refers to it, such as signatures. Works on the storage, whether servers run\n"
            "or not.\n"
            "\n"
            "  -j, --json           JSON for scripts\n"
            "  -c, --config CONFIG  the server's configuration; without it, the file that\n"
            "                       serve reads\n"
            "  -h, --help           this text\n"
            "\n"
            "Example:\n"
            "  registryd show team/app:1.4\n"
            "\n"
            "Exit status: 0; 1 on failure and for a wrong command line: standard error says\n"
            "why.\n",
};
