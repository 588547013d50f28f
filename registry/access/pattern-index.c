/*
 * A tree of components. Each node has its children sorted: literal ones first, then those with a
 * '*' ("globs"), then "**". Literal children are found by binary search. A glob is found by its
 * head, the text before the first '*', and by its tail, the text after the last one: a component
 * that matches begins with the head and ends with the tail. Globs are sorted by head, and those
 * with the same head by tail, compared from its end.
 *
 * A "**" at the end of a pattern matches one component or more, so it is stored as "*" followed by
 * "**". A "**" in the tree matches zero or more components.
 */
#include "registry/access/pattern-index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/access/pattern.h"

enum {
    COMPONENTS_MAX = PATTERN_SIZE_MAX / 2 + 1,
    GLOBS_TRIED_ALL = 3, /* up to this number, trying each one is faster than searching */
};

/* The kinds have the same order as the children. */
enum component_kind { COMPONENT_END, COMPONENT_LITERAL, COMPONENT_GLOB, COMPONENT_DEEP };

struct node {
    const char *text;          /* of the component, NUL-terminated, in index->keys */
    size_t grant, grant_count; /* in index->grants */
    struct node *children;     /* in index->nodes */
    size_t literal_count, glob_count;
    bool has_deep; /* the last child */
};

struct pattern_index {
    char *keys;
    struct pattern_grant *grants;
    struct node *nodes; /* the first is the root */
    size_t node_count;
};

/* --- building --------------------------------------------------------------------------- */

/*
 * A pattern in the form whose order is that of the tree: kind, text and NUL for each component,
 * then COMPONENT_END.
 */
struct key {
    const char *at;
    struct pattern_grant grant;
};

static char *add_component(char *to, enum component_kind kind, struct pattern_component component)
{
    *to++ = (char)kind;
    to = mempcpy(to, component.text, component.size);
    *to++ = '\0';
    return to;
}

static enum component_kind kind_of(struct pattern_component component)
{
    if (pattern_is_deep(component))
        return COMPONENT_DEEP;
    return memchr(component.text, '*', component.size) ? COMPONENT_GLOB : COMPONENT_LITERAL;
}

/* Returns the end of the key; *nodes counts the components. */
static char *add_key(char *to, const struct pattern_entry *entry, size_t *nodes)
{
    const char *at = entry->pattern, *end = at + entry->size;
    struct pattern_component component;

    while (pattern_next_component(&at, end, &component)) {
        if (pattern_is_deep(component) && !at) {
            to = add_component(to, COMPONENT_GLOB, (struct pattern_component){"*", 1});
            (*nodes)++;
        }
        to = add_component(to, kind_of(component), component);
        (*nodes)++;
    }
    *to++ = COMPONENT_END;
    return to;
}

/*
 * Returns an upper bound for the size of an entry's key: two extra bytes for each component, "*"
 * before a final "**", and the end.
 */
static size_t key_size_max(const struct pattern_entry *entry)
{
    size_t components = 1;

    for (size_t i = 0; i < entry->size; i++)
        components += entry->pattern[i] == '/' ? 1 : 0;
    return entry->size + 2 * components + 3 + 1;
}

/* glob is the text of a glob, or its key: the first byte of the key is the same for all globs. */
static struct pattern_component head_of(const char *glob)
{
    return (struct pattern_component){glob, (size_t)(strchr(glob, '*') - glob)};
}

static struct pattern_component tail_of(const char *glob)
{
    const char *tail = strrchr(glob, '*') + 1;

    return (struct pattern_component){tail, strlen(tail)};
}

static int compare_sizes(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

/* Returns like strcmp(). */
static int compare_heads(struct pattern_component a, struct pattern_component b)
{
    int order = memcmp(a.text, b.text, a.size < b.size ? a.size : b.size);

    return order ? order : compare_sizes(a.size, b.size);
}

/* Returns like strcmp(), but compares from the last character to the first. */
static int compare_tails(struct pattern_component a, struct pattern_component b)
{
    for (size_t i = 1; i <= a.size && i <= b.size; i++)
        if (a.text[a.size - i] != b.text[b.size - i])
            return (unsigned char)a.text[a.size - i] < (unsigned char)b.text[b.size - i] ? -1 : 1;
    return compare_sizes(a.size, b.size);
}

static int compare_globs(const char *a, const char *b)
{
    int order = compare_heads(head_of(a), head_of(b));

    if (order == 0)
        order = compare_tails(tail_of(a), tail_of(b));
    return order ? order : strcmp(a, b);
}

static int compare_paths(const char *a, const char *b)
{
    while (*a == *b && *a != COMPONENT_END) {
        size_t size = strlen(a);
        int order = *a == COMPONENT_GLOB ? compare_globs(a, b) : strcmp(a, b);

        if (order)
            return order;
        a += size + 1;
        b += size + 1;
    }
    return (*a > *b) - (*a < *b);
}

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left, *b = right;
    int order = compare_paths(a->at, b->at);

    if (order)
        return order;
    if (a->grant.principal != b->grant.principal)
        return a->grant.principal < b->grant.principal ? -1 : 1;
    return (a->grant.line > b->grant.line) - (a->grant.line < b->grant.line);
}

