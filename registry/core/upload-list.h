#pragma once

#include "registry/core/store.h"

/* The sessions of uploads, for people. */
struct upload_entry {
    char *repository;
    int64_t started_s; /* since 1970; 0: not known */
    uint64_t size;     /* bytes so far */
};

struct upload_list {
    struct upload_entry *items;
    size_t count;
    bool has_more;
};

/*
 * Lists up to `most` sessions, whether a request writes to them or not. Reads the directory of each
 * repository. *ret is owned by the caller, free with upload_list_done().
 */
int store_list_uploads(struct store *store, size_t most, struct upload_list *ret,
                       struct error *err) MUST_USE;
void upload_list_done(struct upload_list *list);
