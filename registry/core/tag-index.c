/*
 * Keeps the tables of the repositories that somebody looks at. A table never changes; a newer one
 * replaces it. While one thread reads, others wait their turn outside of any lock.
 *
 * A push or delete on this server only notes the name of the tag. The next search reads the noted
 * tags into a new table (a patch). A table that is too old is replaced by a draft, which lists the
 * tags again.
 */
#include "registry/core/tag-index.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "registry/core/lists.h"
#include "registry/core/tag-draft.h"
#include "registry/core/tag-patch.h"

enum {
    CHANGED_MAX = 1000, /* tags that a patch reads */
    OLD_FACTOR = 5,     /* a search waits for a draft if the table is older than 5 fresh_ms */
};

/* A repository that somebody looks at. */
struct watched {
    struct watched *next;
    struct tag_table *table; /* NULL: not read yet */
    int64_t table_ms;        /* when the list of the table was read */
    struct store_names changed; /* tags that this server changed since the table */
    bool has_lost_changes;      /* there were too many: the tags must be listed again */
    bool has_lost_pushes;       /* also pushes: every time must be read again */
    bool is_behind;             /* the table lacks changes that were lost; the draft has them */
    size_t check_next;       /* the first tag whose time is to be read again */
    int64_t used_ms;

    /* Used by one thread, which has set is_busy. */
    bool is_busy;
    struct tag_draft *draft; /* NULL: none */
    struct tag_table *draft_old;

    /* Under the lock again. */
    bool is_drafting;
    int64_t draft_ms;                 /* when the list of the draft was read */
    struct store_names draft_changed; /* like changed, since the draft was begun */
    char name[];
};

struct tag_index {
    struct store *store;
    unsigned work_ms, fresh_ms;
    pthread_mutex_t lock; /* protects what follows, except the contents of drafts */
    struct watched *first;
    size_t count;
};

struct tag_index *tag_index_new(struct store *store, unsigned work_ms, unsigned fresh_ms)
{
    struct tag_index *index = calloc(1, sizeof(*index));

    if (!index)
        return NULL;
    index->store = store;
    index->work_ms = work_ms;
    index->fresh_ms = fresh_ms;
    pthread_mutex_init(&index->lock, NULL);
    return index;
}

/* --- tables and drafts ---------------------------------------------------------------------- */

/* Under the lock, as everything that counts references. */
static void table_unref(struct tag_table *table)
{
    if (table && --table->references == 0)
        tag_table_free(table);
}

static struct tag_table *table_ref(struct tag_table *table)
{
    if (table)
        table->references++;
    return table;
}

static void drop_draft(struct watched *watched)
{
    tag_draft_free(watched->draft);
    watched->draft = NULL;
    watched->is_drafting = false;
    store_names_done(&watched->draft_changed);
    table_unref(watched->draft_old);
    watched->draft_old = NULL;
}

/* --- the repositories ----------------------------------------------------------------------- */

static void watched_free(struct watched *watched)
{
    drop_draft(watched);
    table_unref(watched->table);
    store_names_done(&watched->changed);
    free(watched);
}

static void remove_watched(struct tag_index *index, struct watched *watched)
{
    struct watched **at = &index->first;

    while (*at != watched)
        at = &(*at)->next;
    *at = watched->next;
    index->count--;
    watched_free(watched);
}

void tag_index_free(struct tag_index *index)
{
    if (!index)
        return;
    while (index->first)
        remove_watched(index, index->first);
    pthread_mutex_destroy(&index->lock);
    free(index);
}

static struct watched *find_watched(struct tag_index *index, const char *name)
{
    struct watched *watched = index->first;

    while (watched && strcmp(watched->name, name) != 0)
        watched = watched->next;
    return watched;
}

static size_t count_rows(const struct watched *watched)
{
    size_t count = watched->table ? watched->table->count : 0;

    return count + (watched->draft ? tag_draft_count(watched->draft) : 0);
}

/* The repository that nobody has looked at for the longest time; NULL: none can be dropped. */
static struct watched *find_oldest(const struct tag_index *index, const struct watched *kept)
{
    struct watched *oldest = NULL;

