/*
 * The table of robots. Their permissions are converted to ordinary rules, so that the same code
 * decides.
 */
#include "registry/access/robots.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/access/line-error.h"

struct robots {
    unsigned references; /* atomic */
    char *text;          /* a copy of the file; names point into words */
    size_t text_size;
    char *words;         /* the same, with NULs after names */
    struct robot *items; /* sorted by name */
    size_t count;
    const struct robot_allow **allows; /* by line number of the rules, from 1 */
    size_t allow_count;
    struct rules *rules;
};

struct parser {
    const char *source;
    uint32_t line;
    struct error *err;
    struct robots *robots;
};

static int fail(const struct parser *p, const char *format, ...) PRINTF_LIKE(2, 3);

static int fail(const struct parser *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    line_error_set(p->err, p->source, p->line, format, args);
    va_end(args);
    return -EINVAL;
}

/* --- parsing ---------------------------------------------------------------------------- */

/* Takes the next word of a line. Returns false at the end of the line. */
static bool take_word(char **at, char *end, char **ret, size_t *ret_size)
{
    while (*at < end && (**at == ' ' || **at == '\t' || **at == '\r'))
        (*at)++;
    *ret = *at;
    while (*at < end && **at != ' ' && **at != '\t' && **at != '\r')
        (*at)++;
    *ret_size = (size_t)(*at - *ret);
    return *ret_size > 0;
}

static bool starts_with(const char *word, size_t size, const char *key)
{
    return size >= strlen(key) && memcmp(word, key, strlen(key)) == 0;
}

static int add_allow(const struct parser *p, struct robot *robot, const char *text, size_t size)
{
    const char *fault = robot_find_fault(text, size);
    struct robot_allow *allows;

    if (fault)
        return fail(p, "\"%.*s\" %s", (int)size, text, fault);
    if (robot->allow_count == ROBOT_ALLOWS_MAX)
        return fail(p, "more than %d permissions of one robot", ROBOT_ALLOWS_MAX);
    allows = reallocarray(robot->allows, robot->allow_count + 1, sizeof(*allows));
    if (!allows)
        return error_set_oom(p->err);
    robot->allows = allows;
    allows[robot->allow_count++] = (struct robot_allow){text, size};
    return 0;
}

static int parse_field(const struct parser *p, struct robot *robot, const char *word, size_t size)
{
    static const char created[] = "created=", expires[] = "expires=", allow[] = "allow=";

    if (starts_with(word, size, allow))
        return add_allow(p, robot, word + strlen(allow), size - strlen(allow));
    if (starts_with(word, size, created) &&
        robot_parse_time(word + strlen(created), size - strlen(created), &robot->created_s) == 0)
        return 0;
    if (starts_with(word, size, expires) &&
        robot_parse_time(word + strlen(expires), size - strlen(expires), &robot->expires_s) == 0)
        return 0;
    return fail(
        p,
        "\"%.*s\" is not created=TIME, expires=TIME or allow=PATTERN:ACTIONS; a time is \"never\" "
        "or like "
        "2026-11-30T07:41:45Z",
        (int)size, word);
}

static int parse_robot(const struct parser *p, char *at, char *end, struct robot *robot)
{
    char *word, *name;
    size_t size, name_size;
    int r = 0;

    take_word(&at, end, &name, &name_size);
    if (!robot_is_name(name, name_size))
        return fail(
            p, "\"%.*s\" is not the name of a robot: 1 to %d of a-z, 0-9, and between them . _ -",
            (int)name_size, name, ROBOT_NAME_MAX);
    if (!take_word(&at, end, &word, &size) || digest_parse(word, size, &robot->digest) < 0 ||
        robot->digest.algorithm != DIGEST_SHA256)
        return fail(p, "after the name comes sha256: and the digest of the password");
    robot->expires_s = 0; /* to detect a line without expires= */
    while (r == 0 && take_word(&at, end, &word, &size))
        r = parse_field(p, robot, word, size);
    if (r == 0 && robot->expires_s == 0)
        return fail(p, "expires= is missing");
    name[name_size] = '\0';
    robot->name = name;
    return r;
}

static int add_robot(const struct parser *p, char *start, char *end, size_t line_size)
{
    struct robots *robots = p->robots;
    struct robot *items, *robot;

    if (robots->count == ROBOTS_MAX)
        return fail(p, "more than %d robots", ROBOTS_MAX);
    items = reallocarray(robots->items, robots->count + 1, sizeof(*items));
    if (!items)
        return error_set_oom(p->err);
    robots->items = items;
    robot = &items[robots->count++];
    *robot = (struct robot){.line_start = (size_t)(start - robots->words), .line_size = line_size};
    return parse_robot(p, start, end, robot);
}

static bool is_silent(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    return at == end || *at == '#';
}

static int parse_lines(struct parser *p)
{
    char *at = p->robots->words, *text_end = at + p->robots->text_size;
    int r = 0;

    while (r == 0 && at < text_end) {
        char *newline = memchr(at, '\n', (size_t)(text_end - at)),
             *end = newline ? newline : text_end;
        char *next = newline ? newline + 1 : text_end;

        p->line++;
        if (memchr(at, '\0', (size_t)(end - at)))
            return fail(p, "the line contains a NUL");
        if (!is_silent(at, end))
            r = add_robot(p, at, end, (size_t)(next - at));
        at = next;
    }
    return r;
}

