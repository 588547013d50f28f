/*
 * Builds a tree from libyaml's events. The depth is bounded, because the parser recurses. The
 * number of values and bytes is bounded, because a few lines of aliases of aliases can expand to
 * more than fits into memory.
 */
#include "registry/config/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <yaml.h>

/* An anchor names a complete node. If a name is used twice, the last node counts. */
struct anchor {
    char *name;
    const struct yaml_tree *tree; /* borrowed from the result, or from kept */
};

struct parser {
    yaml_parser_t yaml;
    struct yaml_tree *kept; /* the values of merge keys, which may have anchors */
    const char *source;
    enum yaml_origin origin;
    struct error *err;
    struct anchor *anchors;
    size_t anchor_count;
    struct yaml_budget budget;
};

static void wipe(void *from, const void *to)
{
    if (from)
        explicit_bzero(from, (size_t)((const char *)to - (const char *)from));
}

static void parser_done(struct parser *parser)
{
    for (size_t i = 0; i < parser->anchor_count; i++)
        free(parser->anchors[i].name);
    free(parser->anchors);
    yaml_tree_free(parser->kept);
    /* libyaml frees its buffers without wiping them, although they may contain secrets. */
    wipe(parser->yaml.buffer.start, parser->yaml.buffer.end);
    wipe(parser->yaml.raw_buffer.start, parser->yaml.raw_buffer.end);
    yaml_parser_delete(&parser->yaml);
}

static void event_done(yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        explicit_bzero(event->data.scalar.value, event->data.scalar.length);
    yaml_event_delete(event);
}

static int refuse(struct parser *parser, const yaml_mark_t *mark, const char *format, ...)
    PRINTF_LIKE(3, 4);

static int refuse(struct parser *parser, const yaml_mark_t *mark, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (parser->origin == YAML_FILE)
        return error_set(parser->err, EINVAL, "%s:%zu: %s", parser->source, mark->line + 1, text);
    return error_set(parser->err, EINVAL, "%s: %s", parser->source, text);
}

/*
 * libyaml's messages do not quote the text, which may be secret. The advice is for values such as
 * [::1]:5000, which need quotes in YAML.
 */
static int refuse_syntax(struct parser *parser)
{
    const char *problem = parser->yaml.problem ? parser->yaml.problem : "it cannot be read";
    bool has_place =
        parser->yaml.error == YAML_SCANNER_ERROR || parser->yaml.error == YAML_PARSER_ERROR;
    const yaml_mark_t *mark = has_place ? &parser->yaml.problem_mark : &parser->yaml.mark;

    if (parser->yaml.error == YAML_MEMORY_ERROR)
        return error_set_oom(parser->err);
    return refuse(parser, mark, "invalid YAML (%s)%s", problem,
                  parser->origin == YAML_FILE ? "" : "; put the value in quotes if it is plain text");
}

static int refuse_tag(struct parser *parser, const yaml_mark_t *mark)
{
    return refuse(
        parser, mark,
        "unsupported tag (!): it must fit the value and be one of !!str, !!bool, !!int, !!float, "
        "!!null, !!seq, !!map");
}

/* Turns an error code of the yaml_tree functions into an error text. */
static int forward(struct parser *parser, const yaml_mark_t *mark, int r)
{
    if (r == -E2BIG)
        return refuse(parser, mark,
                      "too large: more than %d values or %d bytes, including those of aliases",
                      YAML_NODES_MAX, YAML_TEXT_MAX);
    return r < 0 ? error_set_oom(parser->err) : 0;
}

static struct yaml_tree place_of(const struct parser *parser, const yaml_mark_t *mark)
{
    struct yaml_tree place = {.source = parser->source};

    if (parser->origin == YAML_FILE) {
        place.line = (unsigned)mark->line + 1;
        place.column = (unsigned)mark->column + 1;
    }
    return place;
}

static int next_event(struct parser *parser, yaml_event_t *ret)
{
    return yaml_parser_parse(&parser->yaml, ret) ? 0 : refuse_syntax(parser);
}

static int remember_anchor(struct parser *parser, const yaml_char_t *name,
                           const struct yaml_tree *tree)
{
    CLEANUP_FREE char *copy = name ? strdup((const char *)name) : NULL;
    struct anchor *larger;

    if (!name)
        return 0;
    larger = copy ? reallocarray(parser->anchors, parser->anchor_count + 1, sizeof(*larger)) : NULL;
    if (!larger)
        return error_set_oom(parser->err);
    parser->anchors = larger;
    larger[parser->anchor_count++] = (struct anchor){.name = steal_ptr(&copy), .tree = tree};
    return 0;
}

static int parse_alias(struct parser *parser, const yaml_event_t *event, struct yaml_tree **ret)
{
    const char *name = (const char *)event->data.alias.anchor;

    for (size_t i = parser->anchor_count; i-- > 0;)
        if (strcmp(parser->anchors[i].name, name) == 0)
            return forward(parser, &event->start_mark,
                           yaml_tree_copy(parser->anchors[i].tree, &parser->budget, ret));
    return refuse(parser, &event->start_mark,
                  "unknown alias (*): no anchor (&) of this name comes before it");
}

