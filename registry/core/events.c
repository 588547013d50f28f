#include "registry/core/events.h"

#include "registry/core/store-private.h"

void store_set_listener(struct store *store, event_listener *listener, void *object)
{
    store->listener = listener;
    store->listener_object = object;
}

void store_report_event(const struct store *store, const struct event *event)
{
    if (store->listener)
        store->listener(store->listener_object, event);
}
