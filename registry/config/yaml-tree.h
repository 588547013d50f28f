#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"

/*
 * A YAML text as a tree in which every node has one owner, and the meaning of its scalars in
 * registry:2 (yaml.v2: YAML 1.1's words for booleans and null, Go's integers). All text is wiped
 * when it is freed, because some of it is secret. Any thread may call these functions; a tree is
 * used by one thread at a time.
 */

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_tree {
    enum yaml_kind kind;
    const char *source; /* borrowed: the file's name, or the variable's */
    unsigned line; /* from 1; 0: the node comes from a variable */
    unsigned column;

    char *text;    /* a scalar's, with a NUL that size does not count */
    size_t size;
    bool is_plain; /* not quoted, so that it may be something else than a string */

    /* a mapping's, in the order of the file; a sequence's, without names */
    struct yaml_member *members;
    size_t count;
};

struct yaml_member {
    char *name; /* NULL in a sequence */
    unsigned line;
    struct yaml_tree *value; /* never NULL */
};

/* How much more may be allocated. An alias of six bytes can copy a large tree. */
struct yaml_budget {
    size_t nodes, text;
};

/*
 * Create a node at a place (its source, line and column). Return 0 with *ret (free with
 * yaml_tree_free()), -E2BIG if the budget is exceeded, or -ENOMEM. budget may be NULL: no limit.
 */
int yaml_tree_new(enum yaml_kind kind, const struct yaml_tree *place, struct yaml_budget *budget,
                  struct yaml_tree **ret) MUST_USE;
int yaml_tree_new_scalar(const void *text, size_t size, bool is_plain,
                         const struct yaml_tree *place, struct yaml_budget *budget,
                         struct yaml_tree **ret) MUST_USE;
int yaml_tree_copy(const struct yaml_tree *from, struct yaml_budget *budget,
                   struct yaml_tree **ret) MUST_USE;

/* Wipes and frees; accepts NULL. */
void yaml_tree_free(struct yaml_tree *tree);
void yaml_tree_freep(struct yaml_tree **tree);

/*
 * Adds at the end; name is NULL in a sequence. Takes ownership of value on success. 0 or -ENOMEM.
 */
int yaml_tree_add(struct yaml_tree *tree, const char *name, unsigned line,
                  struct yaml_tree *value) MUST_USE;

/* Sets a member of a mapping and frees its previous value; otherwise like yaml_tree_add(). */
int yaml_tree_set(struct yaml_tree *mapping, const char *name, struct yaml_tree *value) MUST_USE;

/* Copies the members of from that to does not have; both are mappings. 0, -E2BIG or -ENOMEM. */
int yaml_tree_merge(struct yaml_tree *to, const struct yaml_tree *from,
                    struct yaml_budget *budget) MUST_USE;

/* The member of a mapping, or NULL; also NULL for NULL and other kinds of nodes. */
struct yaml_tree *yaml_tree_find(const struct yaml_tree *tree, const char *name);

/* The meaning of a scalar. A NULL pointer counts as null, too. */
bool yaml_tree_is_null(const struct yaml_tree *tree);
int yaml_tree_get_bool(const struct yaml_tree *tree, bool *ret);       /* 0 or -EINVAL */
int yaml_tree_get_integer(const struct yaml_tree *tree, int64_t *ret); /* 0 or -EINVAL */

/* Wipes the text of a scalar, which becomes a null. */
void yaml_tree_forget(struct yaml_tree *scalar);