    for (struct watched *at = index->first; at; at = at->next)
        if (at != kept && !at->is_busy && (!oldest || at->used_ms < oldest->used_ms))
            oldest = at;
    return oldest;
}

static void make_room(struct tag_index *index, const struct watched *kept)
{
    size_t rows = 0;

    for (const struct watched *at = index->first; at; at = at->next)
        rows += at->is_busy ? 0 : count_rows(at);
    while (index->count > TAG_INDEX_REPOSITORIES || rows > TAG_INDEX_MAX) {
        struct watched *oldest = find_oldest(index, kept);

        if (!oldest)
            return;
        rows -= count_rows(oldest);
        remove_watched(index, oldest);
    }
}

static struct watched *add_watched(struct tag_index *index, const char *name)
{
    size_t size = strlen(name) + 1;
    struct watched *watched = calloc(1, sizeof(*watched) + size);

    if (!watched)
        return NULL;
    memcpy(watched->name, name, size);
    watched->next = index->first;
    index->first = watched;
    index->count++;
    return watched;
}

void tag_index_drop_unused(struct tag_index *index, int64_t idle_ms)
{
    int64_t moment_ms = monotonic_ms() - idle_ms;
    struct watched *oldest;

    pthread_mutex_lock(&index->lock);
    while ((oldest = find_oldest(index, NULL)) && oldest->used_ms < moment_ms)
        remove_watched(index, oldest);
    pthread_mutex_unlock(&index->lock);
}

/* --- changes of this server ----------------------------------------------------------------- */

/* Under the lock, as all that follows here. */
static void add_changed(struct watched *watched, struct store_names *names, const char *tag,
                        bool is_push)
{
    if (names->count < CHANGED_MAX && store_names_add(names, tag) == 0)
        return;
    watched->has_lost_changes = true;
    watched->has_lost_pushes |= is_push;
}

static void note_change(struct watched *watched, const char *tag, bool is_push)
{
    if (watched->table)
        add_changed(watched, &watched->changed, tag, is_push);
    if (watched->is_drafting)
        add_changed(watched, &watched->draft_changed, tag, is_push);
}

static void note_event(struct watched *watched, const struct event *event)
{
    if (event->tag)
        note_change(watched, event->tag, event->kind == EVENT_PUSH_MANIFEST);
    for (size_t i = 0; event->tags && i < event->tags->count && !watched->has_lost_changes; i++)
        note_change(watched, event->tags->items[i], false);
}

void tag_index_note(struct tag_index *index, const struct event *event)
{
    struct watched *watched;

    if (event->kind != EVENT_PUSH_MANIFEST && event->kind != EVENT_DELETE_MANIFEST &&
        event->kind != EVENT_DELETE_TAG)
        return;
    pthread_mutex_lock(&index->lock);
    watched = find_watched(index, event->repository);
    if (watched)
        note_event(watched, event);
    pthread_mutex_unlock(&index->lock);
}

/* --- reading -------------------------------------------------------------------------------- */

static bool is_as_noted(const struct watched *watched)
{
    return watched->table && watched->changed.count == 0 && !watched->has_lost_changes &&
           !watched->is_behind;
}

static bool is_current(const struct tag_index *index, const struct watched *watched,
                       int64_t since_ms)
{
    if (!is_as_noted(watched))
        return false;
    /* A draft was begun because the table was too old. */
    return watched->table_ms > since_ms ||
           (!watched->is_drafting && monotonic_ms() - watched->table_ms < index->fresh_ms);
}

/* Whether a search uses the table while a draft is being read. */
static bool is_usable(const struct tag_index *index, const struct watched *watched)
{
    return is_as_noted(watched) &&
           monotonic_ms() - watched->table_ms < (int64_t)index->fresh_ms * OLD_FACTOR;
}

