#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/network.h"
#include "common/secbuf.h"
#include "registry/runtime/log.h"

/*
 * The user's settings, checked and typed: from a configuration file and REGISTRY_* variables with
 * registry:2's names, meanings and defaults (distribution 2.8, registryd-config(5)). Load them in
 * one thread. Loaded settings never change: any thread may read them.
 */

/* A name and a value that the user chose: a header, a field of every log line. */
struct settings_pair {
    const char *name, *value;
};

struct settings_pairs {
    struct settings_pair *items;
    size_t count;
};

struct settings_log {
    enum log_level level;         /* LOG_LEVEL_INFO */
    enum log_formatter formatter; /* LOG_FORMATTER_TEXT */
    struct settings_pairs fields; /* in every line */
    bool is_access_disabled; /* false; true: no line for each request */
};

struct settings_upload_purging {
    bool is_enabled;      /* true */
    bool is_dry_run; /* false; true: only log what would be removed */
    uint64_t age_ms;      /* 168h: uploads begun longer ago are removed */
    uint64_t interval_ms; /* 24h */
};

/* When `serve` collects garbage. Not in registry:2. */
struct settings_collection {
    bool is_enabled;      /* false */
    bool is_dry_run; /* false; true: only log what would be removed */
    bool does_untag; /* false; true: all manifests without a tag are removed */
    uint64_t interval_ms; /* 24h, at least 1m */
    uint64_t grace_ms;    /* 24h, at least 2m: what is younger stays */
    /* minutes since midnight, local time; both the same: all day */
    unsigned window_first, window_end;
};

/* A bucket, in which all data is if it is enabled. */
struct settings_s3 {
    bool is_enabled;
    const char *access_key; /* NULL: keys are looked for elsewhere */
    struct secbuf secret_key, session_token; /* empty: not given */
    char *endpoint; /* "https://host[:port]"; never NULL if it is enabled, as the next two */
    const char *bucket;
    const char *region;
    const char *root_directory; /* "" */
    bool has_bucket_in_host; /* "https://bucket.host/" instead of "https://host/bucket/" */
    bool skips_verify;       /* false; true: the server's certificate is not checked */
    unsigned part_size;      /* 10 MiB, at least 5 MiB */
    unsigned copy_part_size; /* 32 MiB */
    unsigned copy_threshold; /* 4 GiB: larger objects are copied in parts of that size */
    bool is_encrypted;       /* false; true: by the store, with key_id or its own key */
    const char *key_id;
    const char *storage_class; /* NULL: the store's usual one */
    const char *acl;           /* NULL: private */
};

/* A cache on a local disk, of the blobs of a bucket. Not in registry:2. */
struct settings_cache {
    const char *directory; /* NULL: none */
    uint64_t max;          /* bytes */
};

struct settings_storage {
    const char *root_directory; /* "/var/lib/registry"; not used with a bucket */
    struct settings_s3 s3;
    struct settings_cache cache;
    /* 100, at least 25: how many file operations registry:2 runs at once; not used */
    unsigned max_threads;
    bool redirects; /* false: redirect.disable, true by default; needs a bucket */
    bool is_delete_enabled;     /* false: DELETE of manifests and blobs is 405 */
    bool is_read_only;          /* false: everything that writes is 405 */
    struct settings_upload_purging upload_purging;
    struct settings_collection collection;
};

struct settings_auth {
    bool is_htpasswd; /* false; without htpasswd and token, everybody may do everything */
    const char *realm; /* both NULL without htpasswd, neither empty with it */
    const char *path;
    /* the file with rules about who may do what; NULL: every user may do everything */
    const char *access;
    const char *robots; /* the file with the robots; NULL: a robot is a user like any other */
    bool has_tokens; /* whether there is an access file: the server issues tokens */
    unsigned guesses; /* 30: wrong passwords a minute for a user from one address; 0: no limit */
};

/* auth.token: tokens of another server. */
struct settings_token {
    bool is_enabled;
    const char *realm, *service, *issuer; /* never NULL if it is enabled */
    const char *certificates; /* paths; at least one of both is not NULL */
    const char *key_set;
    const char *redirect_path; /* autoredirect and its path; NULL: no */
    const char **algorithms;   /* names; NULL: all that are supported */
    size_t algorithm_count;
};

struct settings_tls {
    const char *certificate; /* paths of PEM files; both NULL: no TLS */
    const char *key;
    bool is_tls13_only; /* minimumtls: otherwise TLS 1.2 is served too */
    /* paths of PEM files: authorities that must have signed clients' certificates; NULL: none */
    const char **client_cas;
    size_t client_ca_count;
    bool is_client_optional; /* false; true: clients without a certificate are served, too */
};

