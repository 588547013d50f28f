/*
 * Claims on prefixes: an object with a line for each holder, changed by compare-and-swap. A line
 * counts until its lease has run out by the store's clock.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/monotonic.h"
#include "registry/storage/s3/session.h"

enum { HOLDERS_MAX = 256, TEXT_MAX = 32 << 10, LOOK_MS = 20, WAITING_S = 5 };

/* "shared", "alone" or "waiting" (to be alone), then the id, and the end of the lease. */
struct holder {
    char mode[8];
    char id[RANDOM_UUID_SIZE];
    int64_t until_s;
};

struct holders {
    struct holder items[HOLDERS_MAX];
    size_t count;
    bool is_new; /* there is no object */
    struct storage_version version;
};

struct s3_claim {
    struct storage_claim claim;
    struct s3 *s3;
    char *key;
    char id[RANDOM_UUID_SIZE];
    int64_t until_s;
};

static void parse_holders(const char *text, int64_t now_s, struct holders *ret)
{
    struct holder holder;
    int size;

    ret->count = 0;
    for (; sscanf(text, "%7s %36s %" SCNd64 "\n%n", holder.mode, holder.id, &holder.until_s,
                  &size) == 3;
         text += size)
        if (holder.until_s + S3_DRIFT_S > now_s && ret->count < HOLDERS_MAX)
            ret->items[ret->count++] = holder;
}

static int read_holders(struct s3 *s3, const char *key, struct holders *ret, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    struct storage_object object;
    int r = s3_get_versioned(s3, key, TEXT_MAX, &text, &object, err);

    if (r < 0)
        return r;
    ret->is_new = r == STORAGE_NOT_FOUND;
    ret->count = 0;
    if (r == 0) {
        ret->version = object.version;
        parse_holders(text, storage_now(&s3->storage), ret);
    }
    return 0;
}

/* 0, STORAGE_CONFLICT or negative. */
static int write_holders(struct s3 *s3, const char *key, const struct holders *holders,
                         struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct storage_step step = {.kind = STORAGE_PUT,
                                .key = key,
                                .condition =
                                    holders->is_new ? STORAGE_IF_ABSENT : STORAGE_IF_UNCHANGED,
                                .version = holders->version};
    char generation[RANDOM_UUID_SIZE];
    bool has_failed;

    if (!out)
        return error_set_oom(err);
    for (size_t i = 0; i < holders->count; i++)
        fprintf(out, "%s %s %" PRId64 "\n", holders->items[i].mode, holders->items[i].id,
                holders->items[i].until_s);
    random_uuid(generation); /* no two states have the same bytes */
    fprintf(out, "# %s\n", generation);
    has_failed = ferror(out);
    if (fclose(out) != 0 || has_failed)
        return error_set_oom(err);
    step.data = text;
    step.size = size;
    return s3_put(s3, &step, err);
}

static struct holder *find(struct holders *holders, const char *id)
{
    for (size_t i = 0; i < holders->count; i++)
        if (strcmp(holders->items[i].id, id) == 0)
            return &holders->items[i];
    return NULL;
}

static void forget(struct holders *holders, const char *id)
{
    struct holder *holder = find(holders, id);

    if (holder)
        *holder = holders->items[--holders->count];
}

/* Whether others prevent a claim in this mode. */
static bool is_prevented(struct holders *holders, const char *id, enum storage_claim_mode mode)
{
    for (size_t i = 0; i < holders->count; i++) {
        bool is_shared = strcmp(holders->items[i].mode, "shared") == 0;
        bool is_waiting = strcmp(holders->items[i].mode, "waiting") == 0;

        if (strcmp(holders->items[i].id, id) == 0)
            continue;
        if (mode == STORAGE_SHARED ? !is_shared : !is_waiting)
            return true;
    }
    return holders->count == HOLDERS_MAX;
}

static void add(struct holders *holders, const char *mode, const char *id, int64_t until_s)
{
    struct holder *holder;

    forget(holders, id);
    holder = &holders->items[holders->count++];
    *holder = (struct holder){.until_s = until_s};
    snprintf(holder->mode, sizeof(holder->mode), "%s", mode);
    memcpy(holder->id, id, RANDOM_UUID_SIZE);
}

