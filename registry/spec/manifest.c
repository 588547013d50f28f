/*
 * Parses manifests to find what they refer to; their bytes are stored unchanged. Bytes that one
 * program could parse as an image and another one as an index are refused, because one of them
 * would remove as garbage what the other needs (CVE-2021-41190).
 */
#include "registry/spec/manifest.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/spec/manifest-descriptor.h"

enum kind { KIND_IMAGE, KIND_INDEX, KIND_ARTIFACT };

static const struct type {
    const char *name;
    enum kind kind;
    bool is_docker; /* then the manifest must state its mediaType, and has no subject */
} types[] = {
    {MANIFEST_OCI_IMAGE, KIND_IMAGE, false},
    {MANIFEST_OCI_INDEX, KIND_INDEX, false},
    {MANIFEST_OCI_ARTIFACT, KIND_ARTIFACT, false},
    {MANIFEST_DOCKER_IMAGE, KIND_IMAGE, true},
    {MANIFEST_DOCKER_LIST, KIND_INDEX, true},
};

static const struct type *find_type(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

bool manifest_is_supported_type(const char *media_type)
{
    return find_type(media_type) != NULL;
}

int manifest_strip_type(const char *content_type, char ret_type[MANIFEST_TYPE_SIZE])
{
    size_t size;

    content_type += strspn(content_type, " \t");
    size = strcspn(content_type, "; \t");
    if (size == 0 || size >= MANIFEST_TYPE_SIZE)
        return -EINVAL;
    for (size_t i = 0; i < size; i++)
        ret_type[i] = (char)tolower((unsigned char)content_type[i]);
    ret_type[size] = '\0';
    return 0;
}

/* --- the media type ----------------------------------------------------------------- */

static int refuse_schema_1(struct error *err)
{
    return error_set(err, ENOTSUP,
                     "docker's manifest schema 1 is not supported: push with docker 1.10 or later");
}

static int look_up_type(const char *name, const char *said_by, const struct type **ret,
                        struct error *err)
{
    static const char schema_1[] = "application/vnd.docker.distribution.manifest.v1+";

    *ret = find_type(name);
    if (*ret)
        return 0;
    if (strncmp(name, schema_1, sizeof(schema_1) - 1) == 0)
        return refuse_schema_1(err);
    return error_set(err, ENOTSUP, "%s is not the media type of a manifest: \"%.200s\"", said_by,
                     name);
}

/* Guesses the type from the manifest's members, as registry:2 does if the manifest states none. */
static int sniff_type(const struct json *root, const struct type **ret, struct error *err)
{
    int64_t version;

    if (json_get_integer(manifest_find(root, "schemaVersion"), &version) == 0 && version == 1)
        return refuse_schema_1(err);
    if (manifest_find(root, "manifests"))
        *ret = find_type(MANIFEST_OCI_INDEX);
    else if (manifest_find(root, "config"))
        *ret = find_type(MANIFEST_OCI_IMAGE);
    else
        return error_set(err, EINVAL,
                         "the manifest has neither a mediaType nor a config nor manifests");
    return 0;
}

/* own is the manifest's mediaType, NULL if it has none. */
static int check_type(const struct type *type, const char *own, struct error *err)
{
    if (own && strcmp(own, type->name) != 0)
        return error_set(err, EINVAL,
                         "the manifest's mediaType \"%.200s\" is not its Content-Type %s", own,
                         type->name);
    if (!own && type->is_docker)
        return error_set(err, EINVAL,
                         "the manifest's mediaType is missing; manifests of docker must have one");
    return 0;
}

static int find_out_type(const struct json *root, const char *content_type, const struct type **ret,
                         bool *ret_is_stated, struct error *err)
{
    char stripped[MANIFEST_TYPE_SIZE];
    const char *own;
    int r = manifest_get_text(root, "", "mediaType", &own, err);

    if (r < 0)
        return r;
    *ret_is_stated = own != NULL;
    if (!content_type || !*content_type)
        return own ? look_up_type(own, "the manifest's mediaType", ret, err)
                   : sniff_type(root, ret, err);
    if (manifest_strip_type(content_type, stripped) < 0)
        return error_set(err, ENOTSUP,
                         "Content-Type is not the media type of a manifest: \"%.200s\"",
                         content_type);
    r = look_up_type(stripped, "Content-Type", ret, err);
    return r < 0 ? r : check_type(*ret, own, err);
}

static int check_version(const struct json *root, const struct type *type, struct error *err)
{
    const struct json *member = manifest_find(root, "schemaVersion");
    int64_t version = 0;

    if (type->kind == KIND_ARTIFACT)
        return 0;
    if (json_get_integer(member, &version) == 0 && version == 2)
        return 0;
    if (version == 1)
        return refuse_schema_1(err);
    return error_set(err, EINVAL, "the manifest's schemaVersion is not 2");
}

/* --- what it refers to -------------------------------------------------------------- */

/* Refuses a member that belongs to another kind of manifest. */
static int check_is_not(const struct json *root, const char *name, const struct type *type,
                        struct error *err)
{
    return manifest_find(root, name)
               ? error_set(err, EINVAL, "the manifest is of type %s, but has %s", type->name, name)
               : 0;
}

static int check_kind(const struct json *root, const struct type *type, struct error *err)
{
    int r;

    if (type->kind != KIND_INDEX)
        return check_is_not(root, "manifests", type, err);
    r = check_is_not(root, "layers", type, err);
    return r < 0 ? r : check_is_not(root, "config", type, err);
}

/* A missing list is NULL, and counts as empty. */
static int check_list(const struct json *list, const char *name, struct error *err)
{
    if (list && json_get_type(list) != JSON_ARRAY)
        return error_set(err, EINVAL, "the manifest's %s is not a list", name);
    return 0;
}

static size_t count_items(const struct json *list)
{
    size_t count = 0;

    for (const struct json *item = list ? json_get_first(list) : NULL; item;
         item = json_get_next(item))
        count++;
    return count;
}

static int read_list(const struct json *root, const char *name, struct manifest_descriptors *ret,
                     struct error *err)
{
    const struct json *list = manifest_find(root, name);
    int r = check_list(list, name, err);

    if (r == 0)
        r = manifest_reserve(ret, count_items(list), err);
    return r < 0 ? r : manifest_add_each(ret, list, name, err);
}

static int read_image(const struct json *root, struct manifest_descriptors *ret, struct error *err)
{
    const struct json *config = manifest_find(root, "config"),
                      *layers = manifest_find(root, "layers");
    int r = check_list(layers, "layers", err);

    if (r < 0)
        return r;
    if (!config)
        return error_set(err, EINVAL, "the manifest has no config");
    r = manifest_reserve(ret, count_items(layers) + 1, err);
    if (r == 0)
        r = manifest_add(ret, config, "config", err);
    if (r < 0)
        return r;
    ret->items[0].is_elsewhere = false; /* the registry must have the config */
    return manifest_add_each(ret, layers, "layers", err);
}

static int read_references(const struct json *root, const struct type *type, struct manifest *ret,
                           struct error *err)
{
    int r;

    if (type->kind == KIND_IMAGE)
        return read_image(root, &ret->blobs, err);
    if (type->kind == KIND_ARTIFACT)
        return read_list(root, "blobs", &ret->blobs, err);
    r = read_list(root, "manifests", &ret->manifests, err);
    for (size_t i = 0; r == 0 && i < ret->manifests.count; i++)
        ret->manifests.items[i].is_elsewhere = false;
    return r;
}

/* --- fields of the descriptor in lists of referrers --------------------------------- */

static int read_subject(const struct json *root, struct manifest *ret, struct error *err)
{
    const struct json *subject = manifest_find(root, "subject");
    int r;

    if (!subject)
        return 0;
    r = manifest_get_digest(subject, "subject", &ret->subject, err);
    ret->has_subject = r == 0;
    return r;
}

/*
 * An image's artifact type is its config's media type, unless it names one (OCI specification,
 * "Listing Referrers").
 */
static int read_artifact_type(const struct json *root, enum kind kind, struct manifest *ret,
                              struct error *err)
{
    const char *text;
    int r = manifest_get_text(root, "", "artifactType", &text, err);

    if (r < 0)
        return r;
    if (!text && kind == KIND_IMAGE && *ret->blobs.items[0].media_type)
        text = ret->blobs.items[0].media_type;
    if (!text)
        return 0;
    ret->artifact_type = strdup(text);
    return ret->artifact_type ? 0 : error_set_oom(err);
}

static int read_annotations(const struct json *root, struct manifest *ret, struct error *err)
{
    const struct json *annotations = manifest_find(root, "annotations");
    size_t size;

    if (!annotations)
        return 0;
    if (json_get_type(annotations) != JSON_OBJECT)
        return error_set(err, EINVAL, "the manifest's annotations are not an object");
    for (const struct json *item = json_get_first(annotations); item; item = json_get_next(item))
        if (json_get_type(item) != JSON_STRING)
            return error_set(err, EINVAL, "the manifest's annotation \"%.200s\" is not a text",
                             json_get_name(item));
    if (!json_get_first(annotations))
        return 0;
    size = json_format(annotations, NULL);
    ret->annotations = malloc(size + 1);
    if (!ret->annotations)
        return error_set_oom(err);
    ret->annotations[json_format(annotations, ret->annotations)] = '\0';
    return 0;
}

static int read_description(const struct json *root, const struct type *type, struct manifest *ret,
                            struct error *err)
{
    int r = type->is_docker ? 0 : read_subject(root, ret, err);

    if (r == 0)
        r = read_artifact_type(root, type->kind, ret, err);
    return r < 0 ? r : read_annotations(root, ret, err);
}

/* --- the manifest ------------------------------------------------------------------- */

static int read_manifest(const struct json *root, const char *content_type, struct manifest *ret,
                         struct error *err)
{
    static const char *const known[] = {
        "schemaVersion", "mediaType", "artifactType", "config",      "layers",
        "manifests",     "blobs",     "subject",      "annotations", NULL,
    };
    const struct type *type = NULL;
    int r;

    if (json_get_type(root) != JSON_OBJECT)
        return error_set(err, EINVAL, "the manifest is not a JSON object");
    r = manifest_check_names(root, "", known, err);
    if (r == 0)
        r = find_out_type(root, content_type, &type, &ret->is_type_stated, err);
    if (r == 0)
        r = check_version(root, type, err);
    if (r == 0)
        r = check_kind(root, type, err);
    if (r == 0)
        r = read_references(root, type, ret, err);
    if (r == 0)
        r = read_description(root, type, ret, err);
    if (r == 0)
        memcpy(ret->media_type, type->name, strlen(type->name) + 1);
    return r;
}

int manifest_parse(const char *content_type, const void *bytes, size_t size, struct manifest *ret,
                   struct error *err)
{
    CLEANUP(json_freep) struct json *root = NULL;
    struct manifest manifest = {0};
    int r = json_parse_public(bytes, size, &root);

    if (r == -EBADMSG)
        return error_set(err, EBADMSG,
                         "the manifest is not JSON, or is nested more than %d levels deep",
                         JSON_DEEPEST_PUBLIC);
    if (r == -E2BIG)
        return error_set(err, EBADMSG, "the manifest has more than %d names and values",
                         JSON_MOST_PUBLIC);
    if (r < 0)
        return error_set_oom(err);
    r = read_manifest(root, content_type, &manifest, err);
    if (r < 0)
        manifest_done(&manifest);
    else
        *ret = manifest;
    return r;
}

void manifest_done(struct manifest *manifest)
{
    if (!manifest)
        return;
    manifest_descriptors_done(&manifest->blobs);
    manifest_descriptors_done(&manifest->manifests);
    free(manifest->artifact_type);
    free(manifest->annotations);
    *manifest = (struct manifest){0};
}
