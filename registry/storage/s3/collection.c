/* When objects were used, for garbage collection and for the purge of uploads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/s3/http-date.h"
#include "registry/storage/s3/s3-private.h"

int s3_refresh(struct storage *storage, const char *key, enum storage_waiting waiting,
               struct storage_object *ret, struct error *err)
{
    return storage_head(storage, key, waiting, ret, err);
}

/* When key, an object or a prefix, was written last. 0, STORAGE_NOT_FOUND or negative. */
static int find_use(struct s3 *s3, const char *key, int64_t *ret_s, struct error *err)
{
    return key[strlen(key) - 1] == '/' ? s3_find_newest(s3, key, ret_s, err)
                                       : s3_find_time(s3, key, ret_s, err);
}

int s3_used_since(struct storage *storage, const char *key, int64_t moment_s, bool *ret,
                  struct error *err)
{
    struct s3 *s3 = (struct s3 *)storage;
    int64_t used_s;
    int r = find_use(s3, key, &used_s, err);

    if (r == 0)
        *ret = used_s >= moment_s;
    return r;
}

int s3_last_use(struct storage *storage, const char *key, int64_t *ret_ns, struct error *err)
{
    struct s3 *s3 = (struct s3 *)storage;
    int64_t used_s;
    int r = find_use(s3, key, &used_s, err);

    if (r == 0)
        *ret_ns = used_s * 1000000000;
    return r;
}

int s3_remove_unused(struct storage *storage, struct storage_removal *removals, size_t count,
                     int64_t moment_s, struct error *err)
{
    (void)storage;
    (void)removals;
    (void)moment_s;
    return count == 0
               ? 0
               : error_set(err, ENOTSUP, "garbage in a bucket cannot be collected by this version");
}

int s3_clean_up(struct storage *storage, int64_t age_s, struct error *err)
{
    (void)storage;
    (void)age_s;
    (void)err;
    return 0;
}
