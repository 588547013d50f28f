#pragma once

#include "registry/api/endpoint.h"

/* One per route and method; each lies in the file of its topic. */

extern const struct endpoint endpoint_base, endpoint_base_redirect, endpoint_root, endpoint_health; /* base.c */
extern const struct endpoint endpoint_blob_get, endpoint_blob_delete;                               /* blobs.c */
extern const struct endpoint endpoint_upload_start, endpoint_upload_patch, endpoint_upload_put;     /* uploads.c */
extern const struct endpoint endpoint_upload_get, endpoint_upload_delete;                /* upload-status.c */
extern const struct endpoint endpoint_manifest_get, endpoint_manifest_delete;            /* manifests.c */
extern const struct endpoint endpoint_manifest_put;                                      /* manifest-put.c */
extern const struct endpoint endpoint_tags, endpoint_catalog;                            /* lists.c */
extern const struct endpoint endpoint_referrers;                                         /* referrers.c */
extern const struct endpoint endpoint_token_get, endpoint_token_post;                      /* token.c */
