#pragma once

#include "registry/storage/s3/key-endpoint.h"
#include "registry/storage/s3/transport.h"

/*
 * Asks an endpoint for keys: at most KEY_FETCH_REQUESTS requests of KEY_FETCH_MS each, with answers
 * of at most KEY_FETCH_SIZE bytes. Waits. The transport is one of key_fetch_open() for it. *ret is
 * the caller's, free with keys_drop(). 0 or negative.
 */
enum { KEY_FETCH_REQUESTS = 3, KEY_FETCH_MS = 5000, KEY_FETCH_SIZE = 64 << 10 };

int key_fetch(const struct key_endpoint *endpoint, struct transport *transport, struct keys **ret,
              struct error *err) MUST_USE;

/* *ret has a thread of libcurl, which wipes its memory. Free with transport_free(). 0 or negative. */
int key_fetch_open(const struct key_endpoint *endpoint, struct transport **ret,
                   struct error *err) MUST_USE;
