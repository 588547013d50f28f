#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The queue of an event thread's connections that can continue. Clients take turns, and within a
 * client its connections take turns: a thousand busy connections of one client delay another client
 * by one turn.
 *
 * A client is identified by a hash of its address with a random seed, modulo TURNS_FLOWS. Two
 * clients with the same hash share their turns until the next start.
 */
enum { TURNS_FLOWS = 256 };

/* A connection's place in the queue; a member of the connection's own struct. */
struct turn {
    struct turn *next;
    uint8_t flow; /* of its client; set by the owner */
    bool is_queued;
};

struct turns {
    struct turns_flow {
        struct turn *first, **last;
        struct turns_flow *next;
    } flows[TURNS_FLOWS];
    struct turns_flow *first, **last; /* the flows that have turns */
};

void turns_init(struct turns *turns);

/*
 * Appends a turn to those of its client, unless it is queued already. turn is borrowed until
 * turns_take() returns it.
 */
void turns_add(struct turns *turns, struct turn *turn);

/* The next turn; NULL if there is none. */
struct turn *turns_take(struct turns *turns);

static inline bool turns_is_empty(const struct turns *turns)
{
    return !turns->first;
}
