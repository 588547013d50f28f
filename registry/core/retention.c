#include "registry/core/retention.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/time-units.h"
#include "common/words.h"
#include "registry/core/lists.h"
#include "registry/core/pulls.h"
#include "registry/core/store-private.h"
#include "registry/spec/name.h"

struct tag {
    const char *name; /* borrowed from the list */
    struct store_tag_state state;
};

/* One run. */
struct retention {
    struct store *store;
    const struct retention_options *options;
    struct store_names names; /* of all repositories */
    size_t done_names;        /* how many of them are done */
    int64_t now_s;
    int64_t recording_s; /* when the recording of pulls began; INT64_MAX: never */
    struct retention_result result;
    int failure; /* the first failure; its text is in err */
    struct error *err;
};

static int pace(const struct retention *run, struct error *err)
{
    return run->options->pace ? run->options->pace(run->options->object, err) : 0;
}

static void remember_failure(struct retention *run, const char *name, const struct error *err)
{
    run->options->tell(run->options->object, name, NULL, err->text);
    if (run->failure == 0) {
        run->failure = -err->code;
        *run->err = *err;
    }
}

/* --- one tag ----------------------------------------------------------------------------- */

static int64_t age_of(const struct retention *run, const struct tag *tag)
{
    return run->now_s - tag->state.pushed_ns / NS_PER_S;
}

/* Whether the tag was pulled within pulled_s, or may have been. 1 or 0, or negative. */
static int is_pulled(const struct retention *run, const char *name, const struct tag *tag,
                     uint64_t pulled_s, struct error *err)
{
    int64_t since_s = run->now_s - (int64_t)pulled_s, found_s = 0;
    int r;

    if (age_of(run, tag) < (int64_t)pulled_s || run->recording_s > since_s)
        return 1;
    r = store_find_pull(run->store, name, tag->name, &tag->state.digest, &found_s, err);
    /* Records are late by up to an interval and some minutes. */
    return r < 0 ? r : found_s + 2 * PULL_INTERVAL_S > since_s;
}

static void format_reason(const struct retention *run, const struct retention_policy *policy,
                          const struct tag *tag, char *ret_text, size_t size)
{
    char age[WORDS_SIZE_MAX];
    int64_t age_s = age_of(run, tag) > 0 ? age_of(run, tag) / 60 * 60 : 0;
    size_t used =
        (size_t)snprintf(ret_text, size, "pushed %s ago", words_duration((uint64_t)age_s, age));

    if (policy->newest > 0 && used < size)
        used += (size_t)snprintf(ret_text + used, size - used, ", not among the newest %" PRIu64,
                                 policy->newest);
    if (policy->pulled_s > 0 && used < size)
        snprintf(ret_text + used, size - used, ", not pulled for %s",
                 words_duration(policy->pulled_s, age));
}

static int remove_tag(struct retention *run, const char *name,
                      const struct retention_policy *policy, const struct tag *tag,
                      struct error *err)
{
    char reason[300];
    int r = 0;

    format_reason(run, policy, tag, reason, sizeof(reason));
    if (!run->options->is_dry_run)
        r = store_delete_tag_if(run->store, name, tag->name, &tag->state.version, NULL, err);
    if (r != 0)
        return r < 0 ? r : 0; /* the tag was pushed or deleted meanwhile */
    run->result.tags++;
    run->options->tell(run->options->object, name, tag->name, reason);
    return 0;
}

/*
 * rank is the number of newer tags that are not protected. Tags of the same moment have the same
 * rank: a bucket's clock shows seconds only, and which of them is newer is not known.
 */
static int judge_tag(struct retention *run, const char *name, const struct retention_policy *policy,
                     const struct tag *tag, size_t rank, struct error *err)
{
    int r;

    if (rank < policy->newest || age_of(run, tag) < (int64_t)policy->pushed_s)
        return 0;
    r = policy->pulled_s > 0 ? is_pulled(run, name, tag, policy->pulled_s, err) : 0;
    if (r == 0)
        r = remove_tag(run, name, policy, tag, err);
    return r < 0 ? r : 0;
}

