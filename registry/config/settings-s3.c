/*
 * Reads storage.s3: a bucket instead of a directory, with registry:2's names.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/config/place.h"
#include "registry/config/settings-private.h"

enum {
    MEBIBYTE = 1 << 20,
    PART_LEAST = 5 * MEBIBYTE, /* S3 refuses smaller ones */
    PART_MOST = 1024 * MEBIBYTE,
    PART_USUAL = 10 * MEBIBYTE,
    COPY_PART_USUAL = 32 * MEBIBYTE,
};

static const struct yaml_tree *find_driver(const struct reader *reader, const char *name)
{
    return yaml_tree_find(yaml_tree_find(reader->tree, "storage"), name);
}

/* Refuses the whole group. */
static int refuse_group(const struct reader *reader, const char *text)
{
    return place_refuse(find_driver(reader, "s3"), "storage.s3", reader->err, "%s", text);
}

static int read_secret(const struct reader *reader, const char *path, struct secbuf *ret)
{
    const struct yaml_tree *node = reader_find(reader, path);

    if (!node || node->size == 0)
        return 0;
    if (node->kind != YAML_SCALAR || strlen(node->text) != node->size)
        return reader_refuse(reader, path, "must be a single value");
    return secbuf_append(ret, node->text, node->size) < 0 ? error_set_oom(reader->err) : 0;
}

static int read_keys(const struct reader *reader, struct settings_s3 *s3)
{
    int r = reader_get_text(reader, "storage.s3.accesskey", &s3->access_key);

    if (r == 0)
        r = read_secret(reader, "storage.s3.secretkey", &s3->secret_key);
    if (r == 0)
        r = read_secret(reader, "storage.s3.sessiontoken", &s3->session_token);
    if (r == 0 && s3->access_key && s3->secret_key.size == 0)
        return refuse_group(reader, "accesskey needs secretkey");
    if (r == 0 && !s3->access_key && (s3->secret_key.size > 0 || s3->session_token.size > 0))
        return refuse_group(reader, "secretkey and sessiontoken need accesskey");
    return r;
}

/* --- where it is ----------------------------------------------------------------------------- */

static bool is_host_text(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr(".-:[]_", *text))
            return false;
    return true;
}

/* A name of a bucket or region becomes part of a host name and of the signature. */
static bool is_name(const char *text)
{
    for (const char *at = text; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr(".-_", *at))
            return false;
    return *text && *text != '.' && strlen(text) <= 255;
}

/* "host", "host:port" or a URL without a path; *ret is the caller's. */
static int make_endpoint(const struct reader *reader, const char *text, bool is_secure, char **ret)
{
    const char *scheme = is_secure ? "https" : "http", *host = text,
               *separator = strstr(text, "://");
    size_t size;

    if (separator) {
        if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
            return reader_refuse(reader, "storage.s3.regionendpoint",
                                 "must begin with http:// or https://, or be a host");
        scheme = strncmp(text, "https", 5) == 0 ? "https" : "http";
        host = separator + 3;
    }
    size = strlen(host);
    if (size > 0 && host[size - 1] == '/')
        size--;
    if (asprintf(ret, "%s://%.*s", scheme, (int)size, host) < 0) {
        *ret = NULL;
        return error_set_oom(reader->err);
    }
    if (size == 0 || !is_host_text(strstr(*ret, "://") + 3))
        return reader_refuse(reader, "storage.s3.regionendpoint",
                             "must be a host, host:port or URL, without a path");
    return 0;
}

/* Where Amazon has the region. */
static int make_endpoint_of_region(const struct reader *reader, struct settings_s3 *s3,
                                   bool is_secure)
{
    const char *top = strncmp(s3->region, "cn-", 3) == 0 ? "amazonaws.com.cn" : "amazonaws.com";

    if (asprintf(&s3->endpoint, "%s://s3.%s.%s", is_secure ? "https" : "http", s3->region, top) >=
        0)
        return 0;
    s3->endpoint = NULL;
    return error_set_oom(reader->err);
}

static int read_place(const struct reader *reader, struct settings_s3 *s3)
{
    const char *endpoint = NULL;
    bool is_secure = true, is_path_style;
    int r = reader_get_text(reader, "storage.s3.bucket", &s3->bucket);

    if (r == 0)
        r = reader_get_text(reader, "storage.s3.region", &s3->region);
    if (r == 0)
        r = reader_get_text(reader, "storage.s3.regionendpoint", &endpoint);
    if (r == 0)
        r = reader_get_bool(reader, "storage.s3.secure", &is_secure);
    if (r == 0)
        r = reader_get_text(reader, "storage.s3.rootdirectory", &s3->root_directory);
    if (r < 0)
        return r;
    if (!s3->bucket)
        return refuse_group(reader, "bucket is missing: the name of the bucket");
    if (!is_name(s3->bucket))
        return reader_refuse(reader, "storage.s3.bucket", "must be the name of a bucket");
    if (!s3->region)
        return refuse_group(reader,
                            "region is missing: such as us-east-1, also with regionendpoint");
    if (!is_name(s3->region))
        return reader_refuse(reader, "storage.s3.region", "must be a name such as us-east-1");
    r = endpoint ? make_endpoint(reader, endpoint, is_secure, &s3->endpoint)
                 : make_endpoint_of_region(reader, s3, is_secure);
    is_path_style = endpoint || strchr(s3->bucket, '.');
    if (r == 0)
        r = reader_get_bool(reader, "storage.s3.forcepathstyle", &is_path_style);
    s3->has_bucket_in_host = !is_path_style;
    return r;
}

