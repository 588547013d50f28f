/*
 * `registryd ls` lists the repositories, or the tags of one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/time-units.h"
#include "registry/cli/content/content.h"
#include "registry/cli/content/image.h"
#include "registry/cli/json-out.h"
#include "registry/cli/table.h"
#include "registry/core/usage.h"

enum { SHORT_DIGEST = 19 }; /* "sha256:" and 12 digits: a terminal's lines are short */

/* Warns about names that could not be read. The others are still listed. */
static void tell_unreadable(const struct store_names *names)
{
    if (names->unreadable > 0)
        fprintf(stderr, "registryd: warning: %zu not shown, because of: %s\n", names->unreadable,
                names->unreadable_why ? names->unreadable_why : "out of memory");
}

/* Scripts see no line for nothing; people are told. */
static void print_table(const struct table *table, size_t rows, const char *if_none)
{
    if (rows > 0)
        table_print(table);
    else if (isatty(STDOUT_FILENO))
        fprintf(stderr, "registryd: %s\n", if_none);
}

/* --- repositories ---------------------------------------------------------------------------- */

static int count_tags(struct content_job *job, const char *name, size_t *ret, struct error *err)
{
    CLEANUP(store_names_done) struct store_names tags = {0};
    int r = store_list_tags(job->store, name, NULL, SIZE_MAX, &tags, err);

    *ret = tags.count;
    return r < 0 ? r : 0;
}

/* How many tags each repository has. *ret: free with free(). */
static int count_all_tags(struct content_job *job, const struct store_names *names, size_t **ret,
                          struct error *err)
{
    CLEANUP_FREE size_t *counts = calloc(names->count + 1, sizeof(*counts));
    int r = counts ? 0 : error_set_oom(err);

    for (size_t i = 0; r == 0 && i < names->count; i++) {
        progress_line_show(&job->line, &(struct progress){.step = "counting tags",
                                                          .unit = "repositories",
                                                          .done = i,
                                                          .total = names->count});
        r = count_tags(job, names->items[i], &counts[i], err);
    }
    progress_line_clear(&job->line);
    if (r == 0)
        *ret = steal_ptr(&counts);
    return r;
}

static int print_repositories(const struct store_names *names, const size_t *counts,
                              struct error *err)
{
    CLEANUP(table_done) struct table table = {.columns = 2, .align = "lr"};
    int r = table_add(&table, (const char *const[]){"REPOSITORY", "TAGS"}, err);

    for (size_t i = 0; r == 0 && i < names->count; i++) {
        char count[WORDS_SIZE_MAX];

        snprintf(count, sizeof(count), "%zu", counts[i]);
        r = table_add(&table, (const char *const[]){names->items[i], count}, err);
    }
    if (r == 0)
        print_table(&table, names->count, "there are no repositories yet");
    return r;
}

static int write_repositories(const struct store_names *names, const size_t *counts,
                              struct error *err)
{
    struct json_out out = {0};

    json_out_open(&out, NULL, '{');
    json_out_open(&out, "repositories", '[');
    for (size_t i = 0; i < names->count; i++) {
        json_out_open(&out, NULL, '{');
        json_out_text(&out, "name", names->items[i]);
        json_out_number(&out, "tags", counts[i]);
        json_out_close(&out, '}');
    }
    json_out_close(&out, ']');
    json_out_close(&out, '}');
    return json_out_end(&out, err);
}

static int list_repositories(struct content_job *job, struct error *err)
{
    CLEANUP(store_names_done) struct store_names names = {0};
    CLEANUP_FREE size_t *counts = NULL;
    int r = store_list_repositories(job->store, NULL, SIZE_MAX, NULL, &names, err);

    if (r == 0)
        r = count_all_tags(job, &names, &counts, err);
    if (r < 0)
        return r;
    tell_unreadable(&names);
    return job->is_json ? write_repositories(&names, counts, err)
                        : print_repositories(&names, counts, err);
}

/* --- tags ------------------------------------------------------------------------------------ */

