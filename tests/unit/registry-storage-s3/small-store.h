#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A small S3 store on loopback that keeps everything in memory, so that unit tests can run the
 * backend, count its requests, and cut it off between two of them. It keeps conditions of PUT and
 * DELETE. It checks no signatures. What a real store does is tested by tests/e2e/s3-gateway.py.
 */
struct small_store;

struct small_store *small_store_new(void); /* ends the test if it fails */
void small_store_free(struct small_store *store);

/* "http://127.0.0.1:PORT" */
const char *small_store_get_endpoint(const struct small_store *store);

/*
 * The requests since the last call, each "METHOD key\n" without what is below "registryd/", where
 * "key" is what follows the prefix of all keys. Free with free().
 */
char *small_store_take_log(struct small_store *store);

/*
 * After that many further requests of the client with an access key, other than those below
 * "registryd/", all of its requests are refused, as if its process had been killed.
 */
void small_store_cut_off(struct small_store *store, const char *access_key, unsigned after);

/*
 * Gives no answer to GET of keys that contain the text, until the next call; "" holds none. Call it
 * with "" before small_store_free().
 */
void small_store_hold(struct small_store *store, const char *text);

/* Sets the store's clock forward. Its clients follow with their next requests. */
void small_store_pass_time(struct small_store *store, long seconds);

/* How many objects have a key that contains the text, and how many multipart uploads there are. */
unsigned small_store_count(struct small_store *store, const char *text);
unsigned small_store_count_multiparts(struct small_store *store);
