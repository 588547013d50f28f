#pragma once

#include "registry/api/endpoint.h"

/* All endpoints, one per route and method, with the files that define them. */

/* base.c */
extern const struct endpoint endpoint_base, endpoint_base_redirect, endpoint_health;
/* blobs.c */
extern const struct endpoint endpoint_blob_get, endpoint_blob_delete;
/* uploads.c */
extern const struct endpoint endpoint_upload_start, endpoint_upload_patch, endpoint_upload_put;
/* upload-status.c */
extern const struct endpoint endpoint_upload_get, endpoint_upload_delete;
/* manifests.c */
extern const struct endpoint endpoint_manifest_get, endpoint_manifest_delete;
/* manifest-put.c */
extern const struct endpoint endpoint_manifest_put;
/* lists.c */
extern const struct endpoint endpoint_tags, endpoint_catalog;
/* referrers.c */
extern const struct endpoint endpoint_referrers;
/* page.c */
extern const struct endpoint endpoint_root, endpoint_page_redirect, endpoint_page_asset;
/* page-self.c */
extern const struct endpoint endpoint_page_self;
/* page-repositories.c */
extern const struct endpoint endpoint_page_repositories;
/* page-space.c */
extern const struct endpoint endpoint_page_space, endpoint_page_repository_space;
/* page-consequences.c */
extern const struct endpoint endpoint_page_consequences;
/* page-health.c */
extern const struct endpoint endpoint_page_health;
/* page-tags.c */
extern const struct endpoint endpoint_page_tags;
/* token.c */
extern const struct endpoint endpoint_token_get, endpoint_token_post;
/* token-revoke.c */
extern const struct endpoint endpoint_token_revoke;
