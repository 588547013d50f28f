/*
 * `registryd rm` removes a tag or a manifest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/words.h"
#include "registry/cli/content/content.h"

/* The tags that name the manifest. */
static int find_tags(const struct content_job *job, const struct digest *digest,
                     struct store_names *ret, struct error *err)
{
    const char *name = job->reference.name;
    CLEANUP(store_names_done) struct store_names tags = {0};
    size_t kept = 0;
    int r = store_list_tags(job->store, name, NULL, SIZE_MAX, &tags, err);

    for (size_t i = 0; r == 0 && i < tags.count; i++) {
        struct digest found;

        r = store_resolve_tag(job->store, name, tags.items[i], STORE_MAY_WAIT, &found, err);
        if (r == 0 && digest_is_equal(&found, digest)) {
            char *item = tags.items[kept];

            tags.items[kept++] = tags.items[i];
            tags.items[i] = item;
        }
        r = r < 0 ? r : 0;
    }
    if (r < 0)
        return r;
    for (size_t i = kept; i < tags.count; i++)
        free(tags.items[i]);
    tags.count = kept;
    *ret = tags;
    tags = (struct store_names){0};
    return 0;
}

/* Prints what is removed. */
static void print_what(const struct content_job *job, const char *verb, const struct digest *digest,
                       const struct store_names *tags)
{
    char text[DIGEST_TEXT_SIZE];

    digest_format(digest, text);
    if (!job->reference.has_digest) {
        printf("%s the tag %s:%s, which refers to %s\n", verb, job->reference.name,
               job->reference.tag, text);
        return;
    }
    printf("%s the manifest %s@%s", verb, job->reference.name, text);
    for (size_t i = 0; i < tags->count; i++)
        printf("%s%s",
               i == 0
                   ? words_plural(tags->count, ", and with it the tag ", ", and with it the tags ")
                   : ", ",
               tags->items[i]);
    putchar('\n');
}

/* 0 if the user agrees. */
static int ask(const struct content_job *job, struct error *err)
{
    char answer[16];

    if (job->is_yes)
        return 0;
    if (!job->has_terminal)
        return error_set(err, EINVAL,
                         "nothing was removed, because standard input is not a terminal; use --yes "
                         "to remove without confirmation");
    fputs("This cannot be undone. Remove it? [y/N] ", stdout);
    fflush(stdout);
    if (fgets(answer, sizeof(answer), stdin) &&
        (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0))
        return 0;
    return error_set(err, ECANCELED, "nothing was removed");
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
        print_what(job, "would remove", &state.digest, &tags);
    if (r != 0 || job->is_dry_run)
        return r;
    r = ask(job, err);
    if (r < 0)
        return r;
    r = reference->has_digest
            ? store_delete_manifest(job->store, reference->name, &state.digest, NULL, err)
            : store_delete_tag_if(job->store, reference->name, reference->tag, &state.version, NULL,
                                  err);
    if (r == STORE_BUSY)
        return error_set(err, EBUSY,
                         "nothing was removed, because %s:%s was pushed in the meantime",
                         reference->name, reference->tag);
    if (r == 0)
        puts("removed; registryd garbage-collect frees the space");
    return r < 0 ? r : 0;
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
    static const struct content_verb rm = {&verb_rm,
                                           CONTENT_DRY_RUN | CONTENT_YES,
                                           1,
                                           1,
                                           "one REPOSITORY:TAG or REPOSITORY@DIGEST",
                                           check_and_remove};

    return content_run(argc, argv, &rm);
}

const struct verb verb_rm = {
    .name = "rm",
    .function = run_rm,
    .help = "Usage: registryd rm REPOSITORY:TAG [--dry-run] [--yes] [--config CONFIG]\n"
            "       registryd rm REPOSITORY@DIGEST [--dry-run] [--yes] [--config CONFIG]\n"
            "\n"
            "Removes a tag, but not its manifest or other tags. Or removes a manifest with\n"
            "all tags that refer to it. Shows what it will remove, and asks for confirmation.\n"
            "storage.delete.enabled and the rules of the access file apply to clients only,\n"
            "not to this command. Works on the storage, whether servers run or not.\n"
            "\n"
            "  -d, --dry-run        only print what would be removed\n"
            "  -y, --yes            do not ask\n"
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
