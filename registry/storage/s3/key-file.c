#include "registry/storage/s3/key-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"

enum { FILE_SIZE_MAX = 1 << 20, READ_SIZE = 4096 };

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
    return piece_trim(line);
}

static void read_setting(struct piece line, struct keys_source *profile)
{
    const char *equals = memchr(line.text, '=', line.size);
    struct piece name, value;

    if (!equals)
        return;
    name = piece_trim((struct piece){line.text, (size_t)(equals - line.text)});
    value = piece_trim((struct piece){equals + 1, line.size - (size_t)(equals + 1 - line.text)});
    if (is_text(name, "aws_access_key_id"))
        profile->access = value;
    else if (is_text(name, "aws_secret_access_key"))
        profile->secret = value;
    else if (is_text(name, "aws_session_token"))
        profile->token = value;
}

static struct keys_source find_profile(struct piece text, const char *name)
{
    struct keys_source profile = {.token.text = ""};
    bool is_inside = false;

    while (text.size > 0) {
        struct piece line = next_line(&text);

        if (line.size > 2 && line.text[0] == '[' && line.text[line.size - 1] == ']')
            is_inside = is_text(piece_trim((struct piece){line.text + 1, line.size - 2}), name);
        else if (is_inside && line.size > 0 && !strchr("#;", line.text[0]))
            read_setting(line, &profile);
    }
    return profile;
}

int key_file_read(const char *path, size_t limit, struct secbuf *ret, struct error *err)
{
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, path, NULL);
    size_t before = ret->size;

    if (fd == -ENOENT || fd == -ENOTDIR)
        return -ENOENT;
    if (fd < 0)
        return error_set_errno(err, -fd, "cannot read the credentials file %s", path);
    for (;;) {
        ssize_t n;

        if (secbuf_reserve(ret, READ_SIZE) < 0)
            return error_set_oom(err);
        n = read(fd, ret->data + ret->size, ret->capacity - ret->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "cannot read the credentials file %s", path);
        if (n == 0)
            return 0;
        ret->size += (size_t)n;
        if (ret->size - before > limit)
            return error_set(err, EFBIG, "%s is too large for a credentials file", path);
    }
}

int key_file_read_profile(const char *path, const char *name, struct keys **ret, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf text = {0};
    struct keys_source profile;
    int r = key_file_read(path, FILE_SIZE_MAX, &text, err);

    if (r < 0)
        return r;
    profile = find_profile((struct piece){(const char *)text.data, text.size}, name);
    if (profile.access.size == 0)
        return -ENOENT;
    profile.origin = path;
    return keys_new(&profile, ret, err);
}
