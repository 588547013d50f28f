#pragma once

#include "common/digest.h"
#include "registry/storage/storage.h"

/*
 * registry:2's layout: where what lies below docker/registry/v2 (distribution 2.8,
 * registry/storage/paths.go), and the keys that are ours alone (aliases, the type and the referrers),
 * which registry:2 passes over. Pure, but for what reads links; from any thread.
 */
enum { KEY_SIZE = 1024 }; /* more than the longest name, tag and digests take */

struct key {
    char text[KEY_SIZE];
};

#define KEY_REPOSITORIES "repositories"
#define KEY_BLOBS "blobs/sha256"
#define KEY_ALIASES "blobs/sha512"

/* A file or folder of a repository: repositories/<name>/<path>. */
struct key key_in_repository(const char *name, const char *path);

/* The bytes: blobs/sha256/<2 hex>/<hex>/data, and the folder they lie in. */
struct key key_blob(const struct digest *digest);
struct key key_blob_folder(const struct digest *digest);

/* blobs/sha512/<2 hex>/<hex>/link: under which sha256 digest the bytes of this one lie. */
struct key key_alias(const struct digest *digest);

/* _layers/<alg>/<hex>/link: the repository has that blob. The folder is what has to go with it. */
struct key key_layer(const char *name, const struct digest *digest);
struct key key_layer_folder(const char *name, const struct digest *digest);

/* _manifests/revisions/<alg>/<hex>/<file>: "link", or "media-type", or "" for the folder. */
struct key key_revision(const char *name, const struct digest *digest, const char *file);

/* _manifests/revisions/<alg> and _layers/<alg>, in which the digests of one algorithm lie. */
struct key key_revisions(const char *name, enum digest_algorithm algorithm);
struct key key_layers(const char *name, enum digest_algorithm algorithm);

/* _manifests/tags/<tag>, what it names now, and the record of what it ever named. */
struct key key_tag(const char *name, const char *tag);
struct key key_tag_current(const char *name, const char *tag);
struct key key_tag_index(const char *name, const char *tag, const struct digest *digest, const char *file);

/* _manifests/referrers/<alg>/<hex of subject>[/<alg>[/<hex>/link]] */
struct key key_subject(const char *name, const struct digest *subject);
struct key key_referrers(const char *name, const struct digest *subject, enum digest_algorithm algorithm);
struct key key_referrer(const char *name, const struct digest *subject, const struct digest *digest);
struct key key_referrer_folder(const char *name, const struct digest *subject, const struct digest *digest);

/* _uploads/<id>/<file>: "data", "startedat", or "" for the folder. */
struct key key_upload(const char *name, const char *id, const char *file);

/* The digest that a folder of an algorithm's is named by; false where the name is none. */
bool key_parse_hex(enum digest_algorithm algorithm, const char *hex, struct digest *ret);

/*
 * The digest that a link holds. DRIVER_NOT_FOUND where there is no link, or an empty one, as a
 * power failure leaves from registry:2.
 */
int link_read(struct driver *driver, const struct key *key, struct digest *ret, struct error *err) MUST_USE;

/* Likewise, but LINK_EMPTY where it is empty; who pushes meanwhile does not disturb. */
enum { LINK_EMPTY = DRIVER_NOT_FOUND + 1 };
int link_read_strictly(struct driver *driver, const struct key *key, struct digest *ret, struct error *err) MUST_USE;

/*
 * Likewise of a link in a folder that is named by a digest. Where that is a sha256 the link holds the same, so that its
 * size is all that is looked at.
 */
int link_find(struct driver *driver, const struct key *key, const struct digest *digest, struct digest *ret,
              struct error *err) MUST_USE;

/* Whether such a link is of that size, and so holds the digest itself. */
bool link_is_plain(const struct digest *digest, uint64_t size);