static void count_child(struct node *node, enum component_kind kind)
{
    if (kind == COMPONENT_LITERAL)
        node->literal_count++;
    else if (kind == COMPONENT_GLOB)
        node->glob_count++;
    else
        node->has_deep = true;
}

static size_t child_count(const struct node *node)
{
    return node->literal_count + node->glob_count + (node->has_deep ? 1 : 0);
}

/* Finds the end of the keys that share the first key's next component. */
static size_t find_group_end(const struct key *keys, size_t first, size_t end)
{
    size_t i = first + 1;

    while (i < end && strcmp(keys[i].at, keys[first].at) == 0)
        i++;
    return i;
}

/*
 * Fills node from keys[first] to keys[end - 1], which start with the node's path. Moves each key's
 * `at` behind the next component.
 */
static void build_node(struct pattern_index *index, struct node *node, struct key *keys,
                       size_t first, size_t end)
{
    size_t at = first;
    struct node *child;

    node->grant = first;
    while (at < end && *keys[at].at == COMPONENT_END)
        at++;
    node->grant_count = at - first;
    first = at;
    for (; at < end; at = find_group_end(keys, at, end))
        count_child(node, (enum component_kind) * keys[at].at);
    child = node->children = &index->nodes[index->node_count];
    index->node_count += child_count(node);
    for (at = first; at < end; child++) {
        size_t group_end = find_group_end(keys, at, end);
        size_t used = strlen(keys[at].at) + 1;

        child->text = keys[at].at + 1;
        for (size_t i = at; i < group_end; i++)
            keys[i].at += used;
        build_node(index, child, keys, at, group_end);
        at = group_end;
    }
}

static void fill_keys(char *text, const struct pattern_entry *entries, size_t count,
                      struct key *ret_keys, size_t *ret_nodes)
{
    *ret_nodes = 1;
    for (size_t i = 0; i < count; i++) {
        ret_keys[i] = (struct key){text, entries[i].grant};
        text = add_key(text, &entries[i], ret_nodes);
    }
    if (count > 1)
        qsort(ret_keys, count, sizeof(*ret_keys), compare_keys);
}

static void free_indexp(struct pattern_index **index)
{
    pattern_index_free(*index);
}

int pattern_index_new(const struct pattern_entry *entries, size_t count, struct pattern_index **ret)
{
    CLEANUP(free_indexp) struct pattern_index *index = calloc(1, sizeof(*index));
    CLEANUP_FREE struct key *keys = calloc(count + 1, sizeof(*keys));
    size_t size = 1, nodes;

    for (size_t i = 0; i < count; i++)
        size += key_size_max(&entries[i]);
    if (!index || !keys)
        return -ENOMEM;
    index->keys = malloc(size);
    index->grants = calloc(count + 1, sizeof(*index->grants));
    if (!index->keys || !index->grants)
        return -ENOMEM;
    fill_keys(index->keys, entries, count, keys, &nodes);
    index->nodes = calloc(nodes, sizeof(*index->nodes));
    if (!index->nodes)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        index->grants[i] = keys[i].grant;
    index->node_count = 1;
    build_node(index, index->nodes, keys, 0, count);
    *ret = steal_ptr(&index);
    return 0;
}

void pattern_index_free(struct pattern_index *index)
{
    if (!index)
        return;
    free(index->keys);
    free(index->grants);
    free(index->nodes);
    free(index);
}

/* --- searching -------------------------------------------------------------------------- */

struct search {
    const struct pattern_index *index;
    struct pattern_component name[COMPONENTS_MAX];
    size_t size; /* the number of components */
    pattern_visitor *visit;
    void *context;
};

/* The search functions return true if the visitor has ended the search. */
static bool search_below(const struct search *search, const struct node *node, size_t depth);

