/*
 * Changes to an htpasswd file, which may have any bytes. The first line of the input is the user; the rest is the file's
 * content. Lines of other users stay unchanged, and the user can log in or is removed.
 */
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "registry/access/htpasswd-edit.h"
#include "registry/access/htpasswd.h"
#include "tests/fuzz/fuzz.h"

#define HASH "$2y$05$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"

bool fuzz_was_accepted;

static bool has_user(const struct htpasswd_text *text, const char *user)
{
    CLEANUP(htpasswd_unrefp) struct htpasswd *table = NULL;
    char *copy = malloc(text->size + 1);

    REQUIRE(copy);
    memcpy(copy, text->text, text->size);
    copy[text->size] = '\0';
    REQUIRE(htpasswd_parse(copy, text->size, &table) == 0);
    return htpasswd_find(table, user, strlen(user)) != NULL;
}

/* The lines of `before` without those of the user are in `after`, unchanged and in the same order. */
static void check_others(const struct htpasswd_text *before, const struct htpasswd_text *after, const char *user)
{
    struct htpasswd_text others = {0}, still = {0};
    int r = htpasswd_text_remove(before, user, &others), s = htpasswd_text_remove(after, user, &still);
    const struct htpasswd_text *one = r == 0 ? &others : before, *two = s == 0 ? &still : after;

    REQUIRE(two->size >= one->size && memcmp(one->text, two->text, one->size) == 0);
    REQUIRE(two->size - one->size <= 2); /* a line end, if the last line had none */
    htpasswd_text_done(&others);
    htpasswd_text_done(&still);
}

static void check_set(const struct htpasswd_text *before, const char *user)
{
    struct htpasswd_text after = {0}, gone = {0};

    REQUIRE(htpasswd_text_set(before, user, HASH, &after) >= 0);
    REQUIRE(has_user(&after, user));
    check_others(before, &after, user);
    REQUIRE(htpasswd_text_remove(&after, user, &gone) == 0);
    REQUIRE(!has_user(&gone, user));
    htpasswd_text_done(&after);
    htpasswd_text_done(&gone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
    size_t user_size = newline ? (size_t)(newline - data) : size, rest = newline ? size - user_size - 1 : 0;
    CLEANUP_FREE char *user = calloc(1, user_size + 1), *text = calloc(1, rest + 1);
    struct error err = {0};

    REQUIRE(user && text);
    if (user_size)
        memcpy(user, data, user_size);
    if (rest)
        memcpy(text, newline + 1, rest);
    fuzz_was_accepted = strlen(user) == user_size && htpasswd_check_user(user, &err) == 0;
    if (fuzz_was_accepted)
        check_set(&(struct htpasswd_text){.text = text, .size = rest}, user);
    return 0;
}
