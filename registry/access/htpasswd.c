/*
 * Parses htpasswd files. All decisions about logins are here, without files and clocks, so that
 * tests and the fuzzer reach every branch.
 */
#include "registry/access/htpasswd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOW_COST = 18
}; /* eleven seconds; Apache's htpasswd makes no hashes of this cost or a higher one */

struct htpasswd {
    unsigned references; /* atomic */
    char *text;
    size_t size;
    struct htpasswd_user *users; /* sorted by name, without duplicates; they point into text */
    size_t count;
    unsigned highest_cost, usual_cost;
    struct htpasswd_flaws flaws;
};

/* A line without its newline, and the text after it. */
struct line {
    const char *at;
    size_t size;
    size_t number;
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool next_line(const char **at, const char *end, struct line *line)
{
    const char *newline;

    if (*at == end)
        return false;
    newline = memchr(*at, '\n', (size_t)(end - *at));
    line->at = *at;
    line->size = (size_t)((newline ? newline : end) - *at);
    line->number++;
    *at = newline ? newline + 1 : end;
    while (line->size > 0 && is_blank(line->at[line->size - 1]))
        line->size--;
    while (line->size > 0 && is_blank(line->at[0])) {
        line->at++;
        line->size--;
    }
    return true;
}

static void add_flaw(struct htpasswd_flaws *flaws, enum htpasswd_flaw_kind kind, size_t line)
{
    if (flaws->count < HTPASSWD_FLAWS_MAX)
        flaws->first[flaws->count] = (struct htpasswd_flaw){kind, line};
    flaws->count++;
}

static void parse_user(struct htpasswd *table, const struct line *line, const char *colon)
{
    struct htpasswd_user *user = &table->users[table->count++];
    size_t rest = line->size - (size_t)(colon + 1 - line->at);

    *user = (struct htpasswd_user){
        .name = line->at, .name_size = (size_t)(colon - line->at), .line = line->number};
    if (bcrypt_parse(colon + 1, rest, &user->cost) < 0) {
        add_flaw(&table->flaws, HTPASSWD_NOT_BCRYPT, line->number);
        return;
    }
    user->hash = colon + 1;
    if (user->cost >= SLOW_COST)
        add_flaw(&table->flaws, HTPASSWD_SLOW, line->number);
}

/* Parses all lines. If there is no table of users yet, only counts the lines with users. */
static size_t parse_lines(struct htpasswd *table)
{
    static const char mark[] = "\xEF\xBB\xBF";
    const char *at = table->text, *end = table->text + table->size;
    struct line line = {0};
    size_t count = 0;

    if (table->size >= strlen(mark) && memcmp(at, mark, strlen(mark)) == 0)
        at += strlen(mark);
    while (next_line(&at, end, &line)) {
        const char *colon;

        if (line.size == 0 || line.at[0] == '#')
            continue;
        colon = memchr(line.at, ':', line.size);
        count += colon ? 1 : 0;
        if (!table->users)
            continue;
        if (colon)
            parse_user(table, &line, colon);
        else
            add_flaw(&table->flaws, HTPASSWD_NO_COLON, line.number);
    }
    return count;
}

static int compare_names(const struct htpasswd_user *a, const struct htpasswd_user *b)
{
    size_t common = a->name_size < b->name_size ? a->name_size : b->name_size;
    int order = common > 0 ? memcmp(a->name, b->name, common) : 0;

    return order ? order : (a->name_size > b->name_size) - (a->name_size < b->name_size);
}

static int compare_users(const void *left, const void *right)
{
    const struct htpasswd_user *a = left, *b = right;
    int order = compare_names(a, b);

    return order ? order : (a->line > b->line) - (a->line < b->line);
}

static void sort_users(struct htpasswd *table)
{
    size_t kept = 0;

    if (table->count > 1)
        qsort(table->users, table->count, sizeof(*table->users), compare_users);
    for (size_t i = 0; i < table->count; i++) {
        if (i + 1 < table->count && compare_names(&table->users[i], &table->users[i + 1]) == 0)
            continue; /* a later line for this user has precedence */
        table->users[kept++] = table->users[i];
    }
    table->count = kept;
}

static void look_at_costs(struct htpasswd *table)
{
    size_t counts[BCRYPT_COST_MAX + 1] = {0};

    for (size_t i = 0; i < table->count; i++)
        if (table->users[i].hash)
            counts[table->users[i].cost]++;
    for (unsigned cost = BCRYPT_COST_MIN; cost <= BCRYPT_COST_MAX; cost++) {
        if (counts[cost] > 0)
            table->highest_cost = cost;
        if (counts[cost] > counts[table->usual_cost])
            table->usual_cost = cost;
    }
}

int htpasswd_parse(char *text, size_t size, struct htpasswd **ret)
{
    CLEANUP_FREE struct htpasswd *table = calloc(1, sizeof(*table));
    size_t count;

    if (!table)
        return -ENOMEM;
    table->references = 1;
    table->text = text;
    table->size = size;
    count = parse_lines(table);
    if (count > HTPASSWD_USERS_MAX)
        return -E2BIG;
    table->users = calloc(count + 1, sizeof(*table->users));
    if (!table->users)
        return -ENOMEM;
    parse_lines(table);
    sort_users(table);
    look_at_costs(table);
    *ret = steal_ptr(&table);
    return 0;
}

struct htpasswd *htpasswd_ref(struct htpasswd *table)
{
    __atomic_add_fetch(&table->references, 1, __ATOMIC_RELAXED);
    return table;
}

void htpasswd_unref(struct htpasswd *table)
{
    if (!table || __atomic_sub_fetch(&table->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    explicit_bzero(table->text, table->size); /* hashes allow guessing offline */
    free(table->text);
    free(table->users);
    free(table);
}

void htpasswd_unrefp(struct htpasswd **table)
{
    htpasswd_unref(*table);
}

const struct htpasswd_user *htpasswd_find(const struct htpasswd *table, const void *name,
                                          size_t size)
{
    const struct htpasswd_user wanted = {.name = name, .name_size = size};
    size_t low = 0, high = table->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_names(&wanted, &table->users[middle]);

        if (order == 0)
            return &table->users[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

unsigned htpasswd_highest_cost(const struct htpasswd *table)
{
    return table->highest_cost;
}

unsigned htpasswd_usual_cost(const struct htpasswd *table)
{
    return table->usual_cost;
}

size_t htpasswd_count(const struct htpasswd *table)
{
    return table->count;
}

const struct htpasswd_flaws *htpasswd_get_flaws(const struct htpasswd *table)
{
    return &table->flaws;
}

const char *htpasswd_flaw_text(enum htpasswd_flaw_kind kind)
{
    static const char *const texts[] = {
        [HTPASSWD_NO_COLON] = "the line has no ':' between user and hash and is skipped",
        [HTPASSWD_NOT_BCRYPT] =
            "the hash is not bcrypt, so this user cannot log in; make one with htpasswd -B",
        [HTPASSWD_SLOW] =
            "the cost of this hash is too high: a check takes from ten seconds to days; lower it",
    };

    return texts[kind];
}

bool htpasswd_is_of(const struct htpasswd *table, const char *text, size_t size)
{
    return table->size == size && (size == 0 || memcmp(table->text, text, size) == 0);
}