/* Gives the draft what it starts from. Under the lock, when no noted change is left. */
static void prepare_draft(struct watched *watched, struct tag_draft_sources *ret)
{
    watched->is_drafting = true;
    watched->draft_ms = monotonic_ms();
    watched->draft_old = watched->has_lost_pushes ? NULL : table_ref(watched->table);
    watched->is_behind |= watched->has_lost_changes;
    watched->has_lost_changes = watched->has_lost_pushes = false;
    if (watched->table && watched->check_next >= watched->table->count)
        watched->check_next = 0;
    ret->old = watched->draft_old;
    ret->check_first = watched->check_next;
    ret->check_count = TAG_INDEX_CHECKED;
    watched->check_next += TAG_INDEX_CHECKED;
}

/*
 * Reads the noted changes into a new table, for work_ms at most. Called with the lock by the thread
 * that has set is_busy; releases the lock while it reads.
 */
static int patch_table(struct tag_index *index, struct watched *watched, struct error *err)
{
    struct tag_patch patch = {.store = index->store,
                              .name = watched->name,
                              .old = watched->table,
                              .changed = watched->changed};
    struct tag_table *table = NULL;
    int r;

    if (patch.changed.count == 0)
        return 0;
    watched->changed = (struct store_names){0};
    pthread_mutex_unlock(&index->lock);
    r = tag_patch_apply(&patch, monotonic_ms() + index->work_ms, &table, err);
    pthread_mutex_lock(&index->lock);
    if (r == 0) {
        table_unref(watched->table);
        watched->table = table_ref(table);
        for (size_t i = patch.done; i < patch.changed.count; i++)
            add_changed(watched, &watched->changed, patch.changed.items[i], true);
    }
    store_names_done(&patch.changed);
    return r;
}

static int read_draft(struct watched *watched, const struct tag_draft_sources *sources,
                      int64_t end_ms, struct tag_table **ret, struct error *err)
{
    int r = watched->draft ? 0 : tag_draft_begin(sources, &watched->draft, err);

    if (r == 0)
        r = tag_draft_read(watched->draft, end_ms, err);
    if (r != 0)
        return r;
    *ret = tag_draft_take(watched->draft);
    return *ret ? 0 : error_set_oom(err);
}

/* Replaces the table by a new list. Locks like patch_table(). STORE_WOULD_WAIT, STORE_NOT_FOUND. */
static int replace_table(struct tag_index *index, struct watched *watched, struct error *err)
{
    struct tag_draft_sources sources = {.store = index->store, .name = watched->name};
    struct tag_table *table = NULL;
    int r;

    if (!watched->is_drafting)
        prepare_draft(watched, &sources);
    pthread_mutex_unlock(&index->lock);
    r = read_draft(watched, &sources, monotonic_ms() + index->work_ms, &table, err);
    pthread_mutex_lock(&index->lock);
    if (r != 0)
        return r;
    table_unref(watched->table);
    watched->table = table_ref(table);
    watched->table_ms = watched->draft_ms;
    watched->is_behind = false;
    store_names_done(&watched->changed);
    watched->changed = watched->draft_changed;
    watched->draft_changed = (struct store_names){0};
    drop_draft(watched);
    return 0;
}

/*
 * Brings the table up to date, reading as long as one call may. Locks like patch_table(). A
 * repository that cannot be read, or is not there, is forgotten.
 */
static int update(struct tag_index *index, struct watched *watched, int64_t since_ms,
                  struct error *err)
{
    int r;

    watched->is_busy = true;
    r = patch_table(index, watched, err);
    if (r == 0 && watched->changed.count == 0 && !is_current(index, watched, since_ms))
        r = replace_table(index, watched, err);
    if (r == 0) /* what was noted since the draft was begun */
        r = patch_table(index, watched, err);
    watched->is_busy = false;
    if (r != 0 && r != STORE_WOULD_WAIT) {
        remove_watched(index, watched);
        return r;
    }
    make_room(index, watched);
    return is_current(index, watched, since_ms) || is_usable(index, watched) ? 0 : STORE_WOULD_WAIT;
}

/* Gets a reference to a table that is current. 0, or like tag_index_search(). */
static int get_table(struct tag_index *index, const char *name, int64_t since_ms,
                     struct tag_table **ret, struct error *err)
{
    struct watched *watched;
    int r = 0;

