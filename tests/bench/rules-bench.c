/*
 * Measures how long it takes to read an access file with many rules and users, and to decide a
 * request:
 *
 *     ninja -C build tests/rules-bench && build/tests/rules-bench [RULES]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/macros.h"
#include "registry/access/rules.h"

enum { DECISIONS = 200000, GROUPS = 100, BATCH = 100 };

/*
 * Writes rule i of count; there are as many users as rules. team_of is a directory that user i may
 * use.
 */
struct shape {
    const char *name;
    void (*write)(FILE *out, size_t i, size_t count);
    size_t (*team_of)(size_t i, size_t count);
};

static size_t team_is_own(size_t i, size_t count)
{
    (void)count;
    return i;
}

static size_t team_is_one_of_ten(size_t i, size_t count)
{
    (void)count;
    return i % 10;
}

static size_t team_is_shared(size_t i, size_t count)
{
    (void)i;
    (void)count;
    return 1;
}

static size_t team_is_of_group(size_t i, size_t count)
{
    return i / (count / GROUPS) + GROUPS;
}

static void write_own(FILE *out, size_t i, size_t count)
{
    (void)count;
    fprintf(out, "allow user%zu pull,push team-%zu/**\n", i, i);
}

static void write_flat(FILE *out, size_t i, size_t count)
{
    (void)count;
    fprintf(out, "allow user%zu pull,push team-%zu/*/app-%zu\n", i, i % 10, i);
}

static void write_shared(FILE *out, size_t i, size_t count)
{
    (void)count;
    fprintf(out, "allow user%zu pull,push team-1/**\n", i);
}

static void write_any_depth(FILE *out, size_t i, size_t count)
{
    (void)count;
    fprintf(out, "allow user%zu pull,push **/app-%zu\n", i, i);
}

static void write_groups(FILE *out, size_t i, size_t count)
{
    size_t size = count / GROUPS;

    if (i < GROUPS) {
        fprintf(out, "group g%zu", i);
        for (size_t user = i * size; user < (i + 1) * size; user++)
            fprintf(out, " user%zu", user);
        fputc('\n', out);
        return;
    }
    fprintf(out, "allow @g%zu pull,push team-%zu/**\n", i % GROUPS, i);
}

static const struct shape shapes[] = {
    {"each user has a directory", write_own, team_is_own},
    {"wildcards in ten directories", write_flat, team_is_one_of_ten},
    {"all rules for one pattern", write_shared, team_is_shared},
    {"patterns of any depth", write_any_depth, team_is_own},
    {"100 groups", write_groups, team_is_of_group},
};

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); /* other programs do not count */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct rules *parse(const struct shape *shape, size_t count, double *ret_ms)
{
    CLEANUP_FREE char *text = NULL;
    struct rules *rules;
    struct error err;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    int64_t begin;

    if (!out)
        abort();
    for (size_t i = 0; i < count; i++)
        shape->write(out, i, count);
    if (fclose(out) != 0)
        abort();
    begin = now_ns();
    if (rules_parse("rules", text, size, &rules, &err) < 0) {
        fprintf(stderr, "%s: %s\n", shape->name, err.text);
        exit(EXIT_FAILURE);
    }
    *ret_ms = (double)(now_ns() - begin) / 1e6;
    return rules;
}

static int compare(const void *a, const void *b)
{
    const double *one = a, *other = b;

    return *one < *other ? -1 : *one > *other;
}

static void measure(const struct shape *shape, size_t count)
{
    static double batches[DECISIONS / BATCH];
    double parse_ms;
    struct rules *rules = parse(shape, count, &parse_ms);
    size_t granted = 0;

    for (size_t b = 0; b < ARRAY_SIZE(batches); b++) {
        char users[BATCH][32], names[BATCH][64];
        int64_t begin;

        for (size_t i = 0; i < BATCH; i++) {
            size_t user = (size_t)random() % count,
                   other = (size_t)random() % 2 ? user : (size_t)random() % count;

            snprintf(users[i], sizeof(users[i]), "user%zu", user);
            snprintf(names[i], sizeof(names[i]), "team-%zu/z/app-%zu", shape->team_of(other, count),
                     other);
        }
        begin = now_ns();
        for (size_t i = 0; i < BATCH; i++) {
            struct rules_answer answer;

            rules_decide(rules,
                         &(struct rules_question){users[i], names[i], RULES_PULL | RULES_PUSH},
                         &answer);
            granted += answer.granted != 0;
        }
        batches[b] = (double)(now_ns() - begin) / BATCH / 1000;
    }
    qsort(batches, ARRAY_SIZE(batches), sizeof(batches[0]), compare);
    printf("%-30s %8zu rules  read in %6.1f ms  decision %6.2f us, 99 %% below %6.2f us  (%zu %% "
           "granted)\n",
           shape->name, count, parse_ms, batches[ARRAY_SIZE(batches) / 2],
           batches[ARRAY_SIZE(batches) * 99 / 100], granted * 100 / DECISIONS);
    rules_unref(rules);
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;

    if (count < 10 * GROUPS) {
        fprintf(stderr, "rules-bench: RULES must be a number of at least %d\n", 10 * GROUPS);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
        measure(&shapes[i], count);
    return EXIT_SUCCESS;
}
