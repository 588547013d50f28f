/*
 * A fair queue. A lane holds the jobs of one principal, a flow those of one address within the
 * lane. Lanes with queued jobs form a ring, and so do the flows of each lane.
 */
#include "registry/runtime/job-queue.h"

#include <errno.h>
#include <stdlib.h>

/* An entry of a hash table: the first member of lanes and flows. */
struct hashed {
    uint64_t key;
    struct hashed *next; /* in its bucket, or in the list of free entries */
};

struct table {
    struct hashed **buckets, *free;
    size_t mask;
};

struct flow {
    struct hashed hashed; /* by flow_key() */
    struct lane *lane;
    uint64_t address;
    struct job *first, **end;
    struct flow *next;
};

struct lane {
    struct hashed hashed; /* by principal */
    unsigned queued, parked, running;
    struct flow *ring, **ring_end;
    struct lane *next;
};

struct job_queue {
    unsigned queue_max, workers;
    unsigned waiting, running; /* of all lanes; waiting includes parked jobs */
    struct table lane_table, flow_table;
    struct lane *lanes; /* no lane is empty, so there are never more lanes than jobs */
    struct flow *flows;
    struct lane *ring, **ring_end;
    struct job *parked; /* by due_ms */
};

/* --- tables ------------------------------------------------------------------------------ */

static struct hashed **bucket_of(struct table *table, uint64_t key)
{
    /* Fibonacci hashing: keys may be addresses, whose low bits are similar. */
    return &table->buckets[((key * 0x9E3779B97F4A7C15u) >> 32) & table->mask];
}

static void table_add(struct table *table, struct hashed *item)
{
    struct hashed **bucket = bucket_of(table, item->key);

    item->next = *bucket;
    *bucket = item;
}

static void table_remove(struct table *table, struct hashed *item)
{
    struct hashed **at = bucket_of(table, item->key);

    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    item->next = table->free;
    table->free = item;
}

static struct hashed *table_take_free(struct table *table)
{
    struct hashed *item = table->free;

    table->free = item->next;
    return item;
}

static int table_init(struct table *table, void *items, size_t item_size, size_t count)
{
    size_t buckets = 1;

    while (buckets < count)
        buckets *= 2;
    table->buckets = calloc(buckets, sizeof(*table->buckets));
    table->mask = buckets - 1;
    if (!table->buckets || !items)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct hashed *item = (struct hashed *)((char *)items + i * item_size);

        item->next = table->free;
        table->free = item;
    }
    return 0;
}

/* --- lanes and flows ------------------------------------------------------------------------ */

static struct lane *find_lane(struct job_queue *queue, uint64_t principal)
{
    struct hashed *at = *bucket_of(&queue->lane_table, principal);

    while (at && at->key != principal)
        at = at->next;
    return (struct lane *)at;
}

static struct lane *open_lane(struct job_queue *queue, uint64_t principal)
{
    struct lane *lane = (struct lane *)table_take_free(&queue->lane_table);

    *lane = (struct lane){.hashed.key = principal, .ring_end = &lane->ring};
    table_add(&queue->lane_table, &lane->hashed);
    return lane;
}

static void close_if_empty(struct job_queue *queue, struct lane *lane)
{
    if (lane->queued + lane->parked + lane->running == 0)
        table_remove(&queue->lane_table, &lane->hashed);
}

static void lane_join(struct job_queue *queue, struct lane *lane)
{
    lane->next = NULL;
    *queue->ring_end = lane;
    queue->ring_end = &lane->next;
}

static uint64_t flow_key(const struct lane *lane, uint64_t address)
{
    return lane->hashed.key * 31 + address;
}

static struct flow *find_flow(struct job_queue *queue, const struct lane *lane, uint64_t address)
{
    struct hashed *at = *bucket_of(&queue->flow_table, flow_key(lane, address));

    while (at && (((struct flow *)at)->lane != lane || ((struct flow *)at)->address != address))
        at = at->next;
    return (struct flow *)at;
}

static void flow_join(struct flow *flow)
{
    flow->next = NULL;
    *flow->lane->ring_end = flow;
    flow->lane->ring_end = &flow->next;
}

static struct flow *open_flow(struct job_queue *queue, struct lane *lane, uint64_t address)
{
    struct flow *flow = (struct flow *)table_take_free(&queue->flow_table);

    *flow = (struct flow){
        .hashed.key = flow_key(lane, address),
        .lane = lane,
        .address = address,
        .end = &flow->first,
    };
    table_add(&queue->flow_table, &flow->hashed);
    flow_join(flow);
    return flow;
}