struct settings_debug {
    const char *address;         /* NULL: no debug server */
    bool has_prometheus;         /* false */
    const char *prometheus_path; /* "/metrics" */
};

/* Not in registry:2. 0 means no limit, except for connections. */
struct settings_limits {
    unsigned connections;  /* 20000: open at once */
    unsigned per_address; /* 4000: of these, from one address */
    /* 500: bytes a second that a client must send or receive, on average over transfer_ms */
    unsigned min_rate;
    uint64_t head_ms;      /* 30s: for the TLS handshake and the head of a request */
    uint64_t idle_ms;      /* 2m: between requests */
    uint64_t transfer_ms;  /* 1m */
};

struct settings_http {
    const char *net;     /* "tcp" or "unix" */
    const char *address; /* "host:port", ":port" (everywhere), or the path of a unix socket */
    const char *prefix;  /* before /v2/: "/a/b" without a slash at its end; "" for none */
    /*
     * "https://example.com" without a slash at its end: all that clients are to put before /v2/ (no
     * prefix is added). NULL: taken from the request.
     */
    const char *host;
    struct secbuf secret; /* empty: not given */
    bool has_relative_urls;
    /* how long to wait for requests in flight, at most INT_MAX; 0: not set */
    uint64_t drain_timeout_ms;
    struct settings_pairs headers; /* added to every answer; names may repeat */
    /* not in registry:2: the proxies whose X-Forwarded-For is trusted; NULL for none */
    struct network *trusted_proxies;
    size_t trusted_proxy_count;
    struct settings_tls tls;
    struct settings_debug debug;
    struct settings_limits limits;
};

/* health.storagedriver; has no effect on a directory, which is looked at whenever somebody asks. */
enum { SETTINGS_HEALTH_MS = 10000 };
struct settings_health {
    bool is_enabled;      /* true */
    uint64_t interval_ms; /* 10s */
    unsigned threshold;   /* 3: checks in a row that must fail */
};

/* Not in registry:2: the rights that the server drops when it starts. */
struct settings_confinement {
    bool is_enabled;  /* true */
    const char *user; /* the user that root becomes; NULL: not set */
};

struct settings {
    struct settings_log log;
    struct settings_storage storage;
    struct settings_auth auth;
    struct settings_token token;
    struct settings_http http;
    struct settings_health health;
    struct settings_confinement confinement;
    bool has_page;        /* true: the page at / and its part of the API; not in registry:2 */
    unsigned catalog_max; /* 1000: names in one page of the catalog */
    unsigned tags_max;    /* 0 (no limit): names in one page of a tag list */

    /* Settings that are ignored, one line each, for the log at the start. */
    char **warnings;
    size_t warning_count;

    struct yaml_tree *tree; /* holds all text above */
};

/*
 * The service's file, in a directory that is set at build time; and the file in the image
 * registry:2, for containers.
 */
#define SETTINGS_SERVICE_PATH CONFIGURATION_DIRECTORY "/config.yml"
#define SETTINGS_IMAGE_PATH "/etc/docker/registry/config.yml"

/*
 * The file to load, or NULL for none. In this order: the command's argument (not NULL),
 * REGISTRY_CONFIGURATION_PATH as in registry:2 (empty: no file), SETTINGS_SERVICE_PATH if it exists
 * and environment has no settings, SETTINGS_IMAGE_PATH if it exists.
 */
const char *settings_choose_path(const char *argument, char *const *environment);

/*
 * Loads the file at path (NULL: no file), which must say `version: 0.1`. Then applies the variables
 * in environment (such as environ) whose names begin with REGISTRY_. Returns 0 with *ret (free with
 * settings_free()), or negative if the file cannot be read or is not valid YAML, or if a setting is
 * invalid or refused; err begins with "FILE:LINE: KEY: " or "VARIABLE: ".
 */
int settings_load(const char *path, char *const *environment, struct settings **ret,
                  struct error *err);

/*
 * Chooses and loads, for a command that works on the data of a server: fails if neither a file nor
 * a variable names the storage. 0 or negative, as settings_load().
 */
int settings_load_for_data(const char *argument, char *const *environment, struct settings **ret,
                           struct error *err) MUST_USE;

/* Wipes and frees; accepts NULL. */
void settings_free(struct settings *settings);
void settings_freep(struct settings **settings);
