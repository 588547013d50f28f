/*
 * The tree of nodes and the meaning of its scalars. The parser is another file, the only one that
 * includes libyaml.
 */
#include "registry/config/yaml-tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void wipe_text(char *text, size_t size)
{
    if (text)
        explicit_bzero(text, size);
    free(text);
}

void yaml_tree_free(struct yaml_tree *tree)
{
    if (!tree)
        return;
    wipe_text(tree->text, tree->size);
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->members[i].name);
        yaml_tree_free(tree->members[i].value);
    }
    free(tree->members);
    free(tree);
}

void yaml_tree_freep(struct yaml_tree **tree)
{
    yaml_tree_free(*tree);
}

void yaml_tree_forget(struct yaml_tree *scalar)
{
    explicit_bzero(scalar->text, scalar->size);
    scalar->size = 0;
    scalar->is_plain = true;
}

static int spend(struct yaml_budget *budget, size_t nodes, size_t text)
{
    if (!budget)
        return 0;
    if (budget->nodes < nodes || budget->text < text)
        return -E2BIG;
    budget->nodes -= nodes;
    budget->text -= text;
    return 0;
}

int yaml_tree_new(enum yaml_kind kind, const struct yaml_tree *place, struct yaml_budget *budget,
                  struct yaml_tree **ret)
{
    struct yaml_tree *tree;
    int r = spend(budget, 1, 0);

    if (r < 0)
        return r;
    tree = calloc(1, sizeof(*tree));
    if (!tree)
        return -ENOMEM;
    tree->kind = kind;
    tree->source = place->source;
    tree->line = place->line;
    tree->column = place->column;
    *ret = tree;
    return 0;
}

int yaml_tree_new_scalar(const void *text, size_t size, bool is_plain,
                         const struct yaml_tree *place, struct yaml_budget *budget,
                         struct yaml_tree **ret)
{
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = NULL;
    int r = spend(budget, 0, size);

    if (r == 0)
        r = yaml_tree_new(YAML_SCALAR, place, budget, &tree);
    if (r < 0)
        return r;
    tree->text = malloc(size + 1);
    if (!tree->text)
        return -ENOMEM;
    if (size)
        memcpy(tree->text, text, size);
    tree->text[size] = '\0';
    tree->size = size;
    tree->is_plain = is_plain;
    *ret = steal_ptr(&tree);
    return 0;
}

int yaml_tree_add(struct yaml_tree *tree, const char *name, unsigned line, struct yaml_tree *value)
{
    CLEANUP_FREE char *copy = name ? strdup(name) : NULL;
    struct yaml_member *larger;

    if (name && !copy)
        return -ENOMEM;
    larger = reallocarray(tree->members, tree->count + 1, sizeof(*larger));
    if (!larger)
        return -ENOMEM;
    tree->members = larger;
    larger[tree->count++] =
        (struct yaml_member){.name = steal_ptr(&copy), .line = line, .value = value};
    return 0;
}

static struct yaml_member *find_member(const struct yaml_tree *tree, const char *name)
{
    if (!tree || tree->kind != YAML_MAPPING)
        return NULL;
    for (size_t i = 0; i < tree->count; i++)
        if (strcmp(tree->members[i].name, name) == 0)
            return &tree->members[i];
    return NULL;
}

struct yaml_tree *yaml_tree_find(const struct yaml_tree *tree, const char *name)
{
    const struct yaml_member *member = find_member(tree, name);

    return member ? member->value : NULL;
}

int yaml_tree_set(struct yaml_tree *mapping, const char *name, struct yaml_tree *value)
{
    struct yaml_member *member = find_member(mapping, name);

    if (!member)
        return yaml_tree_add(mapping, name, value->line, value);
    yaml_tree_free(member->value);
    member->value = value;
    member->line = value->line;
    return 0;
}

