/*
 * Parses the paths of the API. A repository's name may contain "blobs", "manifests", "tags",
 * "uploads" and "referrers", too. Therefore the last two or three components of a path say what it
 * is, and everything before them is the name.
 */
#include "registry/spec/route.h"

#include <errno.h>
#include <string.h>

#include "registry/spec/escape.h"

/* Longer than any path that could name something. */
enum { LONGEST_PATH = 2048 };

/* A part of the path. */
struct part {
    const char *text;
    size_t size;
};

static bool is_text(struct part part, const char *text)
{
    return part.size == strlen(text) && memcmp(part.text, text, part.size) == 0;
}

/* Removes the last component and the slash before it from path. False if there is no slash. */
static bool take_last(struct part *path, struct part *ret_last)
{
    const char *slash = path->size ? memrchr(path->text, '/', path->size) : NULL;

    if (!slash)
        return false;
    *ret_last = (struct part){.text = slash + 1,
                              .size = (size_t)(path->text + path->size - slash - 1)};
    path->size = (size_t)(slash - path->text);
    return true;
}

static void copy(struct part part, char *ret_text)
{
    memcpy(ret_text, part.text, part.size);
    ret_text[part.size] = '\0';
}

/* Sets the route for a digest: good if it is valid, bad if not. */
static void parse_digest(struct part text, enum route_kind good, enum route_kind bad,
                         struct route *ret)
{
    ret->kind = digest_parse(text.text, text.size, &ret->digest) == 0 ? good : bad;
}

static void parse_reference(struct part reference, struct route *ret)
{
    if (memchr(reference.text, ':', reference.size)) {
        parse_digest(reference, ROUTE_MANIFEST_DIGEST, ROUTE_MANIFEST_BAD_DIGEST, ret);
    } else if (name_is_tag(reference.text, reference.size)) {
        ret->kind = ROUTE_MANIFEST_TAG;
        copy(reference, ret->tag);
    }
}

static void parse_blob(struct part reference, struct route *ret)
{
    if (is_text(reference, "uploads"))
        ret->kind = ROUTE_UPLOADS;
    else if (reference.size > 0)
        parse_digest(reference, ROUTE_BLOB, ROUTE_BLOB_BAD_DIGEST, ret);
}

static void parse_upload(struct part id, struct route *ret)
{
    if (id.size == 0) {
        ret->kind = ROUTE_UPLOADS;
    } else if (name_is_upload(id.text, id.size)) {
        ret->kind = ROUTE_UPLOAD;
        copy(id, ret->upload);
    } else {
        ret->kind = ROUTE_UPLOAD_BAD;
    }
}

/* No component of a name begins with '_'. */
static void parse_page(struct part last, struct route *ret)
{
    if (is_text(last, "tags"))
        ret->kind = ROUTE_PAGE_TAGS;
    else if (is_text(last, "space"))
        ret->kind = ROUTE_PAGE_REPOSITORY_SPACE;
    else if (is_text(last, "consequences"))
        ret->kind = ROUTE_PAGE_CONSEQUENCES;
}

/*
 * Parses the end of "NAME/..." and reduces path to the name. The kind is unchanged if the end is
 * unknown.
 */
static void parse_end(struct part *path, struct route *ret)
{
    struct part last, before, third;

    if (!take_last(path, &last) || !take_last(path, &before))
        return;
    if (is_text(before, "tags") && is_text(last, "list"))
        ret->kind = ROUTE_TAGS;
    else if (is_text(before, "_page"))
        parse_page(last, ret);
    else if (is_text(before, "manifests"))
        parse_reference(last, ret);
    else if (is_text(before, "blobs"))
        parse_blob(last, ret);
    else if (is_text(before, "referrers") && last.size > 0)
        parse_digest(last, ROUTE_REFERRERS, ROUTE_REFERRERS_BAD_DIGEST, ret);
    else if (is_text(before, "uploads") && take_last(path, &third) && is_text(third, "blobs"))
        parse_upload(last, ret);
}

/* path is the text after "/v2/". */
static void parse_repository(struct part path, struct route *ret)
{
    parse_end(&path, ret);
    if (ret->kind == ROUTE_NONE)
        return;
    if (name_is_repository(path.text, path.size))
        copy(path, ret->name);
    else
        *ret = (struct route){.kind = ROUTE_NAME_INVALID};
}

/* The path of a part of the page; false if it is another path. */
static bool parse_asset(struct part path, struct route *ret)
{
    static const char base[] = "/_page/";
    const size_t base_size = sizeof(base) - 1;

    if (path.size <= base_size || path.size - base_size > ROUTE_ASSET_MAX ||
        memcmp(path.text, base, base_size) != 0)
        return false;
    ret->kind = ROUTE_PAGE_ASSET;
    copy((struct part){.text = path.text + base_size, .size = path.size - base_size}, ret->asset);
    return true;
}

static bool has_control_characters(struct part path)
{
    for (size_t i = 0; i < path.size; i++)
        if ((unsigned char)path.text[i] < 0x20 || path.text[i] == 0x7F)
            return true;
    return false;
}

void route_parse(const char *path, size_t size, struct route *ret)
{
    static const struct { const char *path; enum route_kind kind; } fixed[] = {
        {"/", ROUTE_ROOT}, {"/healthz", ROUTE_HEALTH}, {"/token", ROUTE_TOKEN},
        {"/token/revoke", ROUTE_TOKEN_REVOKE}, {"/v2", ROUTE_BASE_REDIRECT},
        {"/v2/", ROUTE_BASE}, {"/v2/_catalog", ROUTE_CATALOG},
        {"", ROUTE_PAGE_REDIRECT}, {"/v2/_page/self", ROUTE_PAGE_SELF},
        {"/v2/_page/repositories", ROUTE_PAGE_REPOSITORIES},
        {"/v2/_page/space", ROUTE_PAGE_SPACE}, {"/v2/_page/health", ROUTE_PAGE_HEALTH},
    };
    static const char base[] = "/v2/";
    const size_t base_size = sizeof(base) - 1;
    struct part whole = {.text = path, .size = size};

    *ret = (struct route){.kind = ROUTE_NONE};
    if (has_control_characters(whole))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        if (is_text(whole, fixed[i].path)) {
            ret->kind = fixed[i].kind;
            return;
        }
    }
    if (parse_asset(whole, ret))
        return;
    if (size > base_size && memcmp(path, base, base_size) == 0)
        parse_repository((struct part){.text = path + base_size, .size = size - base_size}, ret);
}

bool route_is_of_page(enum route_kind kind)
{
    return kind >= ROUTE_PAGE_REDIRECT && kind < ROUTE_NAME_INVALID;
}

void route_parse_escaped(const char *path, size_t size, struct route *ret)
{
    char decoded[LONGEST_PATH];
    int r = escape_decode(path, size, ESCAPE_PATH, decoded, sizeof(decoded));

    *ret = (struct route){.kind = r == -E2BIG ? ROUTE_NAME_INVALID : ROUTE_NONE};
    if (r == 0)
        route_parse(decoded, strlen(decoded), ret);
}

static const struct { const char *name; unsigned bit; } methods[] = {
    {"DELETE", ROUTE_METHOD_DELETE}, {"GET", ROUTE_METHOD_GET},   {"HEAD", ROUTE_METHOD_HEAD},
    {"PATCH", ROUTE_METHOD_PATCH},   {"POST", ROUTE_METHOD_POST}, {"PUT", ROUTE_METHOD_PUT},
};

unsigned route_method_parse(const char *method)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (strcmp(methods[i].name, method) == 0)
            return methods[i].bit;
    return 0;
}