/* One look. 0, STORAGE_WOULD_WAIT, STORAGE_CONFLICT (somebody else was faster) or negative. */
static int try_to_claim(struct s3_claim *claim, enum storage_claim_mode mode, bool may_wait,
                        struct error *err)
{
    static const char *const modes[] = {[STORAGE_SHARED] = "shared", [STORAGE_EXCLUSIVE] = "alone"};
    CLEANUP_FREE struct holders *holders = calloc(1, sizeof(*holders));
    int64_t now_s = storage_now(&claim->s3->storage);
    int r = holders ? read_holders(claim->s3, claim->key, holders, err) : error_set_oom(err);

    if (r < 0)
        return r;
    if (!is_prevented(holders, claim->id, mode)) {
        claim->until_s = now_s + S3_LEASE_S;
        add(holders, modes[mode], claim->id, claim->until_s);
        return write_holders(claim->s3, claim->key, holders, err);
    }
    /* Who wants to be alone says so, and renews it, so that new sharers wait. */
    if (mode == STORAGE_EXCLUSIVE && may_wait && holders->count < HOLDERS_MAX) {
        const struct holder *mine = find(holders, claim->id);

        if (!mine || mine->until_s - now_s < WAITING_S / 2) {
            add(holders, "waiting", claim->id, now_s + WAITING_S);
            r = write_holders(claim->s3, claim->key, holders, err);
        }
    }
    return r < 0 ? r : STORAGE_WOULD_WAIT;
}

static void leave(struct s3_claim *claim)
{
    CLEANUP_FREE struct holders *holders = calloc(1, sizeof(*holders));
    struct error ignored;
    int r = holders ? STORAGE_CONFLICT : -ENOMEM;

    while (r == STORAGE_CONFLICT) {
        r = read_holders(claim->s3, claim->key, holders, &ignored);
        if (r < 0 || !find(holders, claim->id))
            return;
        forget(holders, claim->id);
        r = write_holders(claim->s3, claim->key, holders, &ignored);
    }
}

static void claim_free(struct s3_claim *claim)
{
    free(claim->key);
    free(claim);
}

int s3_claim(struct storage *storage, const char *prefix, enum storage_claim_mode mode,
             unsigned patience_ms, struct storage_claim **ret, struct error *err)
{
    struct s3_claim *claim = calloc(1, sizeof(*claim));
    int64_t end_ms = monotonic_ms() + patience_ms;
    int r;

    if (!claim)
        return error_set_oom(err);
    claim->claim.functions = storage->functions;
    claim->s3 = (struct s3 *)storage;
    random_uuid(claim->id);
    if (asprintf(&claim->key, "registryd/claims/%s.claim", prefix) < 0) {
        free(claim);
        return error_set_oom(err);
    }
    for (;;) {
        r = try_to_claim(claim, mode, patience_ms > 0, err);
        if (r <= 0 || (r == STORAGE_WOULD_WAIT && monotonic_ms() >= end_ms))
            break;
        if (r == STORAGE_WOULD_WAIT)
            usleep(LOOK_MS * 1000);
    }
    if (r == 0) {
        *ret = &claim->claim;
        return 0;
    }
    if (patience_ms > 0)
        leave(claim);
    claim_free(claim);
    return r;
}

int s3_claim_check(struct storage_claim *base, struct error *err)
{
    struct s3_claim *claim = (struct s3_claim *)base;
    CLEANUP_FREE struct holders *holders = NULL;
    int64_t now_s = storage_now(&claim->s3->storage);
    struct holder *mine;
    int r;

    if (claim->until_s - now_s > S3_LEASE_S / 2)
        return 0;
    holders = calloc(1, sizeof(*holders));
    if (!holders)
        return error_set_oom(err);
    do {
        r = read_holders(claim->s3, claim->key, holders, err);
        if (r < 0)
            return r;
        mine = find(holders, claim->id);
        if (!mine)
            return STORAGE_CLAIM_LOST;
        mine->until_s = now_s + S3_LEASE_S;
        r = write_holders(claim->s3, claim->key, holders, err);
    } while (r == STORAGE_CONFLICT);
    if (r == 0)
        claim->until_s = now_s + S3_LEASE_S;
    return r;
}

void s3_claim_release(struct storage_claim *base)
{
    struct s3_claim *claim = (struct s3_claim *)base;

    leave(claim);
    claim_free(claim);
}
