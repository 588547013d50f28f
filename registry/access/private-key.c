#include "registry/access/private-key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base64.h"
#include "common/random.h"

enum { KEY_NAME_MAX = 128 };

static void format_key(const char *name, char ret_key[KEY_NAME_MAX])
{
    snprintf(ret_key, KEY_NAME_MAX, PRIVATE_KEYS "%s", name);
}

int private_key_read(struct storage *storage, const char *name, struct secbuf *ret_text,
                     struct error *err)
{
    char key[KEY_NAME_MAX], *bytes;
    size_t size;
    int r;

    format_key(name, key);
    r = storage_get(storage, key, PRIVATE_KEY_MAX, STORAGE_MAY_WAIT, &bytes, &size, err);
    if (r != 0)
        return r;
    r = secbuf_append(ret_text, bytes, size);
    explicit_bzero(bytes, size);
    free(bytes);
    return r < 0 ? error_set_oom(err) : 0;
}

int private_key_create(struct storage *storage, const char *name, const struct secbuf *text,
                       struct error *err)
{
    char key[KEY_NAME_MAX];
    const struct storage_step step = {
        .kind = STORAGE_PUT,
        .key = key,
        .data = text->data,
        .size = text->size,
        .condition = STORAGE_IF_ABSENT,
    };

    format_key(name, key);
    return storage_write(storage, &step, 1, err);
}

/* Stores the key as base64url, so that editing or copying the file does not damage it. */
static int create_random(struct storage *storage, const char *name, size_t size, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf key = {0}, text = {0};

    if (secbuf_reserve(&key, size) < 0 ||
        secbuf_reserve(&text, base64url_encoded_size(size) + 1) < 0)
        return error_set_oom(err);
    random_bytes(key.data, size);
    base64url_encode(key.data, size, (char *)text.data);
    text.size = base64url_encoded_size(size);
    return private_key_create(storage, name, &text, err);
}

static int decode(const struct secbuf *text, const char *name, size_t size, struct secbuf *ret_key,
                  struct error *err)
{
    size_t length = text->size;

    while (length > 0 && text->data[length - 1] == '\n')
        length--;
    if (secbuf_reserve(ret_key, length + 3) < 0)
        return error_set_oom(err);
    if (base64url_decode((const char *)text->data, length, ret_key->data, &ret_key->size) < 0 ||
        ret_key->size != size)
        return error_set(err, EBADMSG,
                         PRIVATE_KEYS "%s is damaged; remove it, and everybody must log in again",
                         name);
    return 0;
}

int private_key_load(struct storage *storage, const char *name, size_t size, struct secbuf *ret_key,
                     struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf text = {0};
    int r = private_key_read(storage, name, &text, err);

    if (r == STORAGE_NOT_FOUND) {
        r = create_random(storage, name, size, err);
        if (r >= 0)
            r = private_key_read(storage, name, &text, err);
    }
    if (r > 0)
        return error_set(err, ENOENT, PRIVATE_KEYS "%s was removed a moment ago", name);
    return r < 0 ? r : decode(&text, name, size, ret_key, err);
}