static void enqueue(struct job_queue *queue, struct job *job)
{
    struct lane *lane = job->lane;
    struct flow *flow = find_flow(queue, lane, job->address);

    if (!flow)
        flow = open_flow(queue, lane, job->address);
    job->next = NULL;
    *flow->end = job;
    flow->end = &job->next;
    if (lane->queued++ == 0)
        lane_join(queue, lane);
}

static void park(struct job_queue *queue, struct job *job)
{
    struct job **at = &queue->parked;

    while (*at && (*at)->due_ms <= job->due_ms)
        at = &(*at)->next;
    job->next = *at;
    *at = job;
    job->lane->parked++;
}

/* --- the queue --------------------------------------------------------------------------- */

struct job_queue *job_queue_new(unsigned queue_max, unsigned workers)
{
    struct job_queue *queue = calloc(1, sizeof(*queue));
    size_t lanes = (size_t)queue_max + workers;

    if (!queue)
        return NULL;
    queue->queue_max = queue_max;
    queue->workers = workers;
    queue->ring_end = &queue->ring;
    queue->lanes = calloc(lanes, sizeof(*queue->lanes));
    queue->flows = calloc(queue_max, sizeof(*queue->flows));
    if (table_init(&queue->lane_table, queue->lanes, sizeof(*queue->lanes), lanes) < 0 ||
        table_init(&queue->flow_table, queue->flows, sizeof(*queue->flows), queue_max) < 0) {
        job_queue_free(queue);
        return NULL;
    }
    return queue;
}

void job_queue_free(struct job_queue *queue)
{
    if (!queue)
        return;
    free(queue->lane_table.buckets);
    free(queue->flow_table.buckets);
    free(queue->lanes);
    free(queue->flows);
    free(queue);
}

static bool has_room(const struct job_queue *queue, const struct lane *lane, bool is_parked)
{
    return queue->waiting < queue->queue_max &&
           (!lane || (lane->queued + lane->parked < (queue->queue_max + 1) / 2 &&
                      (!is_parked || lane->parked < JOB_QUEUE_PARKED_MAX)));
}

int job_queue_push(struct job_queue *queue, const struct job_owner *owner, uint64_t due_ms,
                   struct job *job)
{
    struct lane *lane = find_lane(queue, owner->principal);

    if (!has_room(queue, lane, due_ms > 0))
        return -EAGAIN;
    job->lane = lane ? lane : open_lane(queue, owner->principal);
    job->address = owner->address;
    job->due_ms = due_ms;
    queue->waiting++;
    if (due_ms > 0)
        park(queue, job);
    else
        enqueue(queue, job);
    return 0;
}

static bool may_run(const struct job_queue *queue, const struct lane *lane)
{
    unsigned free = queue->workers - queue->running;

    return free > 0 && (lane->running == 0 || (free > 1 && lane->running < 2 * free));
}

static struct lane **find_runnable(struct job_queue *queue)
{
    struct lane **at = &queue->ring;

    while (*at && !may_run(queue, *at))
        at = &(*at)->next;
    return at;
}

static struct lane *lane_leave(struct job_queue *queue, struct lane **at)
{
    struct lane *lane = *at;

    *at = lane->next;
    if (!*at)
        queue->ring_end = at;
    return lane;
}

/* Takes the oldest job of the flow whose turn it is; the lane must have one. */
static struct job *take_from(struct job_queue *queue, struct lane *lane)
{
    struct flow *flow = lane->ring;
    struct job *job = flow->first;

    lane->ring = flow->next;
    if (!lane->ring)
        lane->ring_end = &lane->ring;
    flow->first = job->next;
    if (flow->first)
        flow_join(flow);
    else
        table_remove(&queue->flow_table, &flow->hashed);
    return job;
}

struct job *job_queue_take(struct job_queue *queue)
{
    struct lane **at = find_runnable(queue), *lane;
    struct job *job;

    if (!*at)
        return NULL;
    lane = lane_leave(queue, at);
    job = take_from(queue, lane);
    queue->waiting--;
    queue->running++;
    lane->running++;
    if (--lane->queued > 0)
        lane_join(queue, lane);
    return job;
}

void job_queue_finish(struct job_queue *queue, struct lane *lane)
{
    queue->running--;
    lane->running--;
    close_if_empty(queue, lane);
}

bool job_queue_is_runnable(struct job_queue *queue)
{
    return *find_runnable(queue);
}

bool job_queue_is_empty(const struct job_queue *queue)
{
    return queue->waiting == 0;
}

uint64_t job_queue_get_due(const struct job_queue *queue)
{
    return queue->parked ? queue->parked->due_ms : UINT64_MAX;
}

void job_queue_release_due(struct job_queue *queue, uint64_t now_ms)
{
    while (queue->parked && queue->parked->due_ms <= now_ms) {
        struct job *job = queue->parked;

        queue->parked = job->next;
        job->lane->parked--;
        enqueue(queue, job);
    }
}
