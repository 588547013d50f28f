/*
 * `registryd rm` removes a tag or a manifest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/words.h"
#include "registry/cli/content/content.h"
#include "registry/cli/json-out.h"
#include "registry/core/manifest-names.h"
#include "registry/core/revisions.h"

/* The tags that name the manifest. */
static int find_tags(const struct content_job *job, const struct digest *digest,
                     struct store_names *ret, struct error *err)
{
    const char *name = job->reference.name;
    CLEANUP(store_digests_done) struct store_digests digests = {0};
    const struct manifest_names_query query = {job->store, name, &digests, NULL};
    struct digest canonical;
    int r = store_find_revision(job->store, name, digest, STORE_MAY_WAIT, &canonical, err);

    if (r == 0)
        r = manifest_names_find_digests(job->store, name, &canonical, &digests, err);
    return r != 0 ? r : manifest_names_find_tags(&query, ret, err);
}

/* Prints what would be removed, for people. */
static void print_what(const struct content_job *job, const struct digest *digest,
                       const struct store_names *tags)
{
    char text[DIGEST_TEXT_SIZE];

    digest_format(digest, text);
    if (!job->reference.has_digest) {
        printf("would remove the tag %s:%s, which refers to %s\n", job->reference.name,
               job->reference.tag, text);
        return;
    }
    printf("would remove the manifest %s@%s", job->reference.name, text);
    for (size_t i = 0; i < tags->count; i++)
        printf("%s%s",
               i == 0
                   ? words_plural(tags->count, ", and with it the tag ", ", and with it the tags ")
                   : ", ",
               tags->items[i]);
    putchar('\n');
}

/* Writes what was, or would be, removed, for scripts. "tags" go with a manifest. */
static int write_what(const struct content_job *job, const struct digest *digest,
                      const struct store_names *tags, struct error *err)
{
    char text[DIGEST_TEXT_SIZE];
    struct json_out out = {0};

    digest_format(digest, text);
    json_out_open(&out, NULL, '{');
    json_out_bool(&out, "dryRun", job->is_dry_run);
    json_out_text(&out, "name", job->reference.name);
    if (!job->reference.has_digest)
        json_out_text(&out, "tag", job->reference.tag);
    json_out_text(&out, "digest", text);
    json_out_open(&out, "tags", '[');
    for (size_t i = 0; i < tags->count; i++)
        json_out_text(&out, NULL, tags->items[i]);
    json_out_close(&out, ']');
    json_out_close(&out, '}');
    return json_out_end(&out, err);
}

/* 0 if the user agrees. */
static int ask(const struct content_job *job, struct error *err)
{
    char answer[16];

    if (job->is_yes)
        return 0;
    if (!job->has_terminal || job->is_json)
        return error_set(err, EINVAL,
                         "nothing was removed, because %s; use --yes to remove without "
                         "confirmation",
                         job->is_json ? "--json cannot ask" : "standard input is not a terminal");
    fputs("This cannot be undone. Remove it? [y/N] ", stdout);
    fflush(stdout);
    if (fgets(answer, sizeof(answer), stdin) &&
        (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0))
        return 0;
    return error_set(err, ECANCELED, "nothing was removed");
}

static int remove_now(const struct content_job *job, const struct store_tag_state *state,
                      struct error *err)
{
    const struct reference *reference = &job->reference;
    int r = reference->has_digest
                ? store_delete_manifest(job->store, reference->name, &state->digest, NULL, err)
                : store_delete_tag_if(job->store, reference->name, reference->tag, &state->version,
                                      NULL, err);

    if (r == STORE_BUSY)
        return error_set(err, EBUSY,
                         "nothing was removed, because %s:%s was pushed in the meantime",
                         reference->name, reference->tag);
    if (r == 0 && !job->is_json)
        puts("removed; registryd garbage-collect frees the space");
    return r < 0 ? r : 0;
}

static int confirm_and_remove(const struct content_job *job, const struct store_tag_state *state,
                              const struct store_names *tags, struct error *err)
{
    int r = 0;

    if (!job->is_json)
        print_what(job, &state->digest, tags);
    if (job->is_dry_run)
        return 0;
    r = ask(job, err);
    return r < 0 ? r : remove_now(job, state, err);
}

static int remove_reference(struct content_job *job, struct error *err)
{
    const struct reference *reference = &job->reference;
    CLEANUP(store_names_done) struct store_names tags = {0};
    struct store_tag_state state = {0};
    int r = reference_resolve(job->store, reference, &state.digest, err);

    if (r == 0 && reference->has_digest)
        r = find_tags(job, &state.digest, &tags, err);
    else if (r == 0)
        r = store_stat_tag(job->store, reference->name, reference->tag, &state, err);
    if (r == 0)
        r = confirm_and_remove(job, &state, &tags, err);
    else if (r > 0)
        r = error_set(err, ENOENT, "%s was removed in the meantime", job->operands[0]);
    return r == 0 && job->is_json ? write_what(job, &state.digest, &tags, err) : r;
}

static int check_and_remove(struct content_job *job, struct error *err)
{
    if (!reference_is_manifest(&job->reference))
        return error_set(
            err, EINVAL,
            "rm takes REPOSITORY:TAG or REPOSITORY@DIGEST, and never a whole repository");
    return remove_reference(job, err);
}

static int run_rm(int argc, char **argv)
{
    static const struct content_verb rm = {
        &verb_rm, CONTENT_DRY_RUN | CONTENT_JSON | CONTENT_YES, 1,
        1,        "one REPOSITORY:TAG or REPOSITORY@DIGEST",    check_and_remove};

    return content_run(argc, argv, &rm);
}

const struct verb verb_rm = {
    .name = "rm",
    .function = run_rm,
    .help = "Usage: registryd rm REPOSITORY:TAG [OPTIONS]\n"
            "       registryd rm REPOSITORY@DIGEST [OPTIONS]\n"
            "\n"
            "Removes a tag, but not its manifest or other tags. Or removes a manifest with\n"
            "all tags that refer to it. Shows what it will remove, and asks for confirmation.\n"
            "storage.delete.enabled and the rules of the access file apply to clients only,\n"
            "not to this command. Works on the storage, whether servers run or not.\n"
            "\n"
            "  -d, --dry-run        only print what would be removed\n"
            "  -y, --yes            do not ask\n"
            "  -j, --json           JSON for scripts; needs --yes or --dry-run\n"
            "  -c, --config CONFIG  the server's configuration; without it, the file that\n"
            "                       serve reads\n"
            "  -h, --help           this text\n"
            "\n"
            "Example:\n"
            "  registryd rm team/app:old\n"
            "\n"
            "Exit status: 0; 1 on failure, if the answer is not yes, and for a wrong command\n"
            "line: standard error says why.\n",
};
