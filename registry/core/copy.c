/*
 * Copies a registry: other names of blobs, then repositories, several at a time, then what belongs
 * to no repository.
 */
#include "registry/core/copy.h"

#include <stdlib.h>
#include <string.h>

#include "registry/core/copy-repository.h"
#include "registry/core/parallel.h"
#include "registry/core/store-private.h"

enum { REPOSITORIES_AT_ONCE = 4, THREADS_MAX = 20 };

struct repositories {
    const struct copy *copy;
    const struct store_names *names;
};

/* --- other names of blobs -------------------------------------------------------------------- */

struct aliases {
    const struct copy *copy;
    struct store_digests digests;
};

static void aliases_done(struct aliases *aliases)
{
    store_digests_done(&aliases->digests);
}

/* 0, COPY_MISSING, COPY_DAMAGED or negative. */
static int write_alias(const struct copy *copy, const struct digest *digest, const struct key *link,
                       const struct digest *canonical, struct error *err)
{
    const struct copy_blob blob = {.canonical = canonical, .name = link->text};
    struct storage_step steps[2] = {{0}, {.kind = STORAGE_PUT, .key = link->text}};
    char text[DIGEST_TEXT_SIZE];
    int r = copy_blobs_check_alias(copy->blobs, digest, canonical, err);

    if (r != 0)
        return r;
    digest_format(canonical, text);
    steps[1].data = text;
    steps[1].size = strlen(text);
    return copy_blobs_write(copy->blobs, &blob, steps, ARRAY_SIZE(steps), err);
}

/* The bytes are compared with the sha512 digest, too. One whose blob was collected is left out. */
static int copy_alias(void *object, size_t index, struct error *err)
{
    const struct aliases *aliases = object;
    const struct copy *copy = aliases->copy;
    const struct digest *digest = &aliases->digests.items[index];
    struct key link = key_alias(digest);
    struct digest canonical;
    int r = copy_has_link(copy->to, &link, err);

    if (r != 0)
        return r < 0 ? r : 0;
    r = copy_read_link(copy, &link, &canonical, err);
    if (r != 0)
        return r < 0 ? r : 0;
    if (canonical.algorithm == DIGEST_SHA256)
        r = write_alias(copy, digest, &link, &canonical, err);
    if (canonical.algorithm != DIGEST_SHA256 || r == COPY_DAMAGED)
        copy_report_link(copy, &link, "the bytes do not match the digest in its path");
    return r < 0 ? r : 0;
}

static int add_aliases(void *object, const struct key *prefix, struct error *err)
{
    struct aliases *aliases = object;
    CLEANUP(store_digests_done) struct store_digests found = {0};
    int r = store_list_digests(aliases->copy->from, prefix, DIGEST_SHA512, &found, err);

    for (size_t i = 0; r == 0 && i < found.count; i++)
        if (store_digests_add(&aliases->digests, &found.items[i]) < 0)
            r = error_set_oom(err);
    return r;
}

static int copy_aliases(const struct copy *copy, struct error *err)
{
    CLEANUP(aliases_done) struct aliases aliases = {.copy = copy};
    int r = store_for_each_prefix(copy->from, KEY_ALIASES, add_aliases, &aliases, err);

    return r < 0 ? r
                 : parallel_for(copy->threads, aliases.digests.count, COPY_OBJECTS_AT_ONCE,
                                copy_alias, &aliases, err);
}

/* --- repositories ---------------------------------------------------------------------------- */

static int count_repository(void *object, size_t index, struct error *err)
{
    const struct repositories *repositories = object;
    int r = copy_count_repository(repositories->copy, repositories->names->items[index], err);

    copy_report_looked(repositories->copy->report);
    return r;
}

static int copy_repository(void *object, size_t index, struct error *err)
{
    const struct repositories *repositories = object;

    return copy_one_repository(repositories->copy, repositories->names->items[index], err);
}

/* Finds out how much there is to copy, if somebody wants to see the progress. */
static int count_all(const struct copy *copy, struct repositories *repositories, struct error *err)
{
    if (!copy->options->progress)
        return 0;
    copy_report_look(copy->report, repositories->names->count);
    return parallel_for(copy->threads, repositories->names->count, REPOSITORIES_AT_ONCE,
                        count_repository, repositories, err);
}

/* Removes, or counts, what repositories have that the source does not have at all. */
static int remove_others(const struct copy *copy, const struct store_names *names,
                         struct error *err)
{
    CLEANUP(store_names_done) struct store_names there = {0};
    int r = store_list_all(copy->to, STORE_WITH_CONTENT, &there, err);

    for (size_t i = 0; r == 0 && i < there.count; i++) {
        CLEANUP(copy_content_done) struct copy_content content = {0};

        if (store_find_repository(names, there.items[i]) < names->count)
            continue;
        r = copy_list_content(copy->to, there.items[i], &content, err);
        if (r == 0)
            r = copy_remove_surplus(copy, there.items[i], &content, NULL, err);
    }
    return r;
}

static int copy_repositories(const struct copy *copy, struct error *err)
{
    CLEANUP(store_names_done) struct store_names names = {0};
    struct repositories repositories = {copy, &names};
    int r = store_list_all(copy->from, STORE_WITH_CONTENT, &names, err);

    if (r == 0)
        r = count_all(copy, &repositories, err);
    if (r == 0)
        r = copy_aliases(copy, err);
    if (r == 0)
        r = parallel_for(copy->threads, names.count, REPOSITORIES_AT_ONCE, copy_repository,
                         &repositories, err);
    return r < 0 ? r : remove_others(copy, &names, err);
}

/* --- everything ------------------------------------------------------------------------------ */

int store_copy(struct store *from, struct store *to, const struct copy_options *options,
               struct copy_result *ret, struct error *err)
{
    struct parallel threads = {.spare = THREADS_MAX};
    struct copy_report report;
    struct copy copy = {
        .from = from, .to = to, .options = options, .report = &report, .threads = &threads};
    int r;

    copy_report_init(&report, options);
    r = copy_blobs_new(from, to, &report, &copy.blobs) < 0 ? error_set_oom(err) : 0;
    if (r == 0)
        r = copy_blobs_clean_up(to, err);
    if (r == 0)
        r = copy_repositories(&copy, err);
    if (r == 0)
        r = copy_common_records(&copy, err);
    copy_blobs_free(copy.blobs);
    copy_report_done(&report);
    if (r == 0)
        *ret = report.result;
    return r;
}
