#pragma once

#include "common/digest.h"
#include "registry/spec/name.h"
#include "registry/core/store.h"
#include "registry/storage/filesystem/filesystem.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

/*
 * A store in the scratch directory, and its content. A failure of any function here ends the
 * test.
 */

#define ROOT "root/docker/registry/v2"
#define IMAGE_TYPE "application/vnd.oci.image.manifest.v1+json"
#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"

/* Free with store_close(). The other one returns the error instead of ending the test. */
struct store *open_store(void);
int open_store_at(const char *root, enum filesystem_sharing sharing, struct store **ret,
                  struct error *err) MUST_USE;

struct digest sha256_of(const char *text);
struct digest sha512_of(const char *text);

/* Returns "sha256:..."; the results of the last four calls stay valid. */
const char *text_of(struct digest digest);

/* Returns a path below the store's root, valid in the same way. */
const char *below(const char *format, ...) PRINTF_LIKE(1, 2);

/* Uploads text to a repository, in one piece. */
struct digest push_blob(struct store *store, const char *name, const char *text);

/*
 * A session in the repository a/b: start a new one, open one by id, commit it, get its id. Free
 * with upload_release().
 */
struct upload *create_upload(struct store *store, enum digest_algorithm algorithm);
struct upload *reopen_upload(struct store *store, const char *id);
int commit_upload(struct upload *upload, struct digest digest); /* the result of upload_commit() */
void keep_upload_id(const struct upload *upload, char ret_id[UPLOAD_ID_SIZE + 1]);

/* Pushes a manifest; tag may be NULL. The subject is the one in the text. */
struct digest push_manifest(struct store *store, const char *name, const char *tag,
                            const char *type, const char *text);

/*
 * The text of an image of one blob as its config, with an annotation; subject may be NULL. The last
 * four results stay valid.
 */
const char *image_of(struct digest config, const char *annotation, const struct digest *subject);

/* The text of an index of one or two manifests; the second may be NULL. */
const char *index_of(struct digest first, const struct digest *second);

/* Pushes an image with only a config; both contain `what`. */
struct digest push_image(struct store *store, const char *name, const char *tag, const char *what,
                         const struct digest *subject);

/* No temporary file is left. */
void assert_nothing_temporary(void);

bool has_blob(struct store *store, const char *name, struct digest digest);
bool has_manifest(struct store *store, const char *name, struct digest digest);

/* Returns the digest that a tag names; its hex is "" if there is no tag. */
struct digest tag_of(struct store *store, const char *name, const char *tag);

/*
 * Returns the names with a space after each, "+" at the end if there are more; "none" if the
 * repository is unknown.
 */
const char *tags_of(struct store *store, const char *name, const char *last, size_t n);
const char *repositories_of(struct store *store, const char *last, size_t n);

/* How many referrers the subject has, and whether digest is one of them. */
size_t count_referrers(struct store *store, const char *name, struct digest subject);
bool is_referrer(struct store *store, const char *name, struct digest subject,
                 struct digest digest);

/* Whether a manifest's text and type are these. */
void assert_manifest_is(struct store *store, const char *name, struct digest digest,
                        const char *type, const char *text);