/* --- how it is written ----------------------------------------------------------------------- */

static int read_sizes(const struct reader *reader, struct settings_s3 *s3)
{
    int r =
        reader_get_unsigned(reader, "storage.s3.chunksize", PART_LEAST, PART_MOST, &s3->part_size);

    if (r == 0)
        r = reader_get_unsigned(reader, "storage.s3.multipartcopychunksize", PART_LEAST, UINT32_MAX,
                                &s3->copy_part_size);
    if (r == 0)
        r = reader_get_unsigned(reader, "storage.s3.multipartcopythresholdsize", 0, UINT32_MAX,
                                &s3->copy_threshold);
    return r;
}

/* A word that becomes the value of a header. */
static int read_word(const struct reader *reader, const char *path, const char *usual,
                     const char **ret)
{
    int r = reader_get_text(reader, path, ret);

    if (r == 0 && *ret && strpbrk(*ret, " ,\""))
        return reader_refuse(reader, path, "must be one word");
    if (r == 0 && *ret && strcmp(*ret, usual) == 0)
        *ret = NULL;
    return r;
}

static int read_headers(const struct reader *reader, struct settings_s3 *s3)
{
    int r = reader_get_bool(reader, "storage.s3.encrypt", &s3->is_encrypted);

    if (r == 0)
        r = read_word(reader, "storage.s3.keyid", "", &s3->key_id);
    if (r == 0)
        r = read_word(reader, "storage.s3.objectacl", "private", &s3->acl);
    if (r == 0)
        r = read_word(reader, "storage.s3.storageclass", "STANDARD", &s3->storage_class);
    if (r == 0 && s3->storage_class && strcmp(s3->storage_class, "NONE") == 0)
        s3->storage_class = NULL;
    if (r == 0 && s3->key_id && !s3->is_encrypted)
        return reader_refuse(reader, "storage.s3.keyid", "needs encrypt: true");
    return r;
}

static int read_safety(const struct reader *reader, struct settings_s3 *s3)
{
    bool is_v4 = true, is_accelerated = false;
    int r = reader_get_bool(reader, "storage.s3.skipverify", &s3->skips_verify);

    if (r == 0)
        r = reader_get_bool(reader, "storage.s3.v4auth", &is_v4);
    if (r == 0)
        r = reader_get_bool(reader, "storage.s3.accelerate", &is_accelerated);
    if (r == 0 && !is_v4)
        return reader_refuse(reader, "storage.s3.v4auth",
                             "must be true: requests are signed with Signature Version 4 only");
    if (r == 0 && is_accelerated)
        return reader_refuse(reader, "storage.s3.accelerate",
                             "is not supported: name the endpoint in regionendpoint instead");
    if (r == 0 && s3->skips_verify)
        r = reader_warn(reader, "storage.s3.skipverify: anybody between this server and the store "
                                "can read and change the images");
    if (r == 0 && strncmp(s3->endpoint, "http://", 7) == 0)
        r = reader_warn(reader,
                        "storage.s3: %s is not encrypted: anybody between this server and "
                        "the store can read the images",
                        s3->endpoint);
    return r;
}

int settings_read_s3(const struct reader *reader, struct settings_s3 *s3)
{
    int r;

    if (!find_driver(reader, "s3"))
        return 0;
    if (find_driver(reader, "filesystem"))
        return refuse_group(reader,
                            "there is storage.filesystem, too: name one of them (the variable "
                            "REGISTRY_STORAGE=s3 replaces what the file says)");
    s3->is_enabled = true;
    s3->root_directory = "";
    s3->part_size = PART_USUAL;
    s3->copy_part_size = COPY_PART_USUAL;
    s3->copy_threshold = UINT32_MAX;
    r = read_keys(reader, s3);
    if (r == 0)
        r = read_place(reader, s3);
    if (r == 0)
        r = read_sizes(reader, s3);
    if (r == 0)
        r = read_headers(reader, s3);
    return r < 0 ? r : read_safety(reader, s3);
}

void settings_free_s3(struct settings_s3 *s3)
{
    secbuf_done(&s3->secret_key);
    secbuf_done(&s3->session_token);
    free(s3->endpoint);
}
