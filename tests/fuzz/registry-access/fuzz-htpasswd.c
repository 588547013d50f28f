/*
 * htpasswd: a file may have any bytes. It is accepted if any user can log in. Each user in the table
 * is in the text, on the last line with that name, and has a hash that bcrypt can check.
 */
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "registry/access/htpasswd.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static void check_user(const struct htpasswd *table, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    const struct htpasswd_user *user = colon ? htpasswd_find(table, line, (size_t)(colon - line)) : NULL;
    unsigned cost;

    if (!user)
        return;
    REQUIRE(user->name_size == (size_t)(colon - line));
    REQUIRE(memcmp(user->name, line, user->name_size) == 0);
    REQUIRE(user->name[user->name_size] == ':');
    REQUIRE(user->line > 0);
    if (!user->hash)
        return;
    REQUIRE(user->hash == user->name + user->name_size + 1);
    REQUIRE(bcrypt_parse(user->hash, BCRYPT_SIZE, &cost) == 0 && cost == user->cost);
    REQUIRE(cost <= htpasswd_highest_cost(table));
}

/* A last line without spaces around it must be in the table. */
static void check_last(const struct htpasswd *table, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    unsigned cost;

    if (!colon || bcrypt_parse(colon + 1, size - (size_t)(colon + 1 - line), &cost) < 0)
        return;
    for (size_t i = 0; i < size; i++)
        if (line[i] <= ' ' || line[i] == '#')
            return;
    REQUIRE(htpasswd_find(table, line, (size_t)(colon - line))->cost == cost);
}

static void check_flaws(const struct htpasswd_flaws *flaws, size_t lines)
{
    size_t before = 0;

    for (size_t i = 0; i < flaws->count && i < HTPASSWD_FLAWS_MAX; i++) {
        REQUIRE(flaws->first[i].line >= before && flaws->first[i].line <= lines);
        REQUIRE(htpasswd_flaw_text(flaws->first[i].kind));
        before = flaws->first[i].line;
    }
    REQUIRE(flaws->count <= lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(htpasswd_unrefp) struct htpasswd *table = NULL;
    const char *text = (const char *)data, *line = text;
    char *copy = malloc(size ? size : 1);
    size_t lines = 0;

    REQUIRE(copy);
    if (size)
        memcpy(copy, data, size);
    REQUIRE(htpasswd_parse(copy, size, &table) == 0);
    fuzz_was_accepted = htpasswd_highest_cost(table) > 0;
    REQUIRE(fuzz_was_accepted == (htpasswd_usual_cost(table) > 0));
    REQUIRE(htpasswd_is_of(table, text, size));
    for (size_t left; (left = size - (size_t)(line - text)) > 0; lines++) {
        const char *newline = memchr(line, '\n', left);
        size_t length = newline ? (size_t)(newline - line) : left;

        check_user(table, line, length);
        if (length == left)
            check_last(table, line, length);
        line += newline ? length + 1 : length;
    }
    REQUIRE(htpasswd_count(table) <= lines);
    check_flaws(htpasswd_get_flaws(table), lines);
    return 0;
}
