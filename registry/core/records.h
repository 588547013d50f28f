#pragma once

#include <stddef.h>

#include "registry/core/store.h"

/*
 * Small records below the key "registryd/", which registry:2 ignores: state that servers share, and
 * information for display. A path looks like "robots/ci". Any thread may call these functions.
 */
enum { RECORD_SIZE_MAX = 64 << 10, RECORD_PATH_MAX = 300 };

/* Writes a record without a sync: a power failure may empty or lose it. */
int store_note_record(struct store *store, const char *path, const char *text,
                      struct error *err) MUST_USE;

/* Reads a record. *ret is owned by the caller, free with free(). STORE_NOT_FOUND. */
int store_read_record(struct store *store, const char *path, char **ret,
                      struct error *err) MUST_USE;

/*
 * The same for a record that is one number, such as a time. An empty or damaged record is
 * STORE_NOT_FOUND.
 */
int store_note_number(struct store *store, const char *path, int64_t number,
                      struct error *err) MUST_USE;
int store_read_number(struct store *store, const char *path, int64_t *ret,
                      struct error *err) MUST_USE;