struct tag_row {
    const char *tag; /* borrowed */
    uint64_t bytes;  /* of everything that it refers to */
    bool is_gone;
    struct store_tag_state state;
    char media_type[MANIFEST_TYPE_SIZE];
    struct platforms platforms;
};

struct tag_rows {
    struct tag_row *items;
    size_t count;
};

static void tag_rows_done(struct tag_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        platforms_done(&rows->items[i].platforms);
    free(rows->items);
}

/* The tag pushed last comes first. Tags pushed at the same moment are sorted by name. */
static int compare_rows(const void *a, const void *b)
{
    const struct tag_row *one = a, *other = b;

    if (one->state.pushed_ns != other->state.pushed_ns)
        return one->state.pushed_ns > other->state.pushed_ns ? -1 : 1;
    return strcmp(one->tag, other->tag);
}

/* What the rows are filled from. */
struct row_reader {
    struct content_job *job;
    struct tag_rows *rows;
};

/* A usage_tag_function: fills the row of a tag. */
static int read_row(void *object, const struct usage_tag *tag, struct error *err)
{
    const struct row_reader *reader = object;
    struct content_job *job = reader->job;
    struct tag_row *row = &reader->rows->items[tag->index];
    struct image image;
    int r = store_stat_tag(job->store, job->reference.name, row->tag, &row->state, err);

    if (r != 0) /* removed in the meantime */
        return r < 0 ? r : 0;
    row->state.digest = tag->digest;
    row->is_gone = false;
    if (tag->result != 0) {
        snprintf(row->media_type, sizeof(row->media_type), "%s",
                 tag->result == STORE_NOT_FOUND ? "missing"
                 : tag->result == -EBADMSG      ? "damaged"
                                                : "unreadable");
        return 0;
    }
    r = image_parse(job->reference.name, &tag->digest, tag->content, &image, err);
    if (r < 0)
        return r;
    snprintf(row->media_type, sizeof(row->media_type), "%s", image.content.media_type);
    r = image_list_platforms(job->store, &image, &row->platforms, err);
    image_done(&image);
    return r;
}

static int read_rows(struct content_job *job, const struct store_names *tags, struct tag_rows *rows,
                     struct error *err)
{
    CLEANUP_FREE struct usage *usages = calloc(tags->count + 1, sizeof(*usages));
    struct row_reader reader = {job, rows};
    const struct usage_options options = {.visit = read_row,
                                          .object = &reader,
                                          .progress = progress_line_show,
                                          .progress_object = &job->line};
    struct usage rest, total;
    int r;

    rows->items = calloc(tags->count + 1, sizeof(*rows->items));
    if (!usages || !rows->items)
        return error_set_oom(err);
    rows->count = tags->count;
    for (size_t i = 0; i < tags->count; i++)
        rows->items[i] = (struct tag_row){.tag = tags->items[i], .is_gone = true};
    r = store_measure_tags(job->store, job->reference.name, tags, &options, usages, &rest, &total,
                           err);
    progress_line_clear(&job->line);
    for (size_t i = 0; r == 0 && i < tags->count; i++)
        rows->items[i].bytes = usages[i].bytes;
    if (r == 0)
        qsort(rows->items, rows->count, sizeof(*rows->items), compare_rows);
    return r;
}

/* "linux/amd64, linux/arm64", or the type of the manifest if it has no platform; shortened. */
static void describe(const struct tag_row *row, char *ret, size_t size)
{
    size_t used = 0;

    snprintf(ret, size, "%s", row->platforms.count > 0 ? "" : row->media_type);
    for (size_t i = 0; i < row->platforms.count && used < size; i++)
        used += (size_t)snprintf(ret + used, size - used, "%s%s", i > 0 ? ", " : "",
                                 row->platforms.items[i]);
}