    pthread_mutex_lock(&index->lock);
    watched = find_watched(index, name);
    if (!watched)
        watched = add_watched(index, name);
    if (!watched) {
        r = error_set_oom(err);
    } else {
        watched->used_ms = monotonic_ms();
        if (watched->is_busy)
            r = is_usable(index, watched) ? 0 : STORE_BUSY;
        else if (!is_current(index, watched, since_ms))
            r = update(index, watched, since_ms, err);
        if (r == 0)
            *ret = table_ref(watched->table);
    }
    pthread_mutex_unlock(&index->lock);
    return r;
}

/* What is known of a repository that is still being read; NULL: nothing, or out of memory. */
static struct tag_table *get_known(struct tag_index *index, const char *name)
{
    struct tag_table *table = NULL;
    struct watched *watched;
    bool is_mine;

    pthread_mutex_lock(&index->lock);
    watched = find_watched(index, name);
    is_mine = watched && !watched->table && watched->draft && !watched->is_busy;
    if (is_mine)
        watched->is_busy = true;
    else if (watched)
        table = table_ref(watched->table);
    pthread_mutex_unlock(&index->lock);
    if (!is_mine)
        return table;
    table = tag_table_copy(tag_draft_get(watched->draft)); /* sorts, which takes long */
    pthread_mutex_lock(&index->lock);
    table_ref(table);
    watched->is_busy = false;
    pthread_mutex_unlock(&index->lock);
    return table;
}

static int search(struct tag_index *index, struct tag_table *table, const struct tag_query *query,
                  struct tag_page *ret, struct error *err)
{
    int r = tag_table_search(table, query, ret);

    pthread_mutex_lock(&index->lock);
    table_unref(table);
    pthread_mutex_unlock(&index->lock);
    return r == -ENOMEM ? error_set_oom(err) : r;
}

int tag_index_search(struct tag_index *index, const char *name, const struct tag_query *query,
                     int64_t since_ms, enum tag_index_patience patience, struct tag_page *ret,
                     struct error *err)
{
    struct tag_table *table = NULL;
    int known, r = get_table(index, name, since_ms, &table, err);

    if (r == 0)
        return search(index, table, query, ret, err);
    if ((r != STORE_WOULD_WAIT && r != STORE_BUSY) || patience == TAG_INDEX_ALL)
        return r;
    table = get_known(index, name);
    known = table ? search(index, table, query, ret, err) : 0;
    if (!table)
        *ret = (struct tag_page){0};
    if (known == 0)
        ret->is_complete = false;
    return known;
}

/* --- counting ------------------------------------------------------------------------------- */

/* False if the index does not know the repository, or not as it is now. */
static bool count_known(struct tag_index *index, const char *name, struct tag_count *ret)
{
    struct watched *watched;
    bool is_known;

    pthread_mutex_lock(&index->lock);
    watched = find_watched(index, name);
    is_known = watched && is_current(index, watched, INT64_MAX);
    if (is_known) {
        const struct tag_table *table = watched->table;

        *ret = (struct tag_count){.count = table->count};
        if (table->count > 0)
            ret->newest_ns = table->rows[table->newest[0]].pushed_ns;
    }
    pthread_mutex_unlock(&index->lock);
    return is_known;
}

int tag_index_count(struct tag_index *index, const char *name, int64_t end_ms,
                    struct tag_count *ret, struct error *err)
{
    const struct tag_draft_sources sources = {.store = index->store, .name = name};
    struct tag_draft *draft = NULL;
    const struct tag_table *table;
    int r;

    if (count_known(index, name, ret))
        return 0;
    r = tag_draft_begin(&sources, &draft, err);
    if (r == 0)
        r = tag_draft_read(draft, end_ms, err);
    *ret = (struct tag_count){0};
    if (r == 0 || r == STORE_WOULD_WAIT) {
        table = tag_draft_get(draft);
        ret->count = r == 0 ? table->count : tag_draft_count(draft);
        for (size_t i = 0; r == 0 && i < table->count; i++)
            if (table->rows[i].pushed_ns > ret->newest_ns)
                ret->newest_ns = table->rows[i].pushed_ns;
        r = 0;
    }
    tag_draft_free(draft);
    return r;
}