static void show_progress(const struct retention *run, const char *unit, size_t done, size_t total)
{
    const struct retention_options *options = run->options;
    const struct progress progress = {.step = "judging tags",
                                      .unit = "repositories",
                                      .done = run->done_names,
                                      .total = run->names.count,
                                      .part_unit = unit,
                                      .part_done = done,
                                      .part_total = total};

    if (options->progress)
        options->progress(options->progress_object, &progress);
}

/* --- one repository ---------------------------------------------------------------------- */

/* Sorts the newest tag first. */
static int compare_tags(const void *left, const void *right)
{
    const struct tag *a = left, *b = right;

    if (a->state.pushed_ns != b->state.pushed_ns)
        return a->state.pushed_ns > b->state.pushed_ns ? -1 : 1;
    return strcmp(b->name, a->name);
}

/* Adds a tag to the list, unless it is protected or cannot be read: such a tag stays. */
static int look_at_tag(struct retention *run, const char *name, const char *tag, struct tag *tags,
                       size_t *count)
{
    struct error err = {0};
    int r;

    if (!name_is_tag(tag, strlen(tag)) ||
        run->options->is_protected(run->options->object, name, tag))
        return 0;
    r = store_stat_tag(run->store, name, tag, &tags[*count].state, &err);
    if (r == 0)
        tags[(*count)++].name = tag;
    else if (r < 0)
        run->options->tell(run->options->object, name, NULL, err.text);
    return r == -ENOMEM ? r : 0;
}

static int retain_in(struct retention *run, const char *name, const struct retention_policy *policy,
                     struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    CLEANUP_FREE struct tag *tags = NULL;
    size_t count = 0;
    int r = store_list_tag_entries(run->store, name, &list, err);

    if (r == 0)
        tags = calloc(list.count + 1, sizeof(*tags));
    if (r == 0 && !tags)
        r = error_set_oom(err);
    for (size_t i = 0; r == 0 && i < list.count; i++) {
        show_progress(run, "tags read", i, 0);
        r = look_at_tag(run, name, list.entries[i]->name, tags, &count);
        if (r == 0)
            r = pace(run, err);
    }
    if (r == 0 && count > 1)
        qsort(tags, count, sizeof(*tags), compare_tags);
    for (size_t i = 0, rank = 0; r == 0 && i < count; i++) {
        rank = i > 0 && tags[i].state.pushed_ns == tags[i - 1].state.pushed_ns ? rank : i;
        show_progress(run, "tags judged", i, count);
        r = judge_tag(run, name, policy, &tags[i], rank, err);
        if (r == 0)
            r = pace(run, err);
    }
    return r;
}

static int retain_repository(struct retention *run, const char *name, struct error *err)
{
    struct retention_policy policy = {0};
    int r = 0;

    if (run->options->find_policy(run->options->object, name, &policy))
        r = retain_in(run, name, &policy, err);
    if (r == 0 && !run->options->is_dry_run)
        r = store_forget_pulls(run->store, name, err);
    return r;
}

/* --- all repositories -------------------------------------------------------------------- */

static int find_recording(struct retention *run, struct error *err)
{
    int r = store_find_recording(run->store, &run->recording_s, err);

    if (r == STORE_NOT_FOUND)
        run->recording_s = INT64_MAX;
    return r < 0 ? r : 0;
}

/* A failure is remembered, and the other repositories go on. 0, or -ECANCELED. */
static int retain_all(struct retention *run, struct error *err)
{
    int r = 0;

    for (; r == 0 && run->done_names < run->names.count; run->done_names++) {
        const char *name = run->names.items[run->done_names];
        struct error failure = {0};

        r = pace(run, err);
        if (r == 0 && retain_repository(run, name, &failure) < 0) {
            if (failure.code == ECANCELED) {
                *err = failure;
                return -ECANCELED;
            }
            remember_failure(run, name, &failure);
        }
    }
    return r;
}

int store_retain(struct store *store, const struct retention_options *options,
                 struct retention_result *ret, struct error *err)
{
    struct retention run = {
        .store = store, .options = options, .now_s = storage_now(store->storage), .err = err};
    int r = find_recording(&run, err);

    if (r == 0)
        r = store_list_all(store, STORE_WITH_CONTENT, &run.names, err);
    if (r == 0)
        r = retain_all(&run, err);
    store_names_done(&run.names);
    if (r < 0)
        return r;
    *ret = run.result;
    return run.failure;
}
