#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/printable.h"
#include "registry/cli/content/show.h"
#include "registry/cli/table.h"

/* Prints "Name:      value" in one line. Control characters in the value are replaced. */
static int print_field(const char *name, const char *value, struct error *err)
{
    CLEANUP_FREE char *shown = strdup(value);

    if (!shown)
        return error_set_oom(err);
    printable_clean(shown);
    printf("%-12s %s\n", name, shown);
    return 0;
}

/*
 * The first element of the array, or the first member of the object, that is object's member
 * "name"; NULL if there is none.
 */
static const struct json *first_of(const struct json *object, const char *name)
{
    const struct json *member = json_find(object, name);

    return member ? json_get_first(member) : NULL;
}

/* Prints a JSON value: a string as it is, everything else as JSON. */
static int print_value(const char *name, const struct json *value, struct error *err)
{
    const char *text = json_get_text(value);
    CLEANUP_FREE char *json = NULL;
    size_t size;

    if (text)
        return print_field(name, text, err);
    size = json_format(value, NULL);
    json = malloc(size + 1);
    if (!json)
        return error_set_oom(err);
    json[json_format(value, json)] = '\0';
    return print_field(name, json, err);
}

/* The type of an image's configuration says nothing new. */
static bool is_other_artifact(const char *type)
{
    return type && strcmp(type, "application/vnd.oci.image.config.v1+json") != 0 &&
           strcmp(type, "application/vnd.docker.container.image.v1+json") != 0;
}

static int print_head(const struct shown *shown, struct error *err)
{
    const struct image *image = shown->image;
    char digest[DIGEST_TEXT_SIZE], pushed[WORDS_SIZE_MAX], platform[PLATFORM_TEXT_SIZE];
    int r;

    digest_format(&image->digest, digest);
    printf("%-12s %s%s%s\n", "Name:", image->name, *shown->tag ? ":" : "", shown->tag);
    printf("%-12s %s\n", "Digest:", digest);
    r = print_field("Type:", image->content.media_type, err);
    if (r == 0 && image->is_known && is_other_artifact(image->manifest.artifact_type))
        r = print_field("Artifact:", image->manifest.artifact_type, err);
    if (r == 0 && image->is_known && image->manifest.has_subject) {
        digest_format(&image->manifest.subject, digest);
        printf("%-12s %s\n", "Refers to:", digest);
    }
    if (shown->pushed_s != 0)
        printf("%-12s %s UTC\n", "Pushed:", short_time(shown->pushed_s, pushed));
    if (r == 0 && shown->config && image_format_platform(shown->config, platform))
        r = print_field("Platform:", platform, err);
    return r;
}

/* --- the manifests of an index --------------------------------------------------------------- */

static int add_manifest(struct table *table, const struct manifest_descriptor *descriptor,
                        const struct json *item, struct error *err)
{
    char platform[PLATFORM_TEXT_SIZE] = "-", size[WORDS_SIZE_MAX], digest[DIGEST_TEXT_SIZE];

    image_format_platform(json_find(item, "platform"), platform);
    digest_format(&descriptor->digest, digest);
    return table_add(table,
                     (const char *const[]){platform, words_short_bytes(descriptor->size, size),
                                           descriptor->media_type, digest},
                     err);
}

static int print_manifests(const struct image *image, struct error *err)
{
    CLEANUP(table_done) struct table table = {.columns = 4, .align = "lrll"};
    const struct json *item = first_of(image->document, "manifests");
    int r = table_add(&table, (const char *const[]){"PLATFORM", "MANIFEST", "TYPE", "DIGEST"}, err);

    for (size_t i = 0; r == 0 && i < image->manifest.manifests.count && item;
         i++, item = json_get_next(item))
        r = add_manifest(&table, &image->manifest.manifests.items[i], item, err);
    if (r == 0) {
        putchar('\n');
        table_print(&table);
    }
    return r;
}

/* --- the layers of an image ------------------------------------------------------------------ */

/* The next step of the image's history that created a layer; NULL if the history ends. */
static const struct json *next_step(const struct json **history)
{
    const struct json *step = *history, *empty;

    for (; step; step = json_get_next(step)) {
        empty = json_find(step, "empty_layer");
        if (!empty || json_get_type(empty) != JSON_BOOL)
            break;
    }
    *history = step ? json_get_next(step) : NULL;
    return step;
}

