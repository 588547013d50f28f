#include "registry/core/checked-blobs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/core/digest-set.h"

/* One MiB of address space; only used pages take memory. */
enum { PLACES = 16384, LONGEST_S = 24 * 60 * 60 };

struct place {
    struct digest_id id;
    uint64_t identity;
    int64_t until_s; /* by boottime_ms(); 0: the slot is free */
};

struct checked_blobs {
    pthread_mutex_t mutex;
    struct place *places; /* by the first bytes of the digest */
};

struct checked_blobs *checked_blobs_new(void)
{
    struct checked_blobs *checked = calloc(1, sizeof(*checked));

    if (!checked)
        return NULL;
    checked->places = calloc(PLACES, sizeof(*checked->places));
    if (!checked->places) {
        free(checked);
        return NULL;
    }
    pthread_mutex_init(&checked->mutex, NULL);
    return checked;
}

void checked_blobs_free(struct checked_blobs *checked)
{
    if (!checked)
        return;
    pthread_mutex_destroy(&checked->mutex);
    free(checked->places);
    free(checked);
}

static int64_t now_s(void)
{
    return (int64_t)(boottime_ms() / 1000);
}

static struct place *find_place(struct checked_blobs *checked, const struct digest_id *id)
{
    return &checked->places[(id->bytes[0] << 8 | id->bytes[1]) % PLACES];
}

bool checked_blobs_have(struct checked_blobs *checked, const struct digest *digest,
                        uint64_t identity)
{
    const struct digest_id id = digest_id_of(digest);
    const struct place *place = find_place(checked, &id);
    bool have;

    pthread_mutex_lock(&checked->mutex);
    have = place->until_s > now_s() && place->identity == identity &&
           digest_id_compare(&place->id, &id) == 0;
    pthread_mutex_unlock(&checked->mutex);
    return have;
}

void checked_blobs_add(struct checked_blobs *checked, const struct digest *digest,
                       uint64_t identity)
{
    const struct digest_id id = digest_id_of(digest);
    struct place *place = find_place(checked, &id);

    pthread_mutex_lock(&checked->mutex);
    *place = (struct place){.id = id, .identity = identity, .until_s = now_s() + LONGEST_S};
    pthread_mutex_unlock(&checked->mutex);
}
