#include "registry/storage/s3/claim-object.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/s3/session.h"

enum { HOLDERS_MAX = 256, TEXT_MAX = 32 << 10, WAITING_S = 5 };

static const char *const modes[] = {[STORAGE_SHARED] = "shared", [STORAGE_EXCLUSIVE] = "alone"};
static const int64_t leases_s[] = {
    [STORAGE_SHARED] = CLAIM_SHARED_S, [STORAGE_EXCLUSIVE] = CLAIM_ALONE_S};

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

/* --- the lines ------------------------------------------------------------------------------- */

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

static void add(struct holders *holders, const char *mode, const char *id, int64_t until_s)
{
    struct holder *holder;

    forget(holders, id);
    holder = &holders->items[holders->count++];
    *holder = (struct holder){.until_s = until_s};
    snprintf(holder->mode, sizeof(holder->mode), "%s", mode);
    memcpy(holder->id, id, RANDOM_UUID_SIZE);
}

static void look_for_obstacle(const struct holders *holders, const char *id,
                              struct claim_obstacle *ret)
{
    *ret = (struct claim_obstacle){0};
    for (size_t i = 0; i < holders->count; i++) {
        if (strcmp(holders->items[i].id, id) == 0)
            continue;
        if (strcmp(holders->items[i].mode, "shared") == 0)
            ret->is_shared = true;
        else
            ret->is_wanted = true;
    }
}

/* Whether others prevent a claim in this mode. Those who only wait do not prevent another wish. */
static bool is_prevented(const struct holders *holders, const struct claim_line *line)
{
    for (size_t i = 0; i < holders->count; i++) {
        bool is_shared = strcmp(holders->items[i].mode, "shared") == 0;
        bool is_waiting = strcmp(holders->items[i].mode, "waiting") == 0;

        if (strcmp(holders->items[i].id, line->id) == 0)
            continue;
        if (line->mode == STORAGE_SHARED ? !is_shared : !is_waiting)
            return true;
    }
    return holders->count == HOLDERS_MAX;
}

/* --- the object ------------------------------------------------------------------------------ */

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

/*
 * Reads the object, or takes what the line knows of it. If that is not true any more, the next
 * write fails.
 */
static int read_holders(struct s3 *s3, const char *key, const struct claim_line *line,
                        struct holders *ret, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    struct storage_object object;
    int r;

    ret->count = 0;
    ret->is_new = false;
    ret->version = line->version;
    if (line->is_only) {
        add(ret, modes[line->mode], line->id, line->until_s);
        return 0;
    }
    r = s3_get_versioned(s3, key, TEXT_MAX, &text, &object, err);
    ret->is_new = r == STORAGE_NOT_FOUND;
    if (r == 0) {
        ret->version = object.version;
        parse_holders(text, storage_now(&s3->storage), ret);
    }
    return r < 0 ? r : 0;
}

static int format_holders(const struct holders *holders, char **ret_text, size_t *ret_size)
{
    FILE *out = open_memstream(ret_text, ret_size);
    char generation[RANDOM_UUID_SIZE];
    bool has_failed;

    if (!out)
        return -ENOMEM;
    for (size_t i = 0; i < holders->count; i++)
        fprintf(out, "%s %s %" PRId64 "\n", holders->items[i].mode, holders->items[i].id,
                holders->items[i].until_s);
    random_uuid(generation); /* no two states have the same bytes */
    fprintf(out, "# %s\n", generation);
    has_failed = ferror(out);
    return fclose(out) != 0 || has_failed ? -ENOMEM : 0;
}

/* Notes in the line what the object is now. 0, STORAGE_CONFLICT or negative. */
static int write_holders(struct s3 *s3, const char *key, struct claim_line *line,
                         struct holders *holders, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t size;
    struct storage_step step = {.kind = STORAGE_PUT,
                                .key = key,
                                .condition =
                                    holders->is_new ? STORAGE_IF_ABSENT : STORAGE_IF_UNCHANGED,
                                .version = holders->version};
    const struct holder *mine;
    int r;

    line->is_only = false;
    if (format_holders(holders, &text, &size) < 0)
        return error_set_oom(err);
    step.data = text;
    step.size = size;
    r = s3_put_versioned(s3, &step, &line->version, err);
    mine = r == 0 && holders->count == 1 ? find(holders, line->id) : NULL;
    line->is_only = mine && strcmp(mine->mode, modes[line->mode]) == 0;
    return r;
}

