#include "tests/unit/registry-storage-s3/bucket-fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "registry/storage/s3/s3.h"

enum { DEADLINE_MS = 600000 };

static struct keyring *keyring;
static struct s3_client *client;

static int start(struct error *err)
{
    const char *secret_text = getenv("S3_SECRET_KEY");
    CLEANUP(secbuf_done) struct secbuf secret = {0};
    const struct s3_client_options options = {
        .endpoint = getenv("S3_ENDPOINT"),
        .bucket = getenv("S3_BUCKET"),
        .region = "us-east-1",
        .deadline_ms = DEADLINE_MS,
        .transport = {.connections = 8, .connect_ms = DEADLINE_MS, .idle_s = DEADLINE_MS / 1000},
    };
    int r;

    if (!options.endpoint || !options.bucket || !secret_text)
        return error_set(err, EINVAL,
                         "set S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY and S3_SECRET_KEY");
    if (secbuf_append(&secret, secret_text, strlen(secret_text)) < 0)
        return error_set_oom(err);
    r = keyring_new(&(struct keyring_options){.access = getenv("S3_ACCESS_KEY"), .secret = &secret},
                    &keyring, err);
    return r == 0 ? s3_client_new(&options, keyring, &client, err) : r;
}

static char root[RANDOM_UUID_SIZE]; /* of the last one */

int bucket_fixture_open_again(struct storage **ret, struct error *err)
{
    return s3_open(&(struct s3_options){.client = client, .root = root}, ret, err);
}

int bucket_fixture_open(struct storage **ret, struct error *err)
{
    int r = client ? 0 : start(err);

    random_uuid(root);
    return r == 0 ? bucket_fixture_open_again(ret, err) : r;
}

void bucket_fixture_end(void)
{
    s3_client_free(client);
    keyring_free(keyring);
}
