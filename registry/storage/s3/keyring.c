#include "registry/storage/s3/keyring.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"

enum { FILE_SIZE_MAX = 1 << 20 };

struct keyring {
    char *access, *origin;
    struct secbuf secret, token;
    struct s3_keys keys;
};

/* A piece of text that is not terminated. */
struct piece {
    const char *text;
    size_t size;
};

static int set_text(struct secbuf *buffer, struct piece piece, struct error *err)
{
    secbuf_truncate(buffer, 0);
    return secbuf_append(buffer, piece.text, piece.size) < 0 ? error_set_oom(err) : 0;
}

/* Takes all three from one place. 0 or negative. */
static int set_keys(struct keyring *keyring, struct piece access, struct piece secret,
                    struct piece token, const char *origin, struct error *err)
{
    free(keyring->access);
    keyring->access = strndup(access.text, access.size);
    keyring->origin = strdup(origin);
    if (!keyring->access || !keyring->origin)
        return error_set_oom(err);
    for (const char *at = keyring->access; *at; at++)
        if (!isgraph((unsigned char)*at) || strchr("/,;=", *at))
            return error_set(err, EINVAL, "%s: invalid name of an access key", origin);
    if (secret.size == 0)
        return error_set(err, EINVAL, "%s: the access key has no secret key", origin);
    if (set_text(&keyring->secret, secret, err) < 0 || set_text(&keyring->token, token, err) < 0)
        return -ENOMEM;
    return 0;
}

/* --- the environment ------------------------------------------------------------------------- */

static struct piece find_variable(const char *const *environment, const char *name)
{
    size_t size = strlen(name);

    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
            return (struct piece){*environment + size + 1, strlen(*environment + size + 1)};
    return (struct piece){"", 0};
}

static int use_environment(struct keyring *keyring, const char *const *environment,
                           struct error *err)
{
    return set_keys(keyring, find_variable(environment, "AWS_ACCESS_KEY_ID"),
                    find_variable(environment, "AWS_SECRET_ACCESS_KEY"),
                    find_variable(environment, "AWS_SESSION_TOKEN"), "the environment", err);
}

/* --- the shared file ------------------------------------------------------------------------- */

static struct piece trim(struct piece piece)
{
    while (piece.size > 0 && isspace((unsigned char)piece.text[0])) {
        piece.text++;
        piece.size--;
    }
    while (piece.size > 0 && isspace((unsigned char)piece.text[piece.size - 1]))
        piece.size--;
    return piece;
}

static bool is_text(struct piece piece, const char *text)
{
    return piece.size == strlen(text) && memcmp(piece.text, text, piece.size) == 0;
}

/* Takes a line off the front of the text, without the newline and what is around it. */
static struct piece next_line(struct piece *text)
{
    const char *newline = memchr(text->text, '\n', text->size);
    size_t size = newline ? (size_t)(newline - text->text) : text->size;
    struct piece line = {text->text, size};

    text->text += size + (newline ? 1 : 0);
    text->size -= size + (newline ? 1 : 0);
    return trim(line);
}

struct profile {
    struct piece access, secret, token;
};

static void read_setting(struct piece line, struct profile *profile)
{
    const char *equals = memchr(line.text, '=', line.size);
    struct piece name, value;

    if (!equals)
        return;
    name = trim((struct piece){line.text, (size_t)(equals - line.text)});
    value = trim((struct piece){equals + 1, line.size - (size_t)(equals + 1 - line.text)});
    if (is_text(name, "aws_access_key_id"))
        profile->access = value;
    else if (is_text(name, "aws_secret_access_key"))
        profile->secret = value;
    else if (is_text(name, "aws_session_token"))
        profile->token = value;
}

static struct profile read_profile(struct piece text, const char *name)
{
    struct profile profile = {.token.text = ""};
    bool is_inside = false;

    while (text.size > 0) {
        struct piece line = next_line(&text);

        if (line.size > 2 && line.text[0] == '[' && line.text[line.size - 1] == ']')
            is_inside = is_text(trim((struct piece){line.text + 1, line.size - 2}), name);
        else if (is_inside && line.size > 0 && !strchr("#;", line.text[0]))
            read_setting(line, &profile);
    }
    return profile;
}

