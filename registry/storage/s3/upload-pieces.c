/*
 * Bytes of an upload that wait in the store for more, because others need the memory. No state
 * names them: they are lost with the process, as bytes in memory are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/s3/remover.h"
#include "registry/storage/s3/upload-private.h"

enum { NAME_SIZE = 48 };

char *s3_upload_tail_key(const struct s3_upload *upload, const char *tail_name)
{
    char name[NAME_SIZE] = "tail-";

    memcpy(name + strlen("tail-"), tail_name, strlen(tail_name) + 1);
    return session_key(upload->key, name);
}

void s3_upload_forget_tail(struct s3_upload *upload, const char *name)
{
    CLEANUP_FREE char *key = *name ? s3_upload_tail_key(upload, name) : NULL;

    if (key)
        (void)!remover_add(upload->s3->remover, key);
}

int s3_upload_put_tail(struct s3_upload *upload, char ret_name[RANDOM_UUID_SIZE], struct error *err)
{
    CLEANUP_FREE char *key = NULL;
    struct storage_step step = {.kind = STORAGE_PUT, .data = upload->buffer, .size = upload->count};

    random_uuid(ret_name);
    key = s3_upload_tail_key(upload, ret_name);
    step.key = key;
    return key ? s3_put(upload->s3, &step, err) : error_set_oom(err);
}

int s3_upload_add_piece(struct s3_upload *upload, const char *name, size_t size, struct error *err)
{
    struct upload_piece *pieces = calloc(upload->piece_count + 1, sizeof(*pieces));

    if (!pieces)
        return error_set_oom(err);
    if (upload->piece_count > 0)
        memcpy(pieces, upload->pieces, upload->piece_count * sizeof(*pieces));
    free(upload->pieces);
    upload->pieces = pieces;
    pieces[upload->piece_count].size = size;
    memcpy(pieces[upload->piece_count].name, name, RANDOM_UUID_SIZE);
    upload->piece_count++;
    upload->piece_bytes += size;
    return 0;
}

/* The state object may have to be written again with the bytes that it has. */
static int save_inside(struct s3_upload *upload, struct error *err)
{
    if (upload->kept == 0 || *upload->session.tail_name || upload->inside)
        return 0;
    upload->inside = malloc(upload->kept);
    if (!upload->inside)
        return error_set_oom(err);
    memcpy(upload->inside, upload->buffer, upload->kept);
    return 0;
}

int s3_upload_spill(struct s3_upload *upload, struct error *err)
{
    char name[RANDOM_UUID_SIZE];
    int r = save_inside(upload, err);

    if (r == 0)
        r = s3_upload_put_tail(upload, name, err);
    if (r == 0)
        r = s3_upload_add_piece(upload, name, upload->count, err);
    if (r == 0)
        s3_upload_drop_buffer(upload);
    return r;
}

/* --- bringing them back ---------------------------------------------------------------------- */

static int load_piece(struct s3_upload *upload, const struct upload_piece *piece, char *to,
                      struct error *err)
{
    CLEANUP_FREE char *key = s3_upload_tail_key(upload, piece->name);
    struct storage_reader *reader = NULL;
    struct storage_object object;
    size_t at = 0;
    ssize_t n = 0;
    int r = key ? storage_open(&upload->s3->storage, key, STORAGE_MAY_WAIT, &reader, &object, err)
                : error_set_oom(err);

    if (r < 0)
        return r;
    while (r == 0 && object.size == piece->size && at < piece->size) {
        n = storage_reader_read(reader, at, to + at, piece->size - at);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    storage_reader_close(reader);
    if (n < 0)
        return error_set_errno(err, (int)-n, "cannot read %s", key);
    return at == piece->size ? 0 : error_set(err, EIO, "%s is incomplete", key);
}

/* What the state names is removed when the next state is written. */
void s3_upload_forget_pieces(struct s3_upload *upload)
{
    for (size_t i = 0; i < upload->piece_count; i++) {
        const char *name = upload->pieces[i].name;

        if (strcmp(name, upload->session.tail_name) != 0 && strcmp(name, upload->stored_tail) != 0)
            s3_upload_forget_tail(upload, name);
    }
    free(upload->pieces);
    upload->pieces = NULL;
    upload->piece_count = upload->piece_bytes = 0;
}

/* Into a new buffer, with the memory that was granted. */
static int load_pieces(struct s3_upload *upload, struct error *err)
{
    size_t rest = upload_rest(upload), at = 0;
    size_t capacity = upload->grant.size > rest ? upload->grant.size : rest;
    CLEANUP_FREE char *buffer = malloc(capacity);
    int r = buffer ? 0 : error_set_oom(err);

    for (size_t i = 0; r == 0 && i < upload->piece_count; i++) {
        r = load_piece(upload, &upload->pieces[i], buffer + at, err);
        at += upload->pieces[i].size;
    }
    if (r < 0)
        return r;
    if (upload->count > 0)
        memcpy(buffer + at, upload->buffer, upload->count);
    free(upload->buffer);
    upload->buffer = steal_ptr(&buffer);
    upload->count = rest;
    upload->capacity = capacity;
    s3_upload_forget_pieces(upload);
    return 0;
}

/* A grant that is not for all bytes is of no use, and nobody asks for more while holding one. */
static int ask_for_all(struct s3_upload *upload, enum storage_waiting waiting, struct error *err)
{
    size_t rest = upload_rest(upload), part = upload->s3->options.part_size;
    int r = 0;

    if (upload->grant.is_held && upload->grant.size < rest)
        r = upload->count > UPLOAD_SMALL_MAX ? s3_upload_spill(upload, err) : 0;
    if (r < 0)
        return r;
    if (upload->grant.size < rest)
        upload_budget_shrink(upload->s3->budget, &upload->grant, 0);
    return s3_upload_ask(upload, rest > part ? rest : part, waiting, err);
}

int s3_upload_gather(struct s3_upload *upload, enum storage_waiting waiting, struct error *err)
{
    int r;

    if (upload->piece_count == 0)
        return 0;
    r = ask_for_all(upload, waiting, err);
    if (r == 0)
        r = load_pieces(upload, err);
    if (r < 0)
        upload_budget_shrink(upload->s3->budget, &upload->grant, 0);
    return r;
}
