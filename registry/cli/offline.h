#pragma once

#include "registry/config/settings.h"
#include "registry/confine/confine.h"

/*
 * Verbs that work on the storage without serving it (garbage-collect, verify) give up their rights, because other users may
 * have written what lies there: root becomes the storage's owner, and the process is confined like `serve`. Call the first
 * function before the storage is opened and the second one afterwards. Both do nothing without confinement.enabled. 0 or
 * negative. settings are borrowed.
 */
int offline_change_identity(const struct settings *settings, struct confinement *ret, struct error *err) MUST_USE;
int offline_confine(const struct settings *settings, const struct confinement *confinement, struct error *err) MUST_USE;