static int print_layers(const struct shown *shown, struct error *err)
{
    const struct manifest_descriptors *blobs = &shown->image->manifest.blobs;
    CLEANUP(table_done) struct table table = {.columns = 3, .align = "rll"};
    const struct json *history = first_of(shown->config, "history");
    size_t first = json_find(shown->image->document, "config") ? 1 : 0;
    uint64_t total = 0;
    char size[WORDS_SIZE_MAX];
    int r = table_add(&table, (const char *const[]){"SIZE", "LAYER", "MADE BY"}, err);

    for (size_t i = first; r == 0 && i < blobs->count; i++) {
        const struct json *step = next_step(&history);
        const char *command = json_get_text(step ? json_find(step, "created_by") : NULL);
        char digest[DIGEST_TEXT_SIZE];

        digest_format(&blobs->items[i].digest, digest);
        total += blobs->items[i].size;
        r = table_add(&table,
                      (const char *const[]){words_short_bytes(blobs->items[i].size, size), digest,
                                            command ? command : blobs->items[i].media_type},
                      err);
    }
    if (r == 0) {
        putchar('\n');
        table_print(&table);
        printf("%s in %zu %s\n", words_short_bytes(total, size), blobs->count - first,
               words_plural(blobs->count - first, "layer", "layers"));
    }
    return r;
}

/* --- the rest -------------------------------------------------------------------------------- */

static int print_config(const struct json *config, struct error *err)
{
    static const char *const names[] = {"User", "WorkingDir",   "Entrypoint",
                                        "Cmd",  "ExposedPorts", "Volumes"};
    const struct json *inner = json_find(config, "config");
    const struct json *created = json_find(config, "created");
    int r = 0;

    putchar('\n');
    if (created)
        r = print_value("Created:", created, err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++) {
        const struct json *value = json_find(inner, names[i]);
        char label[32];

        snprintf(label, sizeof(label), "%s:", names[i]);
        if (value && json_get_type(value) != JSON_NULL)
            r = print_value(label, value, err);
    }
    for (const struct json *item = first_of(inner, "Env"); r == 0 && item;
         item = json_get_next(item))
        r = print_value("Env:", item, err);
    return r;
}

/* Labels and annotations. */
static int print_members(const char *heading, const struct json *object, const char *name,
                         struct error *err)
{
    CLEANUP(table_done) struct table table = {.columns = 2, .align = "ll"};
    int r = table_add(&table, (const char *const[]){heading, "VALUE"}, err);

    for (const struct json *item = first_of(object, name); r == 0 && item;
         item = json_get_next(item)) {
        const char *label = json_get_name(item), *text = json_get_text(item);

        if (label && text)
            r = table_add(&table, (const char *const[]){label, text}, err);
    }
    if (r == 0 && table.count > table.columns) {
        putchar('\n');
        table_print(&table);
    }
    return r;
}

static int print_referrers(const struct shown *shown, struct error *err)
{
    CLEANUP(table_done) struct table table = {.columns = 2, .align = "ll"};
    int r = table_add(&table, (const char *const[]){"REFERRED TO BY", "DIGEST"}, err);

    for (size_t i = 0; r == 0 && i < shown->referrer_count; i++) {
        char digest[DIGEST_TEXT_SIZE];

        digest_format(&shown->referrers[i].digest, digest);
        r = table_add(&table,
                      (const char *const[]){show_referrer_type(&shown->referrers[i]), digest}, err);
    }
    if (r == 0 && shown->referrer_count > 0) {
        putchar('\n');
        table_print(&table);
    }
    return r;
}

int show_text(const struct shown *shown, struct error *err)
{
    const struct image *image = shown->image;
    int r = print_head(shown, err);

    if (r == 0 && image->is_known && image->manifest.manifests.count > 0)
        r = print_manifests(image, err);
    if (r == 0 && image->is_known && image->manifest.blobs.count > 0)
        r = print_layers(shown, err);
    if (r == 0 && shown->config)
        r = print_config(shown->config, err);
    if (r == 0 && shown->config)
        r = print_members("LABEL", json_find(shown->config, "config"), "Labels", err);
    if (r == 0 && image->document)
        r = print_members("ANNOTATION", image->document, "annotations", err);
    return r < 0 ? r : print_referrers(shown, err);
}
