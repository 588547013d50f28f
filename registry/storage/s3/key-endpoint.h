#pragma once

#include "registry/storage/s3/keys.h"

/*
 * Where keys can be asked for: the endpoint of a container (ECS, EKS), that of the instance (EC2),
 * or the service that gives keys for a token (STS). The variables say which, as they do for the AWS
 * SDK for Go. They do not change, so any thread may use them.
 */
enum key_endpoint_kind { KEY_ENDPOINT_IDENTITY, KEY_ENDPOINT_CONTAINER, KEY_ENDPOINT_INSTANCE };

struct key_endpoint {
    enum key_endpoint_kind kind;
    char *url;    /* for a container with the path, for the others without */
    char *origin; /* for messages: "the endpoint of the instance, http://169.254.169.254" */
    char *host;   /* without brackets */
    char *header; /* "host: name" if the URL has an address instead of the name; or NULL */
    unsigned port;
    bool is_encrypted;
    struct secbuf token; /* for the header authorization, or empty */
    char *token_file;    /* is read for each request instead; or NULL */
    char *role, *session; /* of KEY_ENDPOINT_IDENTITY */
    bool has_old_form;    /* the instance may be asked without a token (IMDSv1) */
};

/* There is no such endpoint. */
enum { KEY_ENDPOINT_NONE = 1 };

/*
 * Whether the variables name a token file and a role. *ret is the caller's, free with
 * key_endpoint_free(). 0, KEY_ENDPOINT_NONE, or negative: the variables are invalid.
 */
int key_endpoint_find_identity(const char *const *environment, const char *region,
                               struct key_endpoint **ret, struct error *err) MUST_USE;

/* The container's endpoint, or else the instance's, unless that is disabled. The same. */
int key_endpoint_find(const char *const *environment, struct key_endpoint **ret,
                      struct error *err) MUST_USE;

void key_endpoint_free(struct key_endpoint *endpoint); /* takes NULL */

/* The value of a variable, "" if it is unset. Valid as long as the environment. */
const char *key_endpoint_get_variable(const char *const *environment, const char *name);