/* --- the table -------------------------------------------------------------------------- */

static int compare_robots(const void *a, const void *b)
{
    return strcmp(((const struct robot *)a)->name, ((const struct robot *)b)->name);
}

static int sort(struct robots *robots, const char *source, struct error *err)
{
    if (robots->count > 1)
        qsort(robots->items, robots->count, sizeof(*robots->items), compare_robots);
    for (size_t i = 1; i < robots->count; i++)
        if (compare_robots(&robots->items[i - 1], &robots->items[i]) == 0)
            return error_set(err, EINVAL, "%s: there are two lines for the robot %s", source,
                             robots->items[i].name);
    return 0;
}

static int index_allows(struct robots *robots)
{
    size_t count = 0;

    for (size_t i = 0; i < robots->count; i++)
        count += robots->items[i].allow_count;
    robots->allows = calloc(count + 1, sizeof(*robots->allows));
    if (!robots->allows)
        return -ENOMEM;
    for (size_t i = 0; i < robots->count; i++)
        for (size_t a = 0; a < robots->items[i].allow_count; a++)
            robots->allows[robots->allow_count++] = &robots->items[i].allows[a];
    return 0;
}

/* Writes one rule per line, in the order of allows. */
static int write_rules(const struct robots *robots, FILE *out)
{
    for (size_t i = 0; i < robots->count; i++) {
        const struct robot *robot = &robots->items[i];

        for (size_t a = 0; a < robot->allow_count; a++) {
            const char *text = robot->allows[a].text;
            int size = (int)robot->allows[a].size,
                pattern = (int)robot_pattern_size(text, robot->allows[a].size);

            fprintf(out, "allow " ROBOT_USER_PREFIX "%s %.*s %.*s\n", robot->name,
                    size - pattern - 1, text + pattern + 1, pattern, text);
        }
    }
    return ferror(out) ? -ENOMEM : 0;
}

static int make_rules(struct robots *robots, const char *source, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int r = out ? write_rules(robots, out) : -ENOMEM;

    if (out && fclose(out) != 0)
        r = -ENOMEM;
    return r < 0 ? error_set_oom(err) : rules_parse(source, text, size, &robots->rules, err);
}

int robots_parse(const char *source, const char *text, size_t size, struct robots **ret,
                 struct error *err)
{
    CLEANUP(robots_unrefp) struct robots *robots = calloc(1, sizeof(*robots));
    struct parser p = {.source = source, .err = err, .robots = robots};
    int r;

    if (!robots)
        return error_set_oom(err);
    robots->references = 1;
    robots->text = malloc(size + 1);
    robots->words = malloc(size + 1);
    if (!robots->text || !robots->words)
        return error_set_oom(err);
    if (size > 0) {
        memcpy(robots->text, text, size);
        memcpy(robots->words, text, size);
    }
    robots->text_size = size;
    r = parse_lines(&p);
    if (r == 0)
        r = sort(robots, source, err);
    if (r == 0 && index_allows(robots) < 0)
        r = error_set_oom(err);
    if (r == 0)
        r = make_rules(robots, source, err);
    if (r == 0)
        *ret = steal_ptr(&robots);
    return r;
}

struct robots *robots_ref(struct robots *robots)
{
    __atomic_add_fetch(&robots->references, 1, __ATOMIC_RELAXED);
    return robots;
}

void robots_unref(struct robots *robots)
{
    if (!robots || __atomic_sub_fetch(&robots->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < robots->count; i++)
        free(robots->items[i].allows);
    free(robots->items);
    free(robots->allows);
    free(robots->text);
    free(robots->words);
    rules_unref(robots->rules);
    free(robots);
}

void robots_unrefp(struct robots **robots)
{
    robots_unref(*robots);
}

bool robots_are_of(const struct robots *robots, const char *text, size_t size)
{
    return robots->text_size == size && (size == 0 || memcmp(robots->text, text, size) == 0);
}

size_t robots_count(const struct robots *robots)
{
    return robots->count;
}

struct robot *robots_get(const struct robots *robots, size_t i)
{
    return &robots->items[i];
}

struct robot *robots_find(const struct robots *robots, const char *name)
{
    const struct robot key = {.name = name};

    return robots->count ? bsearch(&key, robots->items, robots->count, sizeof(key), compare_robots)
                         : NULL;
}

struct robot *robots_find_user(const struct robots *robots, const char *user)
{
    size_t size = strlen(ROBOT_USER_PREFIX);

    return strncmp(user, ROBOT_USER_PREFIX, size) == 0 ? robots_find(robots, user + size) : NULL;
}

const struct rules *robots_get_rules(const struct robots *robots)
{
    return robots->rules;
}

const struct robot_allow *robots_find_allow(const struct robots *robots, uint32_t line)
{
    return line > 0 && line <= robots->allow_count ? robots->allows[line - 1] : NULL;
}
