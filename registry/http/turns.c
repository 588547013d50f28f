#include "registry/http/turns.h"

void turns_init(struct turns *turns)
{
    *turns = (struct turns){.last = &turns->first};
    for (size_t i = 0; i < TURNS_FLOWS; i++)
        turns->flows[i].last = &turns->flows[i].first;
}

static void append_flow(struct turns *turns, struct turns_flow *flow)
{
    flow->next = NULL;
    *turns->last = flow;
    turns->last = &flow->next;
}

void turns_add(struct turns *turns, struct turn *turn)
{
    struct turns_flow *flow = &turns->flows[turn->flow];

    if (turn->is_queued)
        return;
    turn->is_queued = true;
    turn->next = NULL;
    if (!flow->first)
        append_flow(turns, flow);
    *flow->last = turn;
    flow->last = &turn->next;
}

struct turn *turns_take(struct turns *turns)
{
    struct turns_flow *flow = turns->first;
    struct turn *turn;

    if (!flow)
        return NULL;
    turns->first = flow->next;
    if (!turns->first)
        turns->last = &turns->first;
    turn = flow->first;
    flow->first = turn->next;
    if (flow->first)
        append_flow(turns, flow);
    else
        flow->last = &flow->first;
    turn->is_queued = false;
    return turn;
}
