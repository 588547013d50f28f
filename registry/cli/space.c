#include "registry/cli/space.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool find_policy(void *object, const char *name, struct retention_policy *ret)
{
    const struct space_options *options = object;
    struct rules_retention found;

    rules_find_retention(options->rules, name, &found);
    *ret = (struct retention_policy){
        .newest = found.newest, .pushed_s = found.pushed_s, .pulled_s = found.pulled_s};
    return found.has_tags;
}

static bool is_protected(void *object, const char *name, const char *tag)
{
    const struct space_options *options = object;

    return rules_is_tag_kept(options->rules, name, tag);
}

static void tell_tag(void *object, const char *name, const char *tag, const char *reason)
{
    const struct space_options *options = object;
    char line[2600];

    if (tag)
        snprintf(line, sizeof(line), "%s %s:%s: %s",
                 options->is_dry_run ? "would remove" : "removed", name, tag, reason);
    else
        snprintf(line, sizeof(line), "%s: %s", name, reason);
    options->tell(options->object, line);
}

static int pace(void *object, struct error *err)
{
    const struct space_options *options = object;

    return options->pace ? options->pace(options->object, err) : 0;
}

static uint64_t untagged_for(void *object, const char *name)
{
    const struct space_options *options = object;
    struct rules_retention found = {0};

    if (options->rules)
        rules_find_retention(options->rules, name, &found);
    return found.untagged_s;
}

static void tell_step(void *object, const char *line)
{
    static const char *const prefix = "manifest eligible for deletion: ";
    const struct space_options *options = object;
    char text[200];

    if (strncmp(line, prefix, strlen(prefix)) != 0)
        return;
    snprintf(text, sizeof(text), "%s the untagged manifest %s",
             options->is_dry_run ? "would remove" : "removing", line + strlen(prefix));
    options->tell(options->object, text);
}

int space_run(struct store *store, const struct space_options *options, struct space_result *ret,
              struct error *err)
{
    void *object = (void *)options;
    const struct retention_options retention = {.is_dry_run = options->is_dry_run,
                                                .find_policy = find_policy,
                                                .is_protected = is_protected,
                                                .tell = tell_tag,
                                                .pace = pace,
                                                .object = object,
                                                .progress = options->progress,
                                                .progress_object = options->progress_object};
    const struct collect_options collection = {.is_dry_run = options->is_dry_run,
                                               .does_untag = options->does_untag,
                                               .grace_s = options->grace_s,
                                               .say = tell_step,
                                               .untagged_for = untagged_for,
                                               .pace = pace,
                                               .object = object,
                                               .progress = options->progress,
                                               .progress_object = options->progress_object};
    struct retention_result retained = {0};
    struct collect_result collected = {0};
    struct error first;
    int failure = 0, r;

    if (options->rules && rules_have_retention(options->rules))
        failure = store_retain(store, &retention, &retained, &first);
    if (failure == -ECANCELED) {
        *err = first;
        return failure;
    }
    r = store_collect(store, &collection, &collected, err);
    if (r < 0)
        return r;
    *ret = (struct space_result){.tags = retained.tags,
                                 .manifests = collected.manifests,
                                 .blobs = collected.blobs,
                                 .bytes = collected.bytes};
    if (failure < 0)
        *err = first;
    return failure;
}
