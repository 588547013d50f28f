#pragma once

#include <stddef.h>

#include "registry/core/store.h"

/*
 * Small records of our own below the key "registryd/", which registry:2 ignores: what servers tell each other, and what is
 * shown to people. A path is like "robots/ci". From any thread.
 */
enum { RECORD_SIZE_MAX = 64 << 10, RECORD_PATH_MAX = 300 };

/* Writes a record that a power failure may empty or lose. */
int store_note_record(struct store *store, const char *path, const char *text, struct error *err) MUST_USE;

/* *ret is the caller's, free with free(). STORE_NOT_FOUND. */
int store_read_record(struct store *store, const char *path, char **ret, struct error *err) MUST_USE;

/* The same for a record that is one number, such as a time; an empty or damaged one is STORE_NOT_FOUND. */
int store_note_number(struct store *store, const char *path, int64_t number, struct error *err) MUST_USE;
int store_read_number(struct store *store, const char *path, int64_t *ret, struct error *err) MUST_USE;
