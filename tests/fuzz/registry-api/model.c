#include "tests/fuzz/registry-api/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define IMAGE "application/vnd.oci.image.manifest.v1+json"
#define INDEX "application/vnd.oci.image.index.v1+json"
#define LAYER "application/octet-stream"

/* --- contents ---------------------------------------------------------------------------- */

const char *model_repository(int repository)
{
    static const char *const names[MODEL_REPOSITORIES] = {"a", "a/b"};

    return names[repository];
}

const char *model_tag(int tag)
{
    static const char *const names[MODEL_TAGS] = {"latest", "v1", "v1.0"};

    return names[tag];
}

const char *model_blob(int blob, size_t *ret_size)
{
    static const char *const contents[MODEL_BLOBS] = {"", "{}", "a layer",
                                                      "another layer, that is longer", "hel"};

    *ret_size = strlen(contents[blob]);
    return contents[blob];
}

const struct digest *model_blob_digest(int blob)
{
    static struct digest digests[MODEL_BLOBS];
    size_t size;
    const char *bytes = model_blob(blob, &size);

    if (!*digests[blob].hex)
        REQUIRE(digest_of(DIGEST_SHA256, bytes, size, &digests[blob]) == 0);
    return &digests[blob];
}

static struct model_manifest manifests[MODEL_MANIFESTS];

static void add_descriptor(FILE *file, const char *type, const struct digest *digest, size_t size)
{
    char text[DIGEST_TEXT_SIZE];

    digest_format(digest, text);
    fprintf(file, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}", type, text, size);
}

static void add_blob(FILE *file, int blob)
{
    size_t size;

    model_blob(blob, &size);
    add_descriptor(file, LAYER, model_blob_digest(blob), size);
}

static void write_manifest(FILE *file, const struct model_manifest *manifest)
{
    bool is_index = strcmp(manifest->media_type, INDEX) == 0;

    fprintf(file, "{\"schemaVersion\":2,\"mediaType\":\"%s\",", manifest->media_type);
    if (!is_index) {
        fprintf(file, "\"config\":");
        add_blob(file, manifest->blobs[0]);
        fprintf(file, ",");
    }
    if (manifest->subject != MODEL_NONE) {
        fprintf(file, "\"subject\":");
        add_descriptor(file, IMAGE, &manifests[manifest->subject].digest,
                       manifests[manifest->subject].size);
        fprintf(file, ",");
    }
    fprintf(file, is_index ? "\"manifests\":[" : "\"layers\":[");
    for (int i = 1; !is_index && i < 3 && manifest->blobs[i] != MODEL_NONE; i++) {
        fprintf(file, i > 1 ? "," : "");
        add_blob(file, manifest->blobs[i]);
    }
    for (int i = 0; i < 2 && manifest->children[i] != MODEL_NONE; i++) {
        fprintf(file, i ? "," : "");
        add_descriptor(file, manifests[manifest->children[i]].media_type,
                       &manifests[manifest->children[i]].digest,
                       manifests[manifest->children[i]].size);
    }
    fprintf(file, "]}");
}

static void make_manifests(void)
{
    static const struct model_manifest plan[MODEL_MANIFESTS] = {
        {.media_type = IMAGE,
         .blobs = {1, 2, MODEL_NONE},
         .children = {MODEL_NONE, MODEL_NONE},
         .subject = MODEL_NONE},
        {.media_type = IMAGE,
         .blobs = {1, 3, 0},
         .children = {MODEL_NONE, MODEL_NONE},
         .subject = MODEL_NONE},
        {.media_type = INDEX,
         .blobs = {MODEL_NONE, MODEL_NONE, MODEL_NONE},
         .children = {0, 1},
         .subject = MODEL_NONE},
        {.media_type = IMAGE,
         .blobs = {1, 4, MODEL_NONE},
         .children = {MODEL_NONE, MODEL_NONE},
         .subject = 0},
        {.media_type = INDEX,
         .blobs = {MODEL_NONE, MODEL_NONE, MODEL_NONE},
         .children = {2, MODEL_NONE},
         .subject = 3},
        {.media_type = IMAGE,
         .blobs = {2, MODEL_NONE, MODEL_NONE},
         .children = {MODEL_NONE, MODEL_NONE},
         .subject = 4},
    };

    for (int i = 0; i < MODEL_MANIFESTS; i++) {
        FILE *file;

        manifests[i] = plan[i];
        file = open_memstream(&manifests[i].text, &manifests[i].size);
        REQUIRE(file);
        write_manifest(file, &manifests[i]);
        REQUIRE(fclose(file) == 0);
        REQUIRE(digest_of(DIGEST_SHA256, manifests[i].text, manifests[i].size,
                          &manifests[i].digest) == 0);
    }
}

