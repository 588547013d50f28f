/*
 * Copies the tags of a repository.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/core/claims.h"
#include "registry/core/copy-repository.h"
#include "registry/core/parallel.h"
#include "registry/core/store-private.h"
#include "registry/core/tag-names.h"

/* TAGS_AT_ONCE tags are written between two looks at the claim. */
enum { TAGS_AT_ONCE = 16, SECOND_NS = 1000000000 };

/* 0 if a key does not exist. */
static int find_time(struct store *store, const struct key *key, int64_t *ret_ns, struct error *err)
{
    int r = storage_last_use(store->storage, key->text, ret_ns, err);

    if (r > 0)
        *ret_ns = 0;
    return r < 0 ? r : 0;
}

/*
 * Reads a tag in both storages. A tag that was pushed again is written again, even if it still
 * names the same manifest, because retention keeps tags by the time of their last push. A damaged
 * tag in the destination is replaced.
 */
static int look_at_tag(void *object, size_t index, struct error *err)
{
    struct copy_repository *repository = object;
    struct copy_tag *tag = &repository->tags[index];
    struct key current;
    struct digest there;
    int64_t copied_ns = 0;
    int r;

    tag->name = repository->from.tags.entries[index]->name;
    current = key_tag_current(repository->name, tag->name);
    r = copy_read_link(repository->copy, &current, &tag->digest, err);
    if (r != 0)
        return r < 0 ? r : 0;
    tag->exists = true;
    r = find_time(repository->copy->from, &current, &tag->pushed_ns, err);
    if (r == 0)
        r = link_read(repository->copy->to->storage, &current, STORAGE_MAY_WAIT, &there, err);
    if (r == 0 && digest_is_equal(&there, &tag->digest))
        r = find_time(repository->copy->to, &current, &copied_ns, err);
    if (r == -EBADMSG || r > 0)
        r = 0;
    tag->is_wanted = copied_ns / SECOND_NS < tag->pushed_ns / SECOND_NS; /* as a bucket's clock */
    return r;
}

/* A prefix may remain of a tag that was deleted. */
static void drop_missing(struct copy_repository *repository)
{
    struct storage_list *list = &repository->from.tags;
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (!repository->tags[i].exists) {
            free(list->entries[i]);
            continue;
        }
        list->entries[kept] = list->entries[i];
        repository->tags[kept++] = repository->tags[i];
    }
    list->count = kept;
}

int copy_read_tags(struct copy_repository *repository, struct error *err)
{
    int r;

    repository->tags = calloc(repository->from.tags.count + 1, sizeof(*repository->tags));
    if (!repository->tags)
        return error_set_oom(err);
    r = parallel_for(repository->copy->threads, repository->from.tags.count, COPY_OBJECTS_AT_ONCE,
                     look_at_tag, repository, err);
    if (r == 0)
        drop_missing(repository);
    return r;
}

/* The oldest first, so that the order of pushes stays what it is. */
static int compare_tags(const void *left, const void *right)
{
    const struct copy_tag *a = left, *b = right;

    if (a->pushed_ns != b->pushed_ns)
        return a->pushed_ns < b->pushed_ns ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* Reports a tag whose manifest could not be copied, unless the manifest was deleted. */
static int judge_dangling(const struct copy_repository *repository, const struct copy_tag *tag,
                          const struct key *revision, struct error *err)
{
    struct key current = key_tag_current(repository->name, tag->name);
    int r = copy_has_link(repository->copy->from, &current, err);

    if (r > 0)
        r = copy_has_link(repository->copy->from, revision, err);
    if (r > 0)
        copy_report_damage(repository->copy->report,
                           "not copied: the tag %s:%s: its manifest cannot be copied",
                           repository->name, tag->name);
    return r < 0 ? r : 0;
}

static int write_tag(void *object, size_t index, struct error *err)
{
    const struct copy_repository *repository = object;
    const struct copy_tag *tag = &repository->tags[repository->first_tag + index];
    struct key revision = key_revision(repository->name, &tag->digest, "link");
    struct key indexed = key_tag_index(repository->name, tag->name, &tag->digest, "link");
    struct key current = key_tag_current(repository->name, tag->name);
    char text[DIGEST_TEXT_SIZE];
    struct storage_step steps[2] = {{.kind = STORAGE_PUT, .key = indexed.text, .data = text},
                                    {.kind = STORAGE_PUT, .key = current.text, .data = text}};
    int r;

    r = copy_has_link(repository->copy->to, &revision, err);
    if (r == 0)
        return judge_dangling(repository, tag, &revision, err);
    if (r < 0)
        return r;
    digest_format(&tag->digest, text);
    steps[0].size = steps[1].size = strlen(text);
    r = storage_write(repository->copy->to->storage, steps, ARRAY_SIZE(steps), err);
    if (r == 0)
        copy_report_count(repository->copy->report, &repository->copy->report->result.links);
    return r < 0 ? r : 0;
}

/* Under a claim, so that no delete in the destination removes a manifest and misses its new tag. */
static int write_claimed_tags(struct copy_repository *repository, size_t count, struct error *err)
{
    CLEANUP_CLAIM struct storage_claim *claim = NULL;
    int r = store_claim(repository->copy->to, repository->name, STORAGE_SHARED, &claim, err);

    for (; r == 0 && repository->first_tag < count; repository->first_tag += TAGS_AT_ONCE) {
        size_t rest = count - repository->first_tag;

        r = storage_claim_check(claim, err);
        if (r > 0)
            r = error_set(err, ESTALE, "the claim on %s in the destination was lost; copy again",
                          repository->name);
        if (r == 0)
            r = parallel_for(repository->copy->threads, rest < TAGS_AT_ONCE ? rest : TAGS_AT_ONCE,
                             COPY_OBJECTS_AT_ONCE, write_tag, repository, err);
    }
    return r;
}

/* Servers of the destination learn of the tags that were written, also after a failure. */
static int write_tags(struct copy_repository *repository, size_t count, struct error *err)
{
    struct error of_mark;
    int r = write_claimed_tags(repository, count, err);
    int marked = tag_names_mark(repository->copy->to, repository->name, &of_mark);

    if (r == 0 && marked < 0)
        *err = of_mark;
    return r < 0 ? r : marked;
}

/* The tags to write are moved to the front. */
int copy_tags(struct copy_repository *repository, struct error *err)
{
    size_t wanted = 0;

    for (size_t i = 0; i < repository->from.tags.count; i++)
        if (repository->tags[i].is_wanted)
            repository->tags[wanted++] = repository->tags[i];
    if (wanted == 0)
        return 0;
    qsort(repository->tags, wanted, sizeof(*repository->tags), compare_tags);
    return write_tags(repository, wanted, err);
}