static bool give_grants(const struct search *search, const struct node *node)
{
    return node->grant_count > 0 &&
           search->visit(search->context, search->index->grants + node->grant, node->grant_count);
}

/* Compares a node's text with the first size bytes of a component, as strcmp() does. */
static int compare_text(const char *text, const char *with, size_t size)
{
    int order = strncmp(text, with, size);

    return order ? order : text[size] != '\0';
}

static bool search_literal(const struct search *search, const struct node *node, size_t depth)
{
    struct pattern_component wanted = search->name[depth];
    size_t low = 0, high = node->literal_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_text(node->children[middle].text, wanted.text, wanted.size);

        if (order == 0)
            return search_below(search, &node->children[middle], depth + 1);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool glob_matches(const struct node *glob, struct pattern_component component)
{
    return pattern_matches_component(glob->text, component.text, component.size);
}

static bool try_globs(const struct search *search, const struct node *globs, size_t count,
                      size_t depth)
{
    for (size_t i = 0; i < count; i++)
        if (glob_matches(&globs[i], search->name[depth]) &&
            search_below(search, &globs[i], depth + 1))
            return true;
    return false;
}

typedef int glob_order(const char *glob, struct pattern_component with);

static int order_by_head(const char *glob, struct pattern_component with)
{
    return compare_heads(head_of(glob), with);
}

static int order_by_tail(const char *glob, struct pattern_component with)
{
    return compare_tails(tail_of(glob), with);
}

/* Returns how many globs sort before `with`, or are equal to it if is_inclusive is set. */
static size_t count_before(const struct node *globs, size_t count, glob_order *order,
                           struct pattern_component with, bool is_inclusive)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int r = order(globs[middle].text, with);

        if (r < 0 || (r == 0 && is_inclusive))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Moves *globs to the first glob that is equal to `with`. Returns how many are equal. */
static size_t find_equal(const struct node **globs, size_t count, glob_order *order,
                         struct pattern_component with)
{
    size_t first = count_before(*globs, count, order, with, false);

    *globs += first;
    return count_before(*globs, count - first, order, with, true);
}

/* Tries globs whose head matches and has head_size bytes. */
static bool search_tails(const struct search *search, const struct node *globs, size_t count,
                         size_t head_size, size_t depth)
{
    struct pattern_component wanted = search->name[depth];

    if (count <= GLOBS_TRIED_ALL)
        return try_globs(search, globs, count, depth);
    for (size_t size = 0; size <= wanted.size - head_size; size++) {
        const struct node *found = globs;
        size_t found_count =
            find_equal(&found, count, order_by_tail,
                       (struct pattern_component){wanted.text + wanted.size - size, size});

        if (try_globs(search, found, found_count, depth))
            return true;
    }
    return false;
}

static bool search_globs(const struct search *search, const struct node *node, size_t depth)
{
    const struct node *globs = node->children + node->literal_count;
    struct pattern_component wanted = search->name[depth];

    if (node->glob_count <= GLOBS_TRIED_ALL)
        return try_globs(search, globs, node->glob_count, depth);
    for (size_t size = 0; size <= wanted.size; size++) {
        const struct node *found = globs;
        size_t count = find_equal(&found, node->glob_count, order_by_head,
                                  (struct pattern_component){wanted.text, size});

        if (search_tails(search, found, count, size, depth))
            return true;
    }
    return false;
}

static bool search_deep(const struct search *search, const struct node *node, size_t depth)
{
    const struct node *deep = node->children + child_count(node) - 1;

    if (!node->has_deep)
        return false;
    for (size_t next = depth; next <= search->size; next++)
        if (search_below(search, deep, next))
            return true;
    return false;
}

static bool search_below(const struct search *search, const struct node *node, size_t depth)
{
    if (depth == search->size)
        return give_grants(search, node) || search_deep(search, node, depth);
    return search_literal(search, node, depth) || search_globs(search, node, depth) ||
           search_deep(search, node, depth);
}

void pattern_index_visit(const struct pattern_index *index, const char *name,
                         pattern_visitor *visit, void *context)
{
    struct search search = {.index = index, .visit = visit, .context = context};
    const char *at = name, *end = name + strlen(name);

    while (search.size < COMPONENTS_MAX &&
           pattern_next_component(&at, end, &search.name[search.size]))
        search.size++;
    if (!at) /* otherwise the name is too long to be valid */
        search_below(&search, index->nodes, 0);
}
