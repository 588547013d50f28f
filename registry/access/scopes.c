#include "registry/access/scopes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/spec/name.h"

static const char repository_type[] = "repository", registry_type[] = "registry",
                  catalog[] = "catalog";

/* The actions that a token can contain, with their names. */
static const struct {
    const char *name;
    unsigned action;
} actions[] = {{"pull", RULES_PULL}, {"push", RULES_PUSH}, {"delete", RULES_DELETE}};

enum { ALL_ACTIONS = RULES_PULL | RULES_PUSH | RULES_DELETE, ENTRY_SIZE = 128 };

/* A piece of text that is not NUL-terminated. */
struct piece {
    const char *text;
    size_t size;
};

static bool is_text(struct piece piece, const char *text)
{
    return piece.size == strlen(text) && memcmp(piece.text, text, piece.size) == 0;
}

static struct scope *find(const struct scopes *scopes, struct piece name)
{
    for (size_t i = 0; i < scopes->count; i++)
        if (is_text(name, scopes->items[i].name))
            return &scopes->items[i];
    return NULL;
}

const struct scope *scopes_find(const struct scopes *scopes, const char *name)
{
    return find(scopes, (struct piece){name, strlen(name)});
}

static int add_repository(struct scopes *scopes, struct piece name, unsigned bits)
{
    struct scope *scope = find(scopes, name);

    if (scope) {
        scope->actions |= bits;
        return 0;
    }
    if (scopes->count == SCOPES_MAX || scopes->text_size + name.size > SCOPES_TEXT_MAX)
        return -E2BIG;
    if (!scopes->items)
        scopes->items = calloc(SCOPES_MAX, sizeof(*scopes->items));
    if (!scopes->items)
        return -ENOMEM;
    scope = &scopes->items[scopes->count];
    scope->name = strndup(name.text, name.size);
    if (!scope->name)
        return -ENOMEM;
    scope->actions = bits;
    scopes->text_size += name.size;
    scopes->count++;
    return 0;
}

static unsigned parse_action(struct piece word)
{
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        if (is_text(word, actions[i].name))
            return actions[i].action;
    return is_text(word, "*") ? (unsigned)ALL_ACTIONS : 0;
}

static unsigned parse_actions(struct piece list)
{
    unsigned bits = 0;

    while (list.size > 0) {
        const char *comma = memchr(list.text, ',', list.size);
        size_t size = comma ? (size_t)(comma - list.text) : list.size;

        bits |= parse_action((struct piece){list.text, size});
        size += comma ? 1 : 0;
        list = (struct piece){list.text + size, list.size - size};
    }
    return bits;
}

/*
 * Splits "type:name:actions"; the name may contain colons. Returns false if the text has another
 * form.
 */
static bool split(struct piece text, struct piece *ret_type, struct piece *ret_name,
                  struct piece *ret_actions)
{
    const char *first = memchr(text.text, ':', text.size),
               *last = memrchr(text.text, ':', text.size);
    const char *end = text.text + text.size;

    if (!first || first == last)
        return false;
    *ret_type = (struct piece){text.text, (size_t)(first - text.text)};
    *ret_name = (struct piece){first + 1, (size_t)(last - first - 1)};
    *ret_actions = (struct piece){last + 1, (size_t)(end - last - 1)};
    return true;
}

static int add_one(struct scopes *scopes, struct piece text)
{
    struct piece type, name, list;

    if (!split(text, &type, &name, &list))
        return 0;
    if (is_text(type, registry_type) && is_text(name, catalog) && is_text(list, "*"))
        scopes->has_catalog = true;
    if (is_text(type, repository_type) && name_is_repository(name.text, name.size))
        return add_repository(scopes, name, parse_actions(list));
    return 0;
}

int scopes_add(struct scopes *scopes, const char *text)
{
    int r = 0;

    while (r == 0 && *text) {
        size_t size = strcspn(text, " ");

        r = add_one(scopes, (struct piece){text, size});
        text += size + strspn(text + size, " ");
    }
    return r;
}

/* --- claims ---------------------------------------------------------------------------------- */

/* A claim that is being formatted. */
struct claim {
    char *text;
    size_t size, used;
};

static PRINTF_LIKE(2, 3) void claim_add(struct claim *claim, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    claim->used +=
        (size_t)vsnprintf(claim->text + claim->used, claim->size - claim->used, format, arguments);
    va_end(arguments);
}

static void claim_add_actions(struct claim *claim, unsigned bits)
{
    const char *separator = "";

    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (!(bits & actions[i].action))
            continue;
        claim_add(claim, "%s\"%s\"", separator, actions[i].name);
        separator = ",";
    }
}

/* Names need no escapes, and the rest of an entry takes less than ENTRY_SIZE. */
char *scopes_format(const struct scopes *scopes)
{
    struct claim claim = {.size = scopes->text_size + (scopes->count + 2) * ENTRY_SIZE};

    claim.text = malloc(claim.size);
    if (!claim.text)
        return NULL;
    claim_add(&claim, "[");
    for (size_t i = 0; i < scopes->count; i++) {
        claim_add(&claim, "%s{\"type\":\"%s\",\"name\":\"%s\",\"actions\":[", i ? "," : "",
                  repository_type, scopes->items[i].name);
        claim_add_actions(&claim, scopes->items[i].actions);
        claim_add(&claim, "]}");
    }
    if (scopes->has_catalog)
        claim_add(&claim, "%s{\"type\":\"%s\",\"name\":\"%s\",\"actions\":[\"*\"]}",
                  scopes->count ? "," : "", registry_type, catalog);
    claim_add(&claim, "]");
    return claim.text;
}

static int parse_entry(const struct json *entry, struct scopes *scopes)
{
    const char *type = json_get_text(json_find(entry, "type")),
               *name = json_get_text(json_find(entry, "name"));
    const struct json *list = json_find(entry, "actions");
    unsigned bits = 0;

    if (!type || !name || !list || json_get_type(list) != JSON_ARRAY)
        return -EBADMSG;
    for (const struct json *action = json_get_first(list); action; action = json_get_next(action)) {
        const char *text = json_get_text(action);

        if (!text)
            return -EBADMSG;
        if (strcmp(type, registry_type) == 0 && strcmp(name, catalog) == 0 &&
            strcmp(text, "*") == 0)
            scopes->has_catalog = true;
        bits |= parse_action((struct piece){text, strlen(text)});
    }
    if (strcmp(type, repository_type) == 0 && name_is_repository(name, strlen(name)))
        return add_repository(scopes, (struct piece){name, strlen(name)}, bits);
    return 0;
}

int scopes_parse_claim(const struct json *claim, struct scopes *scopes)
{
    int r = 0;

    if (!claim || json_get_type(claim) != JSON_ARRAY)
        return -EBADMSG;
    for (const struct json *entry = json_get_first(claim); r == 0 && entry;
         entry = json_get_next(entry))
        r = parse_entry(entry, scopes);
    return r;
}

void scopes_done(struct scopes *scopes)
{
    for (size_t i = 0; i < scopes->count; i++)
        free(scopes->items[i].name);
    free(scopes->items);
    *scopes = (struct scopes){0};
}
