#pragma once

#include "common/digest.h"
#include "registry/storage/storage.h"

/*
 * Builds the keys of registry:2's layout below docker/registry/v2 (distribution 2.8,
 * registry/storage/paths.go), and our own keys (aliases, media types, referrers), which registry:2
 * ignores. A prefix ends with '/'. Pure, except for the functions that read links; any thread may
 * call them.
 */
enum { KEY_SIZE = 1024 }; /* more than the longest name, tag and digests need */

struct key {
    char text[KEY_SIZE];
};

#define KEY_REPOSITORIES "repositories"
#define KEY_RECORDS "registryd/" /* registry/core/records.h */
#define KEY_PULLED "_registryd/pulled/" /* in a repository: registry/core/pulls.h */
#define KEY_PUSHED "_registryd/pushed/" /* in a repository: registry/core/pushes.h */
#define KEY_UNTAGGED "_registryd/untagged"
#define KEY_TAG_MARK "_registryd/tag-mark" /* in a repository: registry/core/tag-names.h */
#define KEY_TAGS "_manifests/tags/"        /* in a repository */
#define KEY_CURRENT "current/link"         /* below the prefix of a tag */
#define KEY_BLOBS "blobs/sha256/"
#define KEY_ALIASES "blobs/sha512/"

/* repositories/<name>/<path>, an object or a prefix; "" is the prefix of the repository itself. */
struct key key_in_repository(const char *name, const char *path);

/* The bytes: blobs/sha256/<2 hex>/<hex>/data, and the prefix of that. */
struct key key_blob(const struct digest *digest);
struct key key_blob_prefix(const struct digest *digest);

/* blobs/sha512/<2 hex>/<hex>/link: contains the sha256 digest under which the bytes are stored. */
struct key key_alias(const struct digest *digest);

/* _layers/<alg>/<hex>/link: the repository has that blob. The prefix is removed with it. */
struct key key_layer(const char *name, const struct digest *digest);
struct key key_layer_prefix(const char *name, const struct digest *digest);

/* _manifests/revisions/<alg>/<hex>/<file>: "link", "media-type", or "" for the prefix. */
struct key key_revision(const char *name, const struct digest *digest, const char *file);

/* The prefixes _manifests/revisions/<alg>/ and _layers/<alg>/ of the digests of one algorithm. */
struct key key_revisions(const char *name, enum digest_algorithm algorithm);
struct key key_layers(const char *name, enum digest_algorithm algorithm);

/*
 * _manifests/tags/<tag>/, the link to the tag's manifest, and the index of all manifests that it
 * has named.
 */
struct key key_tag_prefix(const char *name, const char *tag);
struct key key_tag_current(const char *name, const char *tag);
struct key key_tag_index(const char *name, const char *tag, const struct digest *digest,
                         const char *file);

/* _manifests/referrers/<alg>/<hex of subject>/[<alg>/[<hex>/[link]]] */
struct key key_subject(const char *name, const struct digest *subject);
struct key key_referrers(const char *name, const struct digest *subject,
                         enum digest_algorithm algorithm);
struct key key_referrer(const char *name, const struct digest *subject,
                        const struct digest *digest);
struct key key_referrer_prefix(const char *name, const struct digest *subject,
                               const struct digest *digest);

/* _registryd/pulled/tags/<tag> and _registryd/pulled/<alg>/<hex>: when it was pulled. */
struct key key_pulled_tag(const char *name, const char *tag);
struct key key_pulled_manifest(const char *name, const struct digest *digest);

/* _registryd/pushed/tags/<tag>: who pushed it. */
struct key key_pushed_tag(const char *name, const char *tag);

/* _uploads/<id>/<file>: "data", "startedat", or "" for the prefix. */
struct key key_upload(const char *name, const char *id, const char *file);

/* Parses the name of a prefix below that of an algorithm; false if it is not a digest. */
bool key_parse_hex(enum digest_algorithm algorithm, const char *hex, struct digest *ret);

/*
 * Reads the digest in a link. STORAGE_NOT_FOUND if there is no link, or an empty one, which
 * registry:2 leaves after a power failure.
 */
int link_read(struct storage *storage, const struct key *key, enum storage_waiting waiting,
              struct digest *ret, struct error *err) MUST_USE;

/* Like link_read(), but returns LINK_EMPTY if the link is empty. Safe against a concurrent push. */
enum { LINK_EMPTY = STORAGE_WOULD_WAIT + 1 };
int link_read_strictly(struct storage *storage, const struct key *key, struct digest *ret,
                       struct error *err) MUST_USE;

/*
 * Like link_read(), for a link below a prefix that a digest names. A sha256 digest's link contains
 * the same digest, so only its size is checked.
 */
int link_find(struct storage *storage, const struct key *key, const struct digest *digest,
              enum storage_waiting waiting, struct digest *ret, struct error *err) MUST_USE;

/* Whether a link of that size must contain the digest itself. */
bool link_is_plain(const struct digest *digest, uint64_t size);
