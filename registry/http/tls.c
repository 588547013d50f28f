/*
 * Loads the server's certificate and key, which can be replaced while connections are made. A
 * replaced pair is kept for a while, because a handshake may still use it.
 */
#include "registry/http/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry/http/tls-file.h"

enum { CHAIN_MAX = 16, SECONDS_KEPT = 600 };

struct identity {
    struct identity *earlier;
    time_t replaced;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
    time_t expires;
    char names[TLS_NAMES_SIZE];
};

static struct identity *current;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void identity_free(struct identity *identity)
{
    if (!identity)
        return;
    for (unsigned i = 0; i < identity->count; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    if (identity->key)
        gnutls_privkey_deinit(identity->key);
    free(identity);
}

static void identity_freep(struct identity **identity)
{
    identity_free(*identity);
}

static int read_file(const char *path, struct tls_file *ret, struct error *err)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : tls_file_read(fd, ret);

    return r < 0 ? error_set_errno(err, -r, "cannot read %s", path) : 0;
}

static int load_chain(struct identity *identity, const char *path, struct error *err)
{
    CLEANUP(tls_file_done) struct tls_file file = {0};
    gnutls_datum_t datum;
    int r = read_file(path, &file, err);

    if (r < 0)
        return r;
    datum = tls_file_datum(&file);
    identity->count = CHAIN_MAX;
    r = gnutls_pcert_list_import_x509_raw(identity->chain, &identity->count, &datum,
                                          GNUTLS_X509_FMT_PEM, 0);
    if (r >= 0 && identity->count > 0)
        return 0;
    identity->count = 0;
    return error_set(err, EBADMSG, "%s contains no certificate in PEM: %s", path,
                     gnutls_strerror(r));
}

static int load_key(struct identity *identity, const char *path, struct error *err)
{
    CLEANUP(tls_file_done) struct tls_file file = {0};
    gnutls_datum_t datum;
    int r = read_file(path, &file, err);

    if (r < 0)
        return r;
    datum = tls_file_datum(&file);
    r = gnutls_privkey_init(&identity->key);
    if (r >= 0)
        r = gnutls_privkey_import_x509_raw(identity->key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    return r < 0 ? error_set(err, EBADMSG, "%s contains no usable key in PEM: %s", path,
                             gnutls_strerror(r))
                 : 0;
}

/* Checks that the certificate verifies a signature made with the key. */
static int check_pair(struct identity *identity, const char *certificate_path, const char *key_path,
                      struct error *err)
{
    gnutls_datum_t text = {.data = (unsigned char *)"registryd", .size = 9}, signature = {0};
    gnutls_pubkey_t public = identity->chain[0].pubkey;
    gnutls_digest_algorithm_t hash = GNUTLS_DIG_SHA256;
    int r = gnutls_pubkey_get_preferred_hash_algorithm(public, &hash, NULL);

    if (r >= 0)
        r = gnutls_privkey_sign_data(identity->key, hash, 0, &text, &signature);
    if (r >= 0)
        r = gnutls_pubkey_verify_data2(
            public, gnutls_pk_to_sign(gnutls_pubkey_get_pk_algorithm(public, NULL), hash), 0, &text,
            &signature);
    gnutls_free(signature.data);
    return r < 0 ? error_set(err, EBADMSG, "the key %s does not belong to the certificate %s",
                             key_path, certificate_path)
                 : 0;
}

/* The names of hosts; those that do not fit are left out. */
static void read_names(gnutls_x509_crt_t certificate, char ret_names[TLS_NAMES_SIZE])
{
    size_t used = 0;

    ret_names[0] = '\0';
    for (unsigned i = 0;; i++) {
        char name[256];
        size_t size = sizeof(name) - 1;
        int r = gnutls_x509_crt_get_subject_alt_name(certificate, i, name, &size, NULL);

        if (r < 0 && r != GNUTLS_E_SHORT_MEMORY_BUFFER)
            return;
        if (r != GNUTLS_SAN_DNSNAME || memchr(name, ' ', size) ||
            used + size + 2 > TLS_NAMES_SIZE)
            continue;
        used += (size_t)snprintf(ret_names + used, TLS_NAMES_SIZE - used, "%s%.*s",
                                 used ? " " : "", (int)size, name);
    }
}

static void read_certificate(struct identity *identity)
{
    gnutls_x509_crt_t certificate;

    identity->expires = -1;
    if (gnutls_x509_crt_init(&certificate) < 0)
        return;
    if (gnutls_x509_crt_import(certificate, &identity->chain[0].cert, GNUTLS_X509_FMT_DER) >= 0) {
        identity->expires = gnutls_x509_crt_get_expiration_time(certificate);
        read_names(certificate, identity->names);
    }
    gnutls_x509_crt_deinit(certificate);
}

static int load(const char *certificate_path, const char *key_path, struct identity **ret,
                struct error *err)
{
    CLEANUP(identity_freep) struct identity *identity = calloc(1, sizeof(*identity));
    int r;

    if (!identity)
        return error_set_oom(err);
    r = load_chain(identity, certificate_path, err);
    if (r == 0)
        r = load_key(identity, key_path, err);
    if (r == 0)
        r = check_pair(identity, certificate_path, key_path, err);
    if (r < 0)
        return r;
    read_certificate(identity);
    *ret = steal_ptr(&identity);
    return 0;
}

/* Frees pairs that were replaced so long ago that no handshake can still use them. */
static void free_old(struct identity *newest, time_t now)
{
    while (newest->earlier && now - newest->earlier->replaced < SECONDS_KEPT)
        newest = newest->earlier;
    while (newest->earlier) {
        struct identity *old = newest->earlier;

        newest->earlier = old->earlier;
        identity_free(old);
    }
}

int tls_load(const char *certificate_path, const char *key_path, struct error *err)
{
    struct identity *identity = NULL;
    int r = load(certificate_path, key_path, &identity, err);

    if (r < 0)
        return r;
    pthread_mutex_lock(&lock);
    identity->earlier = current;
    if (current)
        current->replaced = time(NULL);
    current = identity;
    free_old(identity, time(NULL));
    pthread_mutex_unlock(&lock);
    return 0;
}

void tls_unload(void)
{
    while (current) {
        struct identity *identity = current;

        current = identity->earlier;
        identity_free(identity);
    }
}

int tls_get_days_left(void)
{
    return (int)((current->expires - time(NULL)) / (24 * 60 * 60));
}

bool tls_describe(int64_t *ret_expires_s, char ret_names[TLS_NAMES_SIZE])
{
    bool is_loaded;

    pthread_mutex_lock(&lock);
    is_loaded = current;
    if (is_loaded) {
        *ret_expires_s = current->expires;
        memcpy(ret_names, current->names, TLS_NAMES_SIZE);
    }
    pthread_mutex_unlock(&lock);
    return is_loaded;
}

int tls_retrieve(struct gnutls_session_int *session, const struct gnutls_cert_retr_st *info,
                 struct gnutls_pcert_st **ret_certificates, unsigned *ret_count,
                 struct gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
                 struct gnutls_privkey_st **ret_key, unsigned *flags)
{
    (void)session, (void)info, (void)flags;
    pthread_mutex_lock(&lock);
    *ret_certificates = current->chain;
    *ret_count = current->count;
    *ret_key = current->key;
    pthread_mutex_unlock(&lock);
    *ret_ocsp = NULL;
    *ret_ocsp_count = 0;
    return 0;
}
