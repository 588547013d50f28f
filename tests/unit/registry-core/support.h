#pragma once

#include "common/digest.h"
#include "registry/spec/name.h"
#include "registry/core/store.h"
#include "registry/storage/filesystem/filesystem.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

/*
 * A store in the scratch folder, and what is put into it. Everything here ends the test where it
 * cannot do what it says.
 */

#define ROOT "root/docker/registry/v2"
#define IMAGE_TYPE "application/vnd.oci.image.manifest.v1+json"
#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"

/* Free with store_close(). The other answers instead of ending the test. */
struct store *open_store(void);
int open_store_at(const char *root, enum filesystem_sharing sharing, struct store **ret, struct error *err) MUST_USE;

struct digest sha256_of(const char *text);
struct digest sha512_of(const char *text);

/* "sha256:..."; of the last four calls, each in a buffer of its own. */
const char *text_of(struct digest digest);

/* A path below the store's root, likewise. */
const char *below(const char *format, ...) PRINTF_LIKE(1, 2);

/* Uploads text to a repository, in one piece. */
struct digest push_blob(struct store *store, const char *name, const char *text);

/* A session in the repository a/b: a new one, the one of that id, its end, and its id for later. upload_release() frees. */
struct upload *create_upload(struct store *store, enum digest_algorithm algorithm);
struct upload *reopen_upload(struct store *store, const char *id);
int commit_upload(struct upload *upload, struct digest digest); /* what upload_commit() answers */
void keep_upload_id(const struct upload *upload, char ret_id[UPLOAD_ID_SIZE + 1]);

/* Pushes a manifest; tag may be NULL. The subject is what the text says. */
struct digest push_manifest(struct store *store, const char *name, const char *tag, const char *type,
                            const char *text);

/* The text of an image of one blob as its config, with an annotation; subject may be NULL. Likewise of four buffers. */
const char *image_of(struct digest config, const char *annotation, const struct digest *subject);

/* The text of an index of one or two manifests; the second may be NULL. */
const char *index_of(struct digest first, const struct digest *second);

/* Pushes an image of a config and nothing else, both of which tell of what. */
struct digest push_image(struct store *store, const char *name, const char *tag, const char *what,
                         const struct digest *subject);

/* No temporary file is left. */
void assert_nothing_temporary(void);

bool has_blob(struct store *store, const char *name, struct digest digest);
bool has_manifest(struct store *store, const char *name, struct digest digest);

/* The digest that a tag names; its hex is "" where there is no tag. */
struct digest tag_of(struct store *store, const char *name, const char *tag);

/* The names with a blank after each, "+" at the end where there are more; "none" where the repository is unknown. */
const char *tags_of(struct store *store, const char *name, const char *last, size_t n);
const char *repositories_of(struct store *store, const char *last, size_t n);

/* How many referrers the subject has, and whether digest is one of them. */
size_t count_referrers(struct store *store, const char *name, struct digest subject);
bool is_referrer(struct store *store, const char *name, struct digest subject, struct digest digest);

/* Whether a manifest's text and type are these. */
void assert_manifest_is(struct store *store, const char *name, struct digest digest, const char *type,
                        const char *text);
