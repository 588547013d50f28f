/* How an upload becomes an object, and how its parts are read again before. */
#include <errno.h>
#include <string.h>

#include "registry/storage/s3/multipart.h"
#include "registry/storage/s3/upload-private.h"

/* --- reading --------------------------------------------------------------------------------- */

/* Completes the multipart upload, unless a process that was killed then has. 0 or negative. */
static int complete(struct s3_upload *upload, struct error *err)
{
    const struct session *session = &upload->session;
    struct storage_object object;
    int r = multipart_complete(upload->s3, upload->key, session->id, session->parts, session->base,
                               session->chain, err);

    if (r != STORAGE_NOT_FOUND)
        return r;
    r = s3_head(upload->s3, upload->key, &object, err);
    if (r == STORAGE_NOT_FOUND || (r == 0 && object.size != session->base))
        return error_set(err, EIO, "the parts of %s are gone", upload->key);
    return r;
}

/*
 * Parts cannot be read, so they become an object at the key of the upload. The state says so
 * before: after a crash in between another server completes it. 0, STORAGE_CLAIM_LOST or negative.
 */
static int seal(struct s3_upload *upload, struct error *err)
{
    int r = s3_upload_claim(upload, err);

    if (r == 0)
        r = s3_upload_gather(upload, STORAGE_MAY_WAIT, err);
    if (r == 0 && !upload->session.is_sealed) {
        while (r == 0 && upload->count > 0)
            r = s3_upload_send_part(upload, err);
        upload->session.is_sealed = r == 0;
        r = r == 0 ? s3_upload_note(upload, err) : r;
    }
    if (r == 0 && !upload->is_complete) {
        r = complete(upload, err);
        upload->is_complete = r == 0;
    }
    return r;
}

/* 0, an outcome or negative. */
static int open_parts(struct s3_upload *upload)
{
    struct storage_object object;
    int r = seal(upload, NULL);

    return r == 0 ? storage_open(&upload->s3->storage, upload->key, STORAGE_MAY_WAIT,
                                 &upload->reader, &object, NULL)
                  : r;
}

static ssize_t read_buffer(const struct s3_upload *upload, uint64_t at, void *ret_data, size_t size)
{
    size_t rest = at < upload->count ? upload->count - (size_t)at : 0;
    size_t n = size < rest ? size : rest;

    if (n > 0)
        memcpy(ret_data, upload->buffer + at, n);
    return (ssize_t)n;
}

ssize_t s3_upload_read(struct storage_upload *base, uint64_t offset, void *ret_data, size_t size)
{
    CLEANUP(s3_upload_unusep) struct s3_upload *upload = s3_upload_use(base);
    int r;

    r = s3_upload_gather(upload, STORAGE_MAY_WAIT, NULL);
    if (r < 0)
        return r;
    if (offset >= upload->session.base)
        return read_buffer(upload, offset - upload->session.base, ret_data, size);
    r = upload->reader ? 0 : open_parts(upload);
    if (r == 0)
        r = s3_upload_claim(upload, NULL); /* reading a large upload takes longer than a lease */
    if (r != 0)
        return r < 0 ? r : -ESTALE;
    return storage_reader_read(upload->reader, offset, ret_data, size);
}

/* --- publishing ------------------------------------------------------------------------------ */

static int publish_small(struct s3_upload *upload, const char *key, struct error *err)
{
    const struct storage_step step = {.kind = STORAGE_PUT,
                                      .key = key,
                                      .data = upload->buffer,
                                      .size = upload->count,
                                      .condition = STORAGE_IF_ABSENT};

    return s3_put(upload->s3, &step, err);
}

static int publish_large(struct s3_upload *upload, const char *key, struct error *err)
{
    struct storage_object object;
    int r = s3_head(upload->s3, key, &object, err);

    if (r != STORAGE_NOT_FOUND)
        return r < 0 ? r : STORAGE_CONFLICT;
    r = seal(upload, err);
    return r == 0 ? multipart_copy(upload->s3, upload->key, upload->session.base, key, err) : r;
}

/* An upload without a state object needs no claim: only this process knows it. */
int s3_publish(const struct storage_step *step, struct error *err)
{
    CLEANUP(s3_upload_unusep) struct s3_upload *upload = s3_upload_use(step->upload);
    int r = upload->phase == UPLOAD_OPEN ? 0 : STORAGE_CLAIM_LOST;

    if (r == 0 && upload->session.is_stored)
        r = s3_upload_claim(upload, err);
    if (r == 0)
        r = s3_upload_gather(upload, STORAGE_MAY_WAIT, err);
    if (r == 0)
        r = upload->session.parts == 0 ? publish_small(upload, step->key, err)
                                       : publish_large(upload, step->key, err);
    if (r == 0)
        upload->phase = UPLOAD_PUBLISHED;
    return r;
}
