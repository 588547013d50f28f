#pragma once

#include "registry/api/upload-answer.h"

/* The rest of a body is discarded after the first failure, and once it exceeds the quota. */
enum writing_state { WRITING_OPEN, WRITING_OVER_QUOTA, WRITING_FAILED };

/*
 * An upload session while a request writes to it: call->state of the requests that have a body. A
 * function that may refuse the request sets the response.
 */
struct writing {
    struct upload *upload;
    struct digest digest; /* the expected digest of the blob */
    bool has_digest;
    enum writing_state state;
    struct error err;  /* of WRITING_FAILED */
    uint64_t expected; /* the length that Content-Range announces; 0: none */
    uint64_t received;
    uint64_t room; /* how many bytes the quotas still allow; UINT64_MAX: no limit */
};

/* Takes ownership of upload. NULL: out of memory, and response says so. */
struct writing *writing_start(struct call *call, struct response *response, struct upload *upload);

/*
 * Call it before the body: refuses a body that is too large for the quotas, and records how many
 * bytes are allowed. A blob that the quotas already count needs no room.
 */
void writing_check_room(struct call *call, struct response *response, struct writing *writing);

/* The receive() of an endpoint: writes a piece of the body to the session. */
enum http_result writing_receive(struct call *call, const void *data, size_t size);

/*
 * To be called first after the body. Anything but HTTP_MORE is what the phase must return: it waits
 * for a worker, or for the memory that it needs to keep or commit the session.
 */
enum http_result writing_prepare_end(struct call *call);

/*
 * Returns whether the body was written and has the length that Content-Range announced. If not,
 * refuses the request.
 */
bool writing_is_received(const struct call *call, struct writing *writing,
                         struct response *response);

/* Turns the session into a blob, and answers the request. */
void writing_commit(struct call *call, struct response *response);

/* Frees call->state, and releases the session. */
void writing_release(struct call *call);

/* The same at the end of a request, on its event thread, which must not wait for the storage. */
void writing_release_at_end(struct call *call);