/* --- lines of this process ------------------------------------------------------------------- */

struct claim_line claim_line_new(enum storage_claim_mode mode)
{
    struct claim_line line = {.mode = mode};

    random_uuid(line.id);
    return line;
}

/* Renews the wish before it runs out. */
static int write_wish(struct s3 *s3, const char *key, struct claim_line *line,
                      struct holders *holders, struct error *err)
{
    const struct holder *mine = find(holders, line->id);
    int64_t now_s = storage_now(&s3->storage);

    if ((mine && strcmp(mine->mode, "waiting") == 0 && mine->until_s - now_s >= WAITING_S / 2) ||
        holders->count == HOLDERS_MAX)
        return 0;
    add(holders, "waiting", line->id, now_s + WAITING_S);
    return write_holders(s3, key, line, holders, err);
}

int claim_line_take(struct s3 *s3, const char *key, struct claim_line *line, bool may_wait,
                    struct claim_obstacle *ret, struct error *err)
{
    CLEANUP_FREE struct holders *holders = calloc(1, sizeof(*holders));
    int64_t now_s = storage_now(&s3->storage);
    int r = holders ? read_holders(s3, key, line, holders, err) : error_set_oom(err);

    if (r < 0)
        return r;
    look_for_obstacle(holders, line->id, ret);
    if (!is_prevented(holders, line)) {
        line->until_s = now_s + leases_s[line->mode];
        add(holders, modes[line->mode], line->id, line->until_s);
        return write_holders(s3, key, line, holders, err);
    }
    r = line->mode == STORAGE_EXCLUSIVE && may_wait ? write_wish(s3, key, line, holders, err) : 0;
    return r < 0 ? r : STORAGE_WOULD_WAIT;
}

/*
 * The object has the line, so it has had it since it was written: nobody writes it but its process.
 * Therefore nobody had the claim in another way in between.
 */
int claim_line_renew(struct s3 *s3, const char *key, struct claim_line *line, bool *ret_is_wanted,
                     struct error *err)
{
    CLEANUP_FREE struct holders *holders = calloc(1, sizeof(*holders));
    struct claim_obstacle obstacle;
    struct holder *mine;
    int64_t now_s;
    int r;

    if (!holders)
        return error_set_oom(err);
    do {
        now_s = storage_now(&s3->storage);
        r = read_holders(s3, key, line, holders, err);
        if (r < 0)
            return r;
        look_for_obstacle(holders, line->id, &obstacle);
        mine = find(holders, line->id);
        if (!mine)
            return STORAGE_CLAIM_LOST;
        mine->until_s = now_s + leases_s[line->mode];
        r = write_holders(s3, key, line, holders, err);
    } while (r == STORAGE_CONFLICT);
    if (r == 0) {
        line->until_s = now_s + leases_s[line->mode];
        *ret_is_wanted = obstacle.is_wanted;
    }
    return r;
}

bool claim_line_is_fresh(struct s3 *s3, const struct claim_line *line)
{
    return line->until_s - storage_now(&s3->storage) > leases_s[line->mode] / 2;
}

void claim_line_leave(struct s3 *s3, const char *key, struct claim_line *line)
{
    CLEANUP_FREE struct holders *holders = calloc(1, sizeof(*holders));
    struct error ignored;
    int r = holders ? STORAGE_CONFLICT : -ENOMEM;

    while (r == STORAGE_CONFLICT) {
        r = read_holders(s3, key, line, holders, &ignored);
        if (r < 0 || !find(holders, line->id))
            return;
        forget(holders, line->id);
        r = write_holders(s3, key, line, holders, &ignored);
    }
}
