#pragma once

#include "registry/config/settings.h"
#include "registry/confine/confine.h"
#include "registry/core/store.h"

/*
 * Confines the verbs that work on the storage without serving it, such as garbage-collect and
 * verify, because other users may have written the data. Root becomes the storage's owner, and the
 * process is confined like `serve`. Call offline_change_identity() before the storage is opened and
 * offline_confine() afterwards. Both do nothing if confinement.enabled is false. They return 0 or
 * negative. settings are borrowed.
 */
int offline_change_identity(const struct settings *settings, struct confinement *ret,
                            struct error *err) MUST_USE;
int offline_confine(const struct settings *settings, const struct confinement *confinement,
                    struct error *err) MUST_USE;

/*
 * Does both, and in between opens the store, which servers may use at the same time. Free *ret with
 * store_close().
 */
int offline_open_store(const struct settings *settings, struct store **ret,
                       struct error *err) MUST_USE;