const struct model_manifest *model_manifest(int manifest)
{
    if (!manifests[0].text)
        make_manifests();
    return &manifests[manifest];
}

int model_find_manifest(const char *digest)
{
    char text[DIGEST_TEXT_SIZE];

    for (int i = 0; i < MODEL_MANIFESTS; i++) {
        digest_format(&model_manifest(i)->digest, text);
        if (strcmp(text, digest) == 0)
            return i;
    }
    return MODEL_NONE;
}

/* --- operations -------------------------------------------------------------------------- */

void model_start(struct model *model)
{
    *model = (struct model){0};
    for (int r = 0; r < MODEL_REPOSITORIES; r++)
        for (int t = 0; t < MODEL_TAGS; t++)
            model->tags[r][t] = MODEL_NONE;
    for (int u = 0; u < MODEL_UPLOADS; u++)
        model->uploads[u].repository = MODEL_NONE;
}

bool model_has_parts(const struct model *model, int repository, int manifest)
{
    const struct model_manifest *item = model_manifest(manifest);

    for (int i = 0; i < 3 && item->blobs[i] != MODEL_NONE; i++) {
        if (!model->has_blob[repository][item->blobs[i]])
            return false;
    }
    for (int i = 0; i < 2 && item->children[i] != MODEL_NONE; i++) {
        if (!model->has_manifest[repository][item->children[i]])
            return false;
    }
    return true;
}

void model_put(struct model *model, int repository, int manifest, int tag)
{
    model->has_manifest[repository][manifest] = true;
    model->was_pushed_to[repository] = true;
    if (tag != MODEL_NONE)
        model->tags[repository][tag] = manifest;
}

void model_delete_manifest(struct model *model, int repository, int manifest)
{
    model->has_manifest[repository][manifest] = false;
    for (int t = 0; t < MODEL_TAGS; t++) {
        if (model->tags[repository][t] == manifest)
            model->tags[repository][t] = MODEL_NONE;
    }
}

bool model_finish_upload(struct model *model, struct model_upload *upload, int blob)
{
    size_t size;
    const char *bytes = model_blob(blob, &size);
    bool is_that = upload->size == size && memcmp(upload->bytes, bytes, size) == 0;

    if (is_that)
        model->has_blob[upload->repository][blob] = model->has_bytes[blob] = true;
    upload->repository = MODEL_NONE;
    return is_that;
}

/* --- garbage ----------------------------------------------------------------------------- */

/* A kept manifest keeps its children and referrers; repeats until nothing is added. */
static void spread(const struct model *model, int repository, bool *kept)
{
    for (int round = 0; round < MODEL_MANIFESTS; round++) {
        for (int m = 0; m < MODEL_MANIFESTS; m++) {
            const struct model_manifest *item = model_manifest(m);

            for (int i = 0; kept[m] && i < 2 && item->children[i] != MODEL_NONE; i++)
                kept[item->children[i]] |= model->has_manifest[repository][item->children[i]];
            if (model->has_manifest[repository][m] && item->subject != MODEL_NONE &&
                kept[item->subject])
                kept[m] = true;
        }
    }
}

void model_collect(struct model *model, bool does_untag)
{
    bool marked[MODEL_BLOBS] = {0};

    for (int r = 0; r < MODEL_REPOSITORIES; r++) {
        bool kept[MODEL_MANIFESTS] = {0};

        for (int m = 0; m < MODEL_MANIFESTS && !does_untag; m++)
            kept[m] = model->has_manifest[r][m];
        for (int t = 0; t < MODEL_TAGS; t++) {
            if (model->tags[r][t] != MODEL_NONE)
                kept[model->tags[r][t]] = true;
        }
        spread(model, r, kept);
        for (int m = 0; m < MODEL_MANIFESTS; m++) {
            model->has_manifest[r][m] &= kept[m];
            for (int i = 0; kept[m] && i < 3 && model_manifest(m)->blobs[i] != MODEL_NONE; i++)
                marked[model_manifest(m)->blobs[i]] = true;
        }
    }
    for (int b = 0; b < MODEL_BLOBS; b++) {
        model->has_bytes[b] &= marked[b];
        for (int r = 0; r < MODEL_REPOSITORIES; r++)
            model->has_blob[r][b] &= marked[b];
    }
}