static bool is_string_tag(const yaml_char_t *tag)
{
    return strcmp((const char *)tag, YAML_STR_TAG) == 0 || strcmp((const char *)tag, "!") == 0;
}

static bool is_known_tag(const yaml_char_t *tag, enum yaml_kind kind)
{
    static const struct { const char *tag; enum yaml_kind kind; } known[] = {
        {YAML_STR_TAG, YAML_SCALAR}, {YAML_BOOL_TAG, YAML_SCALAR}, {YAML_INT_TAG, YAML_SCALAR},
        {YAML_FLOAT_TAG, YAML_SCALAR}, {YAML_NULL_TAG, YAML_SCALAR}, {"!", YAML_SCALAR},
        {YAML_SEQ_TAG, YAML_SEQUENCE}, {YAML_MAP_TAG, YAML_MAPPING},
    };

    if (!tag)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (kind == known[i].kind && strcmp((const char *)tag, known[i].tag) == 0)
            return true;
    return false;
}

static int parse_scalar(struct parser *parser, const yaml_event_t *event, struct yaml_tree **ret)
{
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = NULL;
    const struct yaml_tree place = place_of(parser, &event->start_mark);
    const yaml_char_t *tag = event->data.scalar.tag;
    bool is_plain = tag ? !is_string_tag(tag) : event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    int r;

    if (!is_known_tag(tag, YAML_SCALAR))
        return refuse_tag(parser, &event->start_mark);
    r = forward(parser, &event->start_mark,
                yaml_tree_new_scalar(event->data.scalar.value, event->data.scalar.length, is_plain,
                                     &place, &parser->budget, &tree));
    if (r == 0)
        r = remember_anchor(parser, event->data.scalar.anchor, tree);
    if (r == 0)
        *ret = steal_ptr(&tree);
    return r;
}

static int parse_node(struct parser *parser, const yaml_event_t *event, unsigned depth,
                      struct yaml_tree **ret);

static int parse_items(struct parser *parser, unsigned depth, struct yaml_tree *sequence)
{
    for (;;) {
        CLEANUP(yaml_tree_freep) struct yaml_tree *value = NULL;
        CLEANUP(event_done) yaml_event_t event = {0};
        int r = next_event(parser, &event);

        if (r < 0 || event.type == YAML_SEQUENCE_END_EVENT)
            return r;
        r = parse_node(parser, &event, depth, &value);
        if (r < 0)
            return r;
        if (yaml_tree_add(sequence, NULL, value->line, value) < 0)
            return error_set_oom(parser->err);
        steal_ptr(&value);
    }
}

/*
 * "<<: *a" or "<<: [*a, *b]" adds the members that the mapping does not have; the first one has
 * precedence.
 */
static int merge(struct parser *parser, const yaml_mark_t *mark, const struct yaml_tree *merged,
                 struct yaml_tree *to)
{
    int r = 0;

    if (merged->kind == YAML_MAPPING)
        return forward(parser, mark, yaml_tree_merge(to, merged, &parser->budget));
    for (size_t i = 0; r == 0 && i < merged->count; i++) {
        if (merged->members[i].value->kind != YAML_MAPPING)
            break;
        r = forward(parser, mark, yaml_tree_merge(to, merged->members[i].value, &parser->budget));
        if (r == 0 && i + 1 == merged->count)
            return 0;
    }
    return r < 0 ? r : refuse(parser, mark, "\"<<\" can merge only mappings");
}

static bool is_merge_key(const yaml_event_t *key)
{
    return key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           strcmp((const char *)key->data.scalar.value, "<<") == 0;
}

static int check_key(struct parser *parser, const yaml_event_t *key,
                     const struct yaml_tree *mapping)
{
    const char *name;

    if (key->type != YAML_SCALAR_EVENT)
        return refuse(parser, &key->start_mark,
                      "a key must be a single value, not a list or mapping");
    name = (const char *)key->data.scalar.value;
    if (!is_known_tag(key->data.scalar.tag, YAML_SCALAR))
        return refuse_tag(parser, &key->start_mark);
    if (strlen(name) != key->data.scalar.length)
        return refuse(parser, &key->start_mark, "a key must not contain a NUL");
    if (yaml_tree_find(mapping, name))
        return refuse(parser, &key->start_mark, "the key \"%s\" exists twice", name);
    if (parser->budget.text < key->data.scalar.length)
        return forward(parser, &key->start_mark, -E2BIG);
    parser->budget.text -= key->data.scalar.length;
    return 0;
}

static int parse_value(struct parser *parser, unsigned depth, struct yaml_tree **ret)
{
    CLEANUP(event_done) yaml_event_t event = {0};
    int r = next_event(parser, &event);

    return r < 0 ? r : parse_node(parser, &event, depth, ret);
}

/* The value of "<<" is applied at the end, because the mapping's own members have precedence. */
static int add_member(struct parser *parser, const yaml_event_t *key, struct yaml_tree *value,
                      struct yaml_tree *to, const struct yaml_tree **merged)
{
    bool is_merge = is_merge_key(key);
    int r;

