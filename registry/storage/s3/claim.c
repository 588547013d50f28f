/*
 * Claims on prefixes. Requests of one server share a line in the claim's object (claim-table.c);
 * a request that wants to be alone has a line of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/monotonic.h"
#include "registry/storage/s3/claim-table.h"
#include "registry/storage/s3/claim-wishes.h"

enum { LOOK_MIN_MS = 20, LOOK_MAX_MS = 320, WISH_AFTER_MS = 100 };

struct s3_claim {
    struct storage_claim claim;
    struct s3 *s3;
    char *key;
    enum storage_claim_mode mode;
    struct claim_entry *entry;
    uint64_t generation;    /* if it is shared */
    struct claim_line line; /* otherwise */
};

static void claim_free(struct s3_claim *claim)
{
    if (claim->entry)
        claims_drop(claim->s3->claims, claim->entry);
    free(claim->key);
    free(claim);
}

static void claim_freep(struct s3_claim **claim)
{
    if (*claim)
        claim_free(*claim);
}

/* Servers that keep a shared claim learn that it is wanted, unless it was only in use for a moment.
 */
static void tell_others(const struct s3_claim *claim, int64_t begin_ms, bool *is_told)
{
    struct error ignored;

    if (*is_told || monotonic_ms() < begin_ms + WISH_AFTER_MS)
        return;
    *is_told = true;
    (void)!claim_wishes_add(claim->s3, claim->key, &ignored);
}

/* 0, STORAGE_WOULD_WAIT or negative. */
static int take_alone(struct s3_claim *claim, int64_t end_ms, bool may_wait, struct error *err)
{
    int64_t begin_ms = monotonic_ms(), look_ms = LOOK_MIN_MS;
    struct claim_obstacle obstacle;
    bool is_told = false;

    for (;;) {
        int64_t rest_ms;
        int r = claim_line_take(claim->s3, claim->key, &claim->line, may_wait, &obstacle, err);

        if (r == STORAGE_CONFLICT)
            continue;
        rest_ms = end_ms - monotonic_ms();
        if (r <= 0 || rest_ms <= 0)
            return r;
        if (obstacle.is_shared)
            tell_others(claim, begin_ms, &is_told);
        usleep((unsigned)(rest_ms < look_ms ? rest_ms : look_ms) * 1000);
        look_ms = look_ms < LOOK_MAX_MS ? 2 * look_ms : LOOK_MAX_MS;
    }
}

static int claim_alone(struct s3_claim *claim, int64_t end_ms, bool may_wait, struct error *err)
{
    bool is_there;
    int r = claims_begin_alone(claim->s3->claims, claim->entry, end_ms, &claim->line, &is_there);

    if (r != 0)
        return r;
    r = take_alone(claim, end_ms, may_wait, err);
    if (r == 0)
        return 0;
    if (is_there || may_wait || r < 0)
        claim_line_leave(claim->s3, claim->key, &claim->line);
    claims_end_alone(claim->s3->claims, claim->entry);
    return r;
}

int s3_claim(struct storage *storage, const char *prefix, enum storage_claim_mode mode,
             unsigned patience_ms, struct storage_claim **ret, struct error *err)
{
    CLEANUP(claim_freep) struct s3_claim *claim = calloc(1, sizeof(*claim));
    int64_t end_ms = monotonic_ms() + patience_ms;
    int r;

    if (!claim)
        return error_set_oom(err);
    claim->claim.functions = storage->functions;
    claim->s3 = (struct s3 *)storage;
    claim->mode = mode;
    if (asprintf(&claim->key, "registryd/claims/%s.claim", prefix) < 0) {
        claim->key = NULL;
        return error_set_oom(err);
    }
    claim->entry = claims_find(claim->s3->claims, claim->key);
    if (!claim->entry)
        return error_set_oom(err);
    r = mode == STORAGE_SHARED
            ? claims_share(claim->s3->claims, claim->entry, end_ms, &claim->generation, err)
            : claim_alone(claim, end_ms, patience_ms > 0, err);
    if (r == 0)
        *ret = &steal_ptr(&claim)->claim;
    return r;
}

int s3_claim_check(struct storage_claim *base, struct error *err)
{
    struct s3_claim *claim = (struct s3_claim *)base;
    bool is_wanted;

    if (claim->mode == STORAGE_SHARED)
        return claims_check(claim->s3->claims, claim->entry, claim->generation, err);
    return claim_line_is_fresh(claim->s3, &claim->line)
               ? 0
               : claim_line_renew(claim->s3, claim->key, &claim->line, &is_wanted, err);
}

void s3_claim_release(struct storage_claim *base)
{
    struct s3_claim *claim = (struct s3_claim *)base;

    if (claim->mode == STORAGE_SHARED) {
        claims_leave(claim->s3->claims, claim->entry, claim->generation);
    } else {
        claim_line_leave(claim->s3, claim->key, &claim->line);
        claims_end_alone(claim->s3->claims, claim->entry);
    }
    claim_free(claim);
}
