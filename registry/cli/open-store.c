#include "registry/cli/open-store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "registry/cli/load-bucket.h"

_Static_assert((int)BUCKET_PORTS_MAX <= (int)CONFINE_PORTS_MAX,
               "each port of a bucket has a place");

int open_store_prepare(const struct settings *settings, struct bucket **ret, struct error *err)
{
    const struct settings_s3 *s3 = &settings->storage.s3;
    const struct bucket_module *module;
    int r;

    *ret = NULL;
    if (!s3->is_enabled)
        return 0;
    r = load_bucket(&module, err);
    if (r < 0)
        return r;
    return module->prepare(
        &(struct bucket_options){
            .endpoint = s3->endpoint,
            .bucket = s3->bucket,
            .region = s3->region,
            .root = s3->root_directory,
            .has_bucket_in_host = s3->has_bucket_in_host,
            .skips_verify = s3->skips_verify,
            .keys = {.access = s3->access_key,
                     .secret = &s3->secret_key,
                     .token = &s3->session_token,
                     .environment = (const char *const *)environ},
            .part_size = s3->part_size,
            .copy_part_size = s3->copy_part_size,
            .copy_threshold = s3->copy_threshold,
            .is_encrypted = s3->is_encrypted,
            .key_id = s3->key_id,
            .storage_class = s3->storage_class,
            .acl = s3->acl,
        },
        ret, err);
}

void open_store_allow(const struct settings *settings, const struct bucket *bucket,
                      struct confinement *confinement)
{
    if (!bucket) {
        confinement->storage = settings->storage.root_directory;
        return;
    }
    bucket->functions->get_ports(bucket, confinement->ports);
    confinement->authorities = bucket->functions->get_authorities(bucket);
    confinement->token_file = bucket->functions->get_token_file(bucket);
}

int open_store_storage(const struct settings *settings, struct bucket *bucket,
                       enum filesystem_sharing sharing, struct storage **ret, struct error *err)
{
    return bucket ? bucket_open(bucket, ret, err)
                  : filesystem_open(settings->storage.root_directory, sharing, ret, err);
}

int open_store(const struct settings *settings, struct bucket *bucket,
               enum filesystem_sharing sharing, struct store **ret, struct error *err)
{
    struct storage *storage;
    int r = open_store_storage(settings, bucket, sharing, &storage, err);

    return r < 0 ? r : store_open(storage, ret, err);
}

char *open_store_describe(const struct settings *settings)
{
    const struct settings_s3 *s3 = &settings->storage.s3;
    char *text;

    if (!s3->is_enabled)
        return strdup(settings->storage.root_directory);
    return asprintf(&text, "the bucket %s at %s", s3->bucket, s3->endpoint) < 0 ? NULL : text;
}