/* The file with its secrets, in secure memory. 0, -ENOENT or negative with err. */
static int read_file(const char *path, struct secbuf *ret, struct error *err)
{
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, path, NULL);

    if (fd == -ENOENT || fd == -ENOTDIR)
        return -ENOENT;
    if (fd < 0)
        return error_set_errno(err, -fd, "cannot read the credentials file %s", path);
    for (;;) {
        ssize_t n;

        if (secbuf_reserve(ret, 4096) < 0)
            return error_set_oom(err);
        n = read(fd, ret->data + ret->size, ret->capacity - ret->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "cannot read the credentials file %s", path);
        if (n == 0)
            return 0;
        ret->size += (size_t)n;
        if (ret->size > FILE_SIZE_MAX)
            return error_set(err, EFBIG, "%s is too large for a credentials file", path);
    }
}

/* 0, -ENOENT if there is no such file or profile, or negative with err. */
static int use_file(struct keyring *keyring, const char *path, const char *name, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf text = {0};
    struct profile profile;
    int r = read_file(path, &text, err);

    if (r < 0)
        return r;
    profile = read_profile((struct piece){(const char *)text.data, text.size}, name);
    if (profile.access.size == 0)
        return -ENOENT;
    return set_keys(keyring, profile.access, profile.secret, profile.token, path, err);
}

static int find_file(struct keyring *keyring, const char *const *environment, struct error *err)
{
    struct piece path = find_variable(environment, "AWS_SHARED_CREDENTIALS_FILE");
    struct piece name = find_variable(environment, "AWS_PROFILE"),
                 home = find_variable(environment, "HOME");
    CLEANUP_FREE char *in_home = NULL;
    int r;

    if (asprintf(&in_home, "%s/.aws/credentials", home.text) < 0)
        return error_set_oom(err);
    r = use_file(keyring, path.size > 0 ? path.text : in_home,
                 name.size > 0 ? name.text : "default", err);
    if (r != -ENOENT)
        return r;
    return error_set(err, ENOENT,
                     "there are no keys for the bucket: set storage.s3.accesskey and secretkey, or "
                     "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write the profile %s into %s",
                     name.size > 0 ? name.text : "default", path.size > 0 ? path.text : in_home);
}

/* --- for callers ----------------------------------------------------------------------------- */

static int fill(struct keyring *keyring, const struct keyring_options *options, struct error *err)
{
    struct piece secret = {"", 0}, token = {"", 0};

    if (options->secret && options->secret->size > 0)
        secret = (struct piece){(const char *)options->secret->data, options->secret->size};
    if (options->token && options->token->size > 0)
        token = (struct piece){(const char *)options->token->data, options->token->size};
    if (options->access && *options->access)
        return set_keys(keyring, (struct piece){options->access, strlen(options->access)}, secret,
                        token, "the configuration", err);
    if (secret.size > 0)
        return error_set(err, EINVAL,
                         "the configuration has a secret key for the bucket, but no access key");
    if (find_variable(options->environment, "AWS_ACCESS_KEY_ID").size > 0)
        return use_environment(keyring, options->environment, err);
    return find_file(keyring, options->environment, err);
}

int keyring_new(const struct keyring_options *options, struct keyring **ret, struct error *err)
{
    struct keyring *keyring = calloc(1, sizeof(*keyring));
    int r;

    if (!keyring)
        return error_set_oom(err);
    r = fill(keyring, options, err);
    if (r < 0) {
        keyring_free(keyring);
        return r;
    }
    keyring->keys = (struct s3_keys){keyring->access, &keyring->secret, &keyring->token};
    *ret = keyring;
    return 0;
}

void keyring_free(struct keyring *keyring)
{
    if (!keyring)
        return;
    secbuf_done(&keyring->secret);
    secbuf_done(&keyring->token);
    free(keyring->access);
    free(keyring->origin);
    free(keyring);
}

const struct s3_keys *keyring_get(const struct keyring *keyring)
{
    return &keyring->keys;
}

const char *keyring_get_origin(const struct keyring *keyring)
{
    return keyring->origin;
}
