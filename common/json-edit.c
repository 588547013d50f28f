/*
 * Edits a text in place, so that the rest of a file that somebody wrote by hand stays unchanged.
 * The text was validated before, so the scanner below only finds where values end.
 */
#include "common/json-edit.h"

#include <errno.h>
#include <string.h>

#include "common/json-quote.h"
#include "common/json.h"

enum { MOST_INDENT = 64 };

/* Parts of a text by their offsets; ends are exclusive. */
struct member {
    size_t name, name_end; /* with its quotes */
    size_t value, value_end;
};

/* --- scanning -------------------------------------------------------------------------------- */

static size_t skip_space(const struct secbuf *text, size_t at)
{
    while (at < text->size && memchr(" \t\r\n", text->data[at], 4))
        at++;
    return at;
}

/* at is an opening quote; returns the offset behind the closing one. */
static size_t skip_string(const struct secbuf *text, size_t at)
{
    for (at++; at < text->size && text->data[at] != '"'; at++)
        if (text->data[at] == '\\')
            at++;
    return at + 1;
}

static size_t skip_value(const struct secbuf *text, size_t at)
{
    size_t depth = 0;

    do {
        unsigned char c = text->data[at];

        if (c == '"') {
            at = skip_string(text, at);
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (c == '}' || c == ']') {
            depth--;
            at++;
        } else if (depth > 0) {
            at++;
        } else { /* a number or a word */
            while (at < text->size && !memchr(" \t\r\n,]}", text->data[at], 7))
                at++;
        }
    } while (depth > 0 && at < text->size);
    return at;
}

/* Finds the member at or after at, which is behind '{' or ','. False at the end of the object. */
static bool read_member(const struct secbuf *text, size_t at, struct member *ret)
{
    at = skip_space(text, at);
    if (at >= text->size || text->data[at] != '"')
        return false;
    ret->name = at;
    ret->name_end = skip_string(text, at);
    at = skip_space(text, ret->name_end);
    ret->value = skip_space(text, at + 1);
    ret->value_end = skip_value(text, ret->value);
    return true;
}

/* Finds the next member of the same object. False if there is none. */
static bool read_next(const struct secbuf *text, struct member *member)
{
    size_t at = skip_space(text, member->value_end);

    return at < text->size && text->data[at] == ',' && read_member(text, at + 1, member);
}

static bool is_plain(const unsigned char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\\' || text[i] >= 0x80)
            return false;
    return true;
}

/*
 * Whether a member has that name, after its escapes were decoded and invalid UTF-8 was replaced. 1,
 * 0 or -ENOMEM.
 */
static int is_named(const struct secbuf *text, const struct member *member, const char *name)
{
    CLEANUP(json_freep) struct json *string = NULL;
    CLEANUP(secbuf_done) struct secbuf decoded = {0};
    const unsigned char *quoted = text->data + member->name;
    size_t size = member->name_end - member->name;

    if (is_plain(quoted, size))
        return size - 2 == strlen(name) && memcmp(quoted + 1, name, size - 2) == 0;
    if (json_parse(quoted, size, &string) < 0 || json_copy_string(string, &decoded) < 0)
        return -ENOMEM;
    return decoded.size == strlen(name) && memcmp(decoded.data, name, decoded.size) == 0;
}

/* Finds the last member with that name in the object at `object`. 1, 0 or -ENOMEM. */
static int find_member(const struct secbuf *text, size_t object, const char *name,
                       struct member *ret)
{
    struct member member;
    int found = 0;

    for (bool is_there = read_member(text, object + 1, &member); is_there;
         is_there = read_next(text, &member)) {
        int r = is_named(text, &member, name);

        if (r < 0)
            return r;
        if (r == 1)
            *ret = member;
        found |= r;
    }
    return found;
}

/* --- layout ---------------------------------------------------------------------------------- */

/* White space before a member: a line end and its indentation, a blank, or nothing. */
struct lead {
    char text[MOST_INDENT];
};

static struct lead lead_of(const struct secbuf *text, size_t from, size_t to)
{
    struct lead lead = {"\n\t"};

    if (to - from < sizeof(lead.text)) {
        memcpy(lead.text, text->data + from, to - from);
        lead.text[to - from] = '\0';
    }
    return lead;
}

/* Indents one level deeper, if members are on lines of their own. */
static struct lead lead_below(const struct lead *lead, const char *unit)
{
    struct lead below = *lead;
    size_t size = strlen(lead->text), more = strlen(unit);

    if (strchr(lead->text, '\n') && size + more < sizeof(below.text))
        memcpy(below.text + size, unit, more + 1);
    return below;
}

/* The indentation of one level: that of the root's first member, or a tab, as docker writes it. */
static struct lead find_unit(const struct secbuf *text, size_t root)
{
    struct lead unit = {"\t"};
    struct member first;

    if (read_member(text, root + 1, &first)) {
        struct lead lead = lead_of(text, root + 1, first.name);
        const char *line = strrchr(lead.text, '\n');

        if (line && line[1])
            memcpy(unit.text, line + 1, strlen(line + 1) + 1);
    }
    return unit;
}

/* --- a place in the text --------------------------------------------------------------------- */

/* An object on the path, and the layout of its members. */
struct place {
    size_t object;
    struct lead lead, unit;
    struct member last; /* if has_members */
    bool has_members;
    /* between name and value of a neighbour, anywhere in the text; both 0: nowhere */
    size_t colon, colon_end;
};

/* outer is the white space before the member that the object is the value of; NULL for the root. */
static void look_at(const struct secbuf *text, size_t object, const struct lead *outer,
                    struct place *place)
{
    size_t begin = object + 1;
    struct member member;

    place->object = object;
    place->has_members = false;
    place->lead = outer ? lead_below(outer, place->unit.text)
                        : lead_below(&(struct lead){"\n"}, place->unit.text);
    for (bool is_there = read_member(text, begin, &member); is_there;
         is_there = read_next(text, &member)) {
        if (place->has_members)
            begin = skip_space(text, place->last.value_end) + 1;
        place->last = member;
        place->has_members = true;
        place->colon = member.name_end;
        place->colon_end = member.value;
    }
    if (place->has_members)
        place->lead = lead_of(text, begin, place->last.name);
}

/* --- changing -------------------------------------------------------------------------------- */

/* Replaces the bytes from begin to end by insert. */
static int splice(struct secbuf *text, size_t begin, size_t end, const struct secbuf *insert)
{
    CLEANUP(secbuf_done) struct secbuf result = {0};

    if (secbuf_append(&result, text->data, begin) < 0 ||
        secbuf_append(&result, insert->data, insert->size) < 0 ||
        secbuf_append(&result, text->data + end, text->size - end) < 0)
        return -ENOMEM;
    secbuf_done(text);
    *text = result;
    result = (struct secbuf){0};
    return 0;
}

static int append_text(struct secbuf *buf, const char *text)
{
    return secbuf_append(buf, text, strlen(text));
}

static int append_quoted(struct secbuf *buf, const char *name)
{
    size_t size = json_quote(name, strlen(name), NULL);
    int r = secbuf_reserve(buf, size);

    if (r < 0)
        return r;
    json_quote(name, strlen(name), (char *)buf->data + buf->size);
    buf->size += size;
    return 0;
}

static int append_colon(struct secbuf *buf, const struct secbuf *text, const struct place *place)
{
    return place->colon_end
               ? secbuf_append(buf, text->data + place->colon, place->colon_end - place->colon)
               : append_text(buf, ": ");
}

/*
 * Formats the member path[0] with the nested objects of the rest of path, and value in the
 * innermost one.
 */
static int append_member(struct secbuf *buf, const struct secbuf *text, const struct place *place,
                         const struct lead *lead, const char *const *path, const char *value)
{
    struct lead below = lead_below(lead, place->unit.text);
    int r = append_quoted(buf, path[0]);

    if (r == 0)
        r = append_colon(buf, text, place);
    if (r < 0 || !path[1])
        return r < 0 ? r : append_text(buf, value);
    if (append_text(buf, "{") < 0 || append_text(buf, below.text) < 0)
        return -ENOMEM;
    r = append_member(buf, text, place, &below, path + 1, value);
    if (r == 0)
        r = append_text(buf, lead->text);
    return r < 0 ? r : append_text(buf, "}");
}

/*
 * The end of an object whose members have that lead: on a line of its own, indented one level less.
 */
static int append_close(struct secbuf *buf, const struct place *place)
{
    const char *lead = place->lead.text;
    size_t size = strlen(lead), less = strlen(place->unit.text);

    if (!strchr(lead, '\n'))
        return 0;
    return secbuf_append(buf, lead, size > less ? size - less : size);
}

static int insert_member(struct secbuf *text, const struct place *place, const char *const *path,
                         const char *value)
{
    CLEANUP(secbuf_done) struct secbuf insert = {0};
    size_t begin = place->has_members ? place->last.value_end : place->object + 1;
    size_t end = place->has_members ? begin : skip_space(text, begin);
    int r = append_text(&insert, place->has_members ? "," : "");

    if (r == 0)
        r = append_text(&insert, place->lead.text);
    if (r == 0)
        r = append_member(&insert, text, place, &place->lead, path, value);
    if (r == 0 && !place->has_members)
        r = append_close(&insert, place);
    return r < 0 ? r : splice(text, begin, end, &insert);
}

static int replace_value(struct secbuf *text, const struct member *member, const char *value)
{
    CLEANUP(secbuf_done) struct secbuf insert = {0};

    if (append_text(&insert, value) < 0)
        return -ENOMEM;
    return splice(text, member->value, member->value_end, &insert);
}

/*
 * Follows path from place as far as its members exist. 1 with the last member; 0 with place and
 * *path at the first missing one; or negative.
 */
static int follow(const struct secbuf *text, struct place *place, const char *const **path,
                  struct member *ret)
{
    for (;; (*path)++) {
        struct lead outer;
        int r = find_member(text, place->object, **path, ret);

        if (r <= 0 || !(*path)[1])
            return r;
        if (text->data[ret->value] != '{')
            return -ENOTDIR;
        outer = place->lead;
        look_at(text, ret->value, &outer, place);
    }
}

int json_edit_check(const struct secbuf *text)
{
    CLEANUP(json_freep) struct json *json = NULL;
    size_t root = skip_space(text, 0);
    int r;

    if (root == text->size)
        return 0;
    r = json_parse(text->data, text->size, &json);
    if (r < 0)
        return r;
    if (json_get_type(json) != JSON_OBJECT ||
        skip_space(text, skip_value(text, root)) != text->size)
        return -EBADMSG;
    return 0;
}

/* Finds the root object. A blank text is replaced by "{}". */
static int begin_edit(struct secbuf *text, size_t *ret_root)
{
    int r = json_edit_check(text);

    *ret_root = skip_space(text, 0);
    if (r == 0 && *ret_root == text->size)
        r = append_text(text, "{}\n");
    return r;
}

int json_edit_set(struct secbuf *text, const char *const *path, const char *value)
{
    struct place place = {0};
    struct member member = {0};
    size_t root, size_before = text->size;
    int r = begin_edit(text, &root);

    if (r == 0) {
        place.unit = find_unit(text, root);
        look_at(text, root, NULL, &place);
        r = follow(text, &place, &path, &member);
    }
    if (r == 1)
        r = replace_value(text, &member, value);
    else if (r == 0)
        r = insert_member(text, &place, path, value);
    if (r < 0)
        secbuf_truncate(text, size_before);
    return r;
}

/*
 * The bytes to remove so that the rest is still a valid object: the member with a comma, and all
 * white space if it was the only one.
 */
static void find_extent(const struct secbuf *text, size_t object, const struct member *gone,
                        size_t *ret_begin, size_t *ret_end)
{
    struct member member, before = {0};
    size_t at;

    *ret_begin = gone->name;
    *ret_end = gone->value_end;
    for (bool is_there = read_member(text, object + 1, &member);
         is_there && member.name != gone->name; is_there = read_next(text, &member))
        before = member;
    at = skip_space(text, gone->value_end);
    if (before.value_end) {
        *ret_begin = before.value_end;
    } else if (text->data[at] == ',') {
        *ret_end = skip_space(text, at + 1);
    } else {
        *ret_begin = object + 1;
        *ret_end = at;
    }
}

/*
 * Finds the first member that path leads to, through any of the objects on it. 1, 0, -ENOTDIR or
 * -ENOMEM.
 */
static int find_any(const struct secbuf *text, size_t object, const char *const *path,
                    size_t *ret_object, struct member *ret)
{
    struct member member;
    int result = 0;

    for (bool is_there = read_member(text, object + 1, &member); is_there;
         is_there = read_next(text, &member)) {
        int r = is_named(text, &member, path[0]);

        if (r == 1 && !path[1]) {
            *ret_object = object;
            *ret = member;
        } else if (r == 1) {
            r = text->data[member.value] == '{'
                    ? find_any(text, member.value, path + 1, ret_object, ret)
                    : -ENOTDIR;
        }
        if (r == 1 || r == -ENOMEM)
            return r;
        result = r < 0 ? r : result;
    }
    return result;
}

int json_edit_remove(struct secbuf *text, const char *const *path)
{
    const struct secbuf nothing = {0};
    size_t root, size_before = text->size;
    int r = begin_edit(text, &root);

    while (r == 0) {
        struct member member = {0};
        size_t object = 0, begin, end;

        r = find_any(text, root, path, &object, &member);
        if (r != 1)
            break;
        find_extent(text, object, &member, &begin, &end);
        r = splice(text, begin, end, &nothing);
    }
    if (size_before == 0)
        secbuf_truncate(text, 0);
    return r;
}