static int copy_member(const struct yaml_member *from, struct yaml_budget *budget,
                       struct yaml_tree *to)
{
    CLEANUP(yaml_tree_freep) struct yaml_tree *value = NULL;
    int r = spend(budget, 0, from->name ? strlen(from->name) : 0);

    if (r == 0)
        r = yaml_tree_copy(from->value, budget, &value);
    if (r == 0)
        r = yaml_tree_add(to, from->name, from->line, value);
    if (r == 0)
        steal_ptr(&value);
    return r;
}

int yaml_tree_copy(const struct yaml_tree *from, struct yaml_budget *budget, struct yaml_tree **ret)
{
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = NULL;
    int r;

    if (from->kind == YAML_SCALAR)
        return yaml_tree_new_scalar(from->text, from->size, from->is_plain, from, budget, ret);
    r = yaml_tree_new(from->kind, from, budget, &tree);
    for (size_t i = 0; r == 0 && i < from->count; i++)
        r = copy_member(&from->members[i], budget, tree);
    if (r == 0)
        *ret = steal_ptr(&tree);
    return r;
}

int yaml_tree_merge(struct yaml_tree *to, const struct yaml_tree *from, struct yaml_budget *budget)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < from->count; i++)
        if (!yaml_tree_find(to, from->members[i].name))
            r = copy_member(&from->members[i], budget, to);
    return r;
}

static bool is_word(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

bool yaml_tree_is_null(const struct yaml_tree *tree)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};

    return !tree || (tree->kind == YAML_SCALAR && tree->is_plain && is_word(tree->text, words));
}

int yaml_tree_get_bool(const struct yaml_tree *tree, bool *ret)
{
    static const char *const yes[] = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                      "True", "TRUE", "on",  "On",  "ON",  NULL};
    static const char *const no[] = {"n",     "N",     "no",  "No",  "NO",  "false",
                                     "False", "FALSE", "off", "Off", "OFF", NULL};

    if (tree->kind != YAML_SCALAR || !tree->is_plain)
        return -EINVAL;
    if (!is_word(tree->text, yes) && !is_word(tree->text, no))
        return -EINVAL;
    *ret = is_word(tree->text, yes);
    return 0;
}

/*
 * Reads the base prefix after the sign, as Go's strconv.ParseInt(text, 0, 64): 10, 0x1f, 0b11,
 * 0o17, 017.
 */
static int read_base(const char **digits)
{
    static const struct { const char *prefix; int base; } bases[] = {
        {"0x", 16}, {"0X", 16}, {"0b", 2}, {"0B", 2}, {"0o", 8}, {"0O", 8},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
        if (strncmp(*digits, bases[i].prefix, 2) != 0)
            continue;
        *digits += 2;
        return bases[i].base;
    }
    return **digits == '0' && (*digits)[1] ? 8 : 10;
}

/* Removes underscores: "1_000" is 1000. */
static int copy_digits(const char *text, char *ret_digits, size_t room)
{
    size_t used = 0;

    for (; *text; text++) {
        if (*text == '_')
            continue;
        if (!strchr("0123456789abcdefABCDEF", *text) || used + 1 >= room)
            return -EINVAL;
        ret_digits[used++] = *text;
    }
    ret_digits[used] = '\0';
    return used ? 0 : -EINVAL;
}

int yaml_tree_get_integer(const struct yaml_tree *tree, int64_t *ret)
{
    char digits[80], *end;
    const char *text = tree->text;
    bool is_negative;
    unsigned long long value;
    int base;

    if (tree->kind != YAML_SCALAR || !tree->is_plain)
        return -EINVAL;
    is_negative = *text == '-';
    text += *text == '-' || *text == '+';
    base = read_base(&text);
    if (*text == '_' || copy_digits(text, digits, sizeof(digits)) < 0)
        return -EINVAL;
    errno = 0;
    value = strtoull(digits, &end, base);
    if (*end || errno || value > INT64_MAX)
        return -EINVAL;
    *ret = is_negative ? -(int64_t)value : (int64_t)value;
    return 0;
}
