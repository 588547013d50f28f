#pragma once

#include "registry/storage/s3/keys.h"

/*
 * Reads what an endpoint says when it is asked for keys: JSON with AccessKeyId, SecretAccessKey, and
 * optionally Token, Expiration and Code. Keys that have expired are refused. No part of the answer
 * gets into an error, except for its Code. Pure, except for the clock; from any thread. *ret is the
 * caller's, free with keys_drop(). 0 or negative.
 */
int key_answer_parse(struct piece answer, const char *origin, struct keys **ret,
                     struct error *err) MUST_USE;
