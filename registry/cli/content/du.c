/* `registryd du` shows how much space each repository takes, or each tag of one repository. */
#include <stdio.h>
#include <stdlib.h>

#include "registry/cli/content/content.h"
#include "registry/cli/json-out.h"
#include "registry/cli/table.h"
#include "registry/core/usage.h"

struct entry {
    const char *name; /* borrowed */
    struct usage usage;
};

/* The output: the lines, the largest first, and the total. */
struct account {
    struct entry *entries;
    size_t count;
    struct usage total;
};

static void account_done(struct account *account)
{
    free(account->entries);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *one = a, *other = b;

    return (one->usage.bytes < other->usage.bytes) - (one->usage.bytes > other->usage.bytes);
}

/* Joins names and usages, and one more entry if rest is not NULL. */
static int fill(struct account *account, const struct store_names *names,
                const struct usage *usages, const struct usage *rest, struct error *err)
{
    account->entries = calloc(names->count + 1, sizeof(*account->entries));
    if (!account->entries)
        return error_set_oom(err);
    for (size_t i = 0; i < names->count; i++)
        account->entries[account->count++] = (struct entry){names->items[i], usages[i]};
    if (rest && rest->objects > 0)
        account->entries[account->count++] = (struct entry){"(untagged)", *rest};
    qsort(account->entries, account->count, sizeof(*account->entries), compare_entries);
    return 0;
}

static int add_line(struct table *table, const char *name, const struct usage *usage, bool is_total,
                    struct error *err)
{
    char bytes[WORDS_SIZE_MAX], alone[WORDS_SIZE_MAX], objects[WORDS_SIZE_MAX];

    snprintf(objects, sizeof(objects), "%zu", usage->objects);
    return table_add(table,
                     (const char *const[]){words_short_bytes(usage->bytes, bytes),
                                           is_total ? "" : words_short_bytes(usage->alone, alone),
                                           objects, name},
                     err);
}

static int print_account(const struct account *account, const char *heading, struct error *err)
{
    CLEANUP(table_done) struct table table = {.columns = 4, .align = "rrrl"};
    int r = table_add(&table, (const char *const[]){"SIZE", "ALONE", "OBJECTS", heading}, err);

    for (size_t i = 0; r == 0 && i < account->count; i++)
        r = add_line(&table, account->entries[i].name, &account->entries[i].usage, false, err);
    if (r == 0)
        r = add_line(&table, "total, each object once", &account->total, true, err);
    if (r == 0)
        table_print(&table);
    return r;
}

static void write_usage(struct json_out *out, const struct usage *usage)
{
    json_out_number(out, "bytes", usage->bytes);
    json_out_number(out, "alone", usage->alone);
    json_out_number(out, "objects", usage->objects);
}

static int write_account(const struct account *account, const char *list, const char *name,
                         const struct usage *rest, struct error *err)
{
    struct json_out out = {0};

    json_out_open(&out, NULL, '{');
    json_out_open(&out, list, '[');
    for (size_t i = 0; i < account->count; i++) {
        json_out_open(&out, NULL, '{');
        json_out_text(&out, name, account->entries[i].name);
        write_usage(&out, &account->entries[i].usage);
        json_out_close(&out, '}');
    }
    json_out_close(&out, ']');
    if (rest) {
        json_out_open(&out, "untagged", '{');
        write_usage(&out, rest);
        json_out_close(&out, '}');
    }
    json_out_number(&out, "bytes", account->total.bytes);
    json_out_number(&out, "objects", account->total.objects);
    json_out_close(&out, '}');
    return json_out_end(&out, err);
}

static int measure_repositories(struct content_job *job, struct error *err)
{
    CLEANUP(store_names_done) struct store_names names = {0};
    CLEANUP(account_done) struct account account = {0};
    CLEANUP_FREE struct usage *usages = NULL;
    const struct usage_options options = {.progress = progress_line_show,
                                          .progress_object = &job->line};
    int r = store_list_repositories(job->store, NULL, SIZE_MAX, NULL, &names, err);

    if (r == 0) {
        usages = calloc(names.count + 1, sizeof(*usages));
        r = usages ? store_measure_repositories(job->store, &names, &options, usages,
                                                &account.total, err)
                   : error_set_oom(err);
    }
    if (r == 0)
        r = fill(&account, &names, usages, NULL, err);
    if (r < 0)
        return r;
    progress_line_clear(&job->line);
    return job->is_json ? write_account(&account, "repositories", "name", NULL, err)
                        : print_account(&account, "REPOSITORY", err);
}

static int measure_tags(struct content_job *job, struct error *err)
{
    CLEANUP(store_names_done) struct store_names tags = {0};
    CLEANUP(account_done) struct account account = {0};
    CLEANUP_FREE struct usage *usages = NULL;
    const struct usage_options options = {.progress = progress_line_show,
                                          .progress_object = &job->line};
    struct usage rest;
    const char *name = job->reference.name;
    int r = reference_list_tags(job->store, name, &tags, err);

    if (r == 0) {
        usages = calloc(tags.count + 1, sizeof(*usages));
        r = usages ? store_measure_tags(job->store, name, &tags, &options, usages, &rest,
                                        &account.total, err)
                   : error_set_oom(err);
    }
    if (r == 0)
        r = fill(&account, &tags, usages, job->is_json ? NULL : &rest, err);
    if (r < 0)
        return r;
    progress_line_clear(&job->line);
    return job->is_json ? write_account(&account, "tags", "tag", &rest, err)
                        : print_account(&account, "TAG", err);
}

static int measure(struct content_job *job, struct error *err)
{
    return job->operand_count > 0 ? measure_tags(job, err) : measure_repositories(job, err);
}

static int run_du(int argc, char **argv)
{
    static const struct content_verb du = {&verb_du,
                                           CONTENT_JSON | CONTENT_QUIET | CONTENT_OF_REPOSITORY,
                                           0,
                                           1,
                                           "one repository at most",
                                           measure};

    return content_run(argc, argv, &du);
}

const struct verb verb_du = {
    .name = "du",
    .function = run_du,
    .help = "Usage: registryd du [REPOSITORY] [--json] [--quiet] [--config CONFIG]\n"
            "\n"
            "Shows how much space each repository takes, or each tag of one, the largest\n"
            "first. SIZE counts each blob and manifest once. ALONE is the part that no other\n"
            "repository (or no other tag of the repository) uses: removing it would free that\n"
            "space. Works on the storage, whether servers run or not.\n"
            "\n"
            "  -j, --json           JSON for scripts\n"
            "  -q, --quiet          do not show the progress\n"
            "  -c, --config CONFIG  the server's configuration; without it, the file that\n"
            "                       serve reads\n"
            "  -h, --help           this text\n"
            "\n"
            "Example:\n"
            "  registryd du team/app\n"
            "\n"
            "Exit status: 0; 1 on failure and for a wrong command line: standard error says\n"
            "why.\n",
};