    if (is_merge && *merged)
        return refuse(parser, &key->start_mark, "the key \"<<\" exists twice");
    r = yaml_tree_add(is_merge ? parser->kept : to,
                      is_merge ? NULL : (const char *)key->data.scalar.value,
                      parser->origin == YAML_FILE ? (unsigned)key->start_mark.line + 1 : 0, value);
    if (r < 0)
        return error_set_oom(parser->err);
    if (is_merge)
        *merged = value;
    return 0;
}

static int parse_members(struct parser *parser, unsigned depth, struct yaml_tree *mapping)
{
    const struct yaml_tree *merged = NULL;

    for (;;) {
        CLEANUP(yaml_tree_freep) struct yaml_tree *value = NULL;
        CLEANUP(event_done) yaml_event_t key = {0};
        int r = next_event(parser, &key);

        if (r < 0)
            return r;
        if (key.type == YAML_MAPPING_END_EVENT)
            return merged ? merge(parser, &key.start_mark, merged, mapping) : 0;
        r = check_key(parser, &key, mapping);
        if (r == 0)
            r = parse_value(parser, depth, &value);
        if (r == 0)
            r = add_member(parser, &key, value, mapping, &merged);
        if (r < 0)
            return r;
        steal_ptr(&value);
    }
}

static int parse_collection(struct parser *parser, const yaml_event_t *event, unsigned depth,
                            struct yaml_tree **ret)
{
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = NULL;
    const struct yaml_tree place = place_of(parser, &event->start_mark);
    bool is_mapping = event->type == YAML_MAPPING_START_EVENT;
    enum yaml_kind kind = is_mapping ? YAML_MAPPING : YAML_SEQUENCE;
    int r;

    if (depth >= YAML_DEPTH_MAX)
        return refuse(parser, &event->start_mark, "nested more than %d deep", YAML_DEPTH_MAX);
    if (!is_known_tag(is_mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag,
                      kind))
        return refuse_tag(parser, &event->start_mark);
    r = forward(parser, &event->start_mark, yaml_tree_new(kind, &place, &parser->budget, &tree));
    if (r == 0)
        r = is_mapping ? parse_members(parser, depth + 1, tree)
                       : parse_items(parser, depth + 1, tree);
    if (r == 0)
        r = remember_anchor(parser,
                            is_mapping ? event->data.mapping_start.anchor
                                       : event->data.sequence_start.anchor,
                            tree);
    if (r == 0)
        *ret = steal_ptr(&tree);
    return r;
}

static int parse_node(struct parser *parser, const yaml_event_t *event, unsigned depth,
                      struct yaml_tree **ret)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return parse_scalar(parser, event, ret);
    case YAML_ALIAS_EVENT:
        return parse_alias(parser, event, ret);
    default:
        return parse_collection(parser, event, depth, ret);
    }
}

/* Reads events up to the first one that is not of the type skipped, and returns that one. */
static int skip_events(struct parser *parser, yaml_event_type_t skipped, yaml_event_t *ret)
{
    for (;;) {
        CLEANUP(event_done) yaml_event_t event = {0};
        int r = next_event(parser, &event);

        if (r < 0)
            return r;
        if (event.type == skipped)
            continue;
        *ret = event;
        event = (yaml_event_t){0};
        return 0;
    }
}

static int parse_document(struct parser *parser, struct yaml_tree **ret)
{
    const struct yaml_tree start = place_of(parser, &(yaml_mark_t){0});
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = NULL;
    CLEANUP(event_done) yaml_event_t first = {0}, end = {0};
    int r = skip_events(parser, YAML_STREAM_START_EVENT, &first);

    if (r == 0 && first.type == YAML_STREAM_END_EVENT)
        return forward(parser, &first.start_mark,
                       yaml_tree_new_scalar("", 0, true, &start, &parser->budget, ret));
    if (r == 0)
        r = parse_value(parser, 0, &tree);
    if (r == 0)
        r = skip_events(parser, YAML_DOCUMENT_END_EVENT, &end);
    if (r < 0)
        return r;
    if (end.type != YAML_STREAM_END_EVENT)
        return refuse(parser, &end.start_mark,
                      "a second document (---) is not supported; remove it");
    *ret = steal_ptr(&tree);
    return 0;
}

int yaml_parse(const char *source, enum yaml_origin origin, const void *text, size_t size,
               struct yaml_tree **ret, struct error *err)
{
    CLEANUP(parser_done) struct parser parser = {
        .source = source,
        .origin = origin,
        .err = err,
        .budget = {.nodes = YAML_NODES_MAX, .text = YAML_TEXT_MAX},
    };
    const struct yaml_tree place = {.source = source};

    if (size > YAML_SIZE_MAX)
        return error_set(err, EFBIG, "%s: more than %d bytes", source, YAML_SIZE_MAX);
    if (!yaml_parser_initialize(&parser.yaml) ||
        yaml_tree_new(YAML_SEQUENCE, &place, NULL, &parser.kept) < 0)
        return error_set_oom(err);
    yaml_parser_set_input_string(&parser.yaml, text, size);
    return parse_document(&parser, ret);
}