static int print_tags(const struct tag_rows *rows, struct error *err)
{
    CLEANUP(table_done) struct table table = {.columns = 5, .align = "llrll"};
    int r = table_add(
        &table, (const char *const[]){"TAG", "PUSHED (UTC)", "SIZE", "PLATFORMS", "DIGEST"}, err);

    for (size_t i = 0; r == 0 && i < rows->count; i++) {
        const struct tag_row *row = &rows->items[i];
        char bytes[WORDS_SIZE_MAX], pushed[WORDS_SIZE_MAX], digest[DIGEST_TEXT_SIZE],
            platforms[300];

        if (row->is_gone)
            continue;
        describe(row, platforms, sizeof(platforms));
        digest_format(&row->state.digest, digest);
        if (isatty(STDOUT_FILENO))
            digest[SHORT_DIGEST] = '\0';
        r = table_add(
            &table,
            (const char *const[]){row->tag, short_time(row->state.pushed_ns / NS_PER_S, pushed),
                                  words_short_bytes(row->bytes, bytes), platforms, digest},
            err);
    }
    if (r == 0)
        print_table(&table, rows->count, "the repository has no tags");
    return r;
}

static void write_row(struct json_out *out, const struct tag_row *row)
{
    char digest[DIGEST_TEXT_SIZE];

    digest_format(&row->state.digest, digest);
    json_out_open(out, NULL, '{');
    json_out_text(out, "tag", row->tag);
    json_out_text(out, "digest", digest);
    json_out_text(out, "mediaType", row->media_type);
    json_out_time(out, "pushed", row->state.pushed_ns / NS_PER_S);
    json_out_number(out, "bytes", row->bytes);
    json_out_open(out, "platforms", '[');
    for (size_t i = 0; i < row->platforms.count; i++)
        json_out_text(out, NULL, row->platforms.items[i]);
    json_out_close(out, ']');
    json_out_close(out, '}');
}

static int write_tags(const struct content_job *job, const struct tag_rows *rows, struct error *err)
{
    struct json_out out = {0};

    json_out_open(&out, NULL, '{');
    json_out_text(&out, "name", job->reference.name);
    json_out_open(&out, "tags", '[');
    for (size_t i = 0; i < rows->count; i++)
        if (!rows->items[i].is_gone)
            write_row(&out, &rows->items[i]);
    json_out_close(&out, ']');
    json_out_close(&out, '}');
    return json_out_end(&out, err);
}

static int list_tags(struct content_job *job, struct error *err)
{
    CLEANUP(store_names_done) struct store_names tags = {0};
    CLEANUP(tag_rows_done) struct tag_rows rows = {0};
    int r = reference_list_tags(job->store, job->reference.name, &tags, err);

    if (r == 0)
        r = read_rows(job, &tags, &rows, err);
    if (r < 0)
        return r;
    tell_unreadable(&tags);
    return job->is_json ? write_tags(job, &rows, err) : print_tags(&rows, err);
}

static int list(struct content_job *job, struct error *err)
{
    return job->operand_count > 0 ? list_tags(job, err) : list_repositories(job, err);
}

static int run_ls(int argc, char **argv)
{
    static const struct content_verb ls = {&verb_ls,
                                           CONTENT_JSON | CONTENT_QUIET | CONTENT_OF_REPOSITORY,
                                           0,
                                           1,
                                           "one repository at most",
                                           list};

    return content_run(argc, argv, &ls);
}

const struct verb verb_ls = {
    .name = "ls",
    .function = run_ls,
    .help = "Usage: registryd ls [REPOSITORY] [--json] [--quiet] [--config CONFIG]\n"
            "\n"
            "Lists the repositories with the number of their tags; or the tags of one\n"
            "repository, the latest first, with platforms and the size of everything that the\n"
            "tag refers to. On a terminal, digests are shortened. Works on the storage,\n"
            "whether servers run or not.\n"
            "\n"
            "  -j, --json           JSON for scripts\n"
            "  -q, --quiet          do not show the progress\n"
            "  -c, --config CONFIG  the server's configuration; without it, the file that\n"
            "                       serve reads\n"
            "  -h, --help           this text\n"
            "\n"
            "Example:\n"
            "  registryd ls team/app\n"
            "\n"
            "Exit status: 0; 1 on failure and for a wrong command line: standard error says\n"
            "why.\n",
};
