#include "registry/cli/init/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/random.h"
#include "registry/cli/init/host-names.h"
#include "registry/cli/init/pem.h"

enum {
    DAY_S = 24 * 60 * 60,
    AUTHORITY_DAYS = 3650,
    SERVER_DAYS = 825,
    SERIAL_SIZE = 16,
    CLOCK_SKEW_S = 3600,
    COMMON_NAME_SIZE = 65 /* RFC 5280, ub-common-name */
};

void certificate_done(struct certificate *certificate)
{
    secbuf_done(&certificate->key);
    free(certificate->text);
    *certificate = (struct certificate){0};
}

static int explain(int code, const char *what, struct error *err)
{
    return error_set(err, EIO, "%s: %s", what, gnutls_strerror(code));
}

/* --- fields of a certificate ----------------------------------------------------------------- */

/* A positive random number of 126 bits (CA/Browser Forum, Baseline Requirements 7.1, wants 64). */
static int set_serial(gnutls_x509_crt_t crt)
{
    unsigned char serial[SERIAL_SIZE];

    random_bytes(serial, sizeof(serial));
    serial[0] = (serial[0] & 0x7f) | 0x40;
    return gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
}

/* The certificate is valid from an hour ago, for clients whose clock is slow. */
static int set_times(gnutls_x509_crt_t crt, int days)
{
    time_t now = time(NULL);
    int r = gnutls_x509_crt_set_activation_time(crt, now - CLOCK_SKEW_S);

    return r < 0 ? r
                 : gnutls_x509_crt_set_expiration_time(crt,
                                                       now - CLOCK_SKEW_S + (time_t)days * DAY_S);
}

static int set_key_ids(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
    unsigned char id[64];
    size_t size = sizeof(id);
    int r = gnutls_x509_crt_get_key_id(crt, 0, id, &size);

    if (r == 0)
        r = gnutls_x509_crt_set_subject_key_id(crt, id, size);
    size = sizeof(id);
    if (r == 0 && gnutls_x509_crt_get_subject_key_id(issuer, id, &size, NULL) < 0) {
        size = sizeof(id);
        r = gnutls_x509_crt_get_key_id(issuer, 0, id, &size);
    }
    return r < 0 ? r : gnutls_x509_crt_set_authority_key_id(crt, id, size);
}

/* --- the authority --------------------------------------------------------------------------- */

static int fill_authority(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key,
                          const struct certificate_names *names)
{
    char name[COMMON_NAME_SIZE];
    int r = gnutls_x509_crt_set_version(crt, 3);

    snprintf(name, sizeof(name), "Registry authority of %.42s", names->items[0]);
    if (r == 0)
        r = set_serial(crt);
    if (r == 0)
        r = set_times(crt, AUTHORITY_DAYS);
    if (r == 0)
        r = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                          (unsigned)strlen(name));
    if (r == 0)
        r = gnutls_x509_crt_set_key(crt, key);
    if (r == 0)
        r = gnutls_x509_crt_set_basic_constraints(crt, 1, 0);
    if (r == 0)
        r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
    if (r == 0)
        r = set_key_ids(crt, crt);
    if (r == 0)
        r = host_names_constrain(crt, names);
    return r < 0 ? r : gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
}

int certificate_make_authority(const struct certificate_names *names, struct certificate *ret,
                               struct error *err)
{
    CLEANUP(certificate_done) struct certificate made = {0};
    CLEANUP(pem_key_done) gnutls_x509_privkey_t key = NULL;
    CLEANUP(pem_certificate_done) gnutls_x509_crt_t crt = NULL;
    int r = pem_make_key(&key);

    if (r == 0)
        r = gnutls_x509_crt_init(&crt);
    if (r == 0)
        r = fill_authority(crt, key, names);
    if (r == 0)
        r = pem_write_certificate(crt, &made.text);
    if (r == 0)
        r = pem_write_key(key, &made.key);
    if (r < 0)
        return explain(r, "cannot make a certificate authority", err);
    *ret = made;
    made = (struct certificate){0};
    return 0;
}

/* --- a server -------------------------------------------------------------------------------- */

static int fill_server(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key,
                       const struct certificate_names *names, gnutls_x509_crt_t issuer)
{
    int r = gnutls_x509_crt_set_version(crt, 3);

    if (r == 0)
        r = set_serial(crt);
    if (r == 0)
        r = set_times(crt, SERVER_DAYS);
    if (r == 0)
        r = host_names_set(crt, names);
    if (r == 0)
        r = gnutls_x509_crt_set_key(crt, key);
    if (r == 0)
        r = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
    if (r == 0)
        r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
    if (r == 0)
        r = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
    return r < 0 ? r : set_key_ids(crt, issuer);
}

static int sign_server(const struct certificate *authority, const struct certificate_names *names,
                       const struct secbuf *old_key, struct certificate *made)
{
    CLEANUP(pem_key_done) gnutls_x509_privkey_t key = NULL, issuer_key = NULL;
    CLEANUP(pem_certificate_done) gnutls_x509_crt_t crt = NULL, issuer = NULL;
    int r = pem_read_certificate(authority->text, &issuer);

    if (r == 0)
        r = pem_read_key(&authority->key, &issuer_key);
    if (r == 0)
        r = old_key ? pem_read_key(old_key, &key) : pem_make_key(&key);
    if (r == 0)
        r = gnutls_x509_crt_init(&crt);
    if (r == 0)
        r = fill_server(crt, key, names, issuer);
    if (r == 0)
        r = gnutls_x509_crt_sign2(crt, issuer, issuer_key, GNUTLS_DIG_SHA256, 0);
    if (r == 0)
        r = pem_write_certificate(crt, &made->text);
    return r == 0 && !old_key ? pem_write_key(key, &made->key) : r;
}

/* Refuses names that the authority's constraints forbid: clients would refuse the certificate. */
static int check_names(const struct certificate *authority, const struct certificate_names *names,
                       struct error *err)
{
    CLEANUP(pem_certificate_done) gnutls_x509_crt_t issuer = NULL;
    const char *forbidden = NULL;
    int r = pem_read_certificate(authority->text, &issuer);

    if (r == 0)
        r = host_names_find_forbidden(issuer, names, &forbidden);
    if (r < 0)
        return explain(r, "cannot read the authority's certificate", err);
    return !forbidden ? 0 : error_set(err, EINVAL,
         "the authority may not sign for %s, because it was created for other "
         "names: create a new directory with init, and have clients trust its "
         "authority", forbidden);
}

int certificate_make_server(const struct certificate *authority,
                            const struct certificate_names *names, const struct secbuf *key,
                            struct certificate *ret, struct error *err)
{
    CLEANUP(certificate_done) struct certificate made = {0};
    int r = check_names(authority, names, err);

    if (r < 0)
        return r;
    r = sign_server(authority, names, key, &made);
    if (r < 0)
        return explain(r, "cannot make the server's certificate", err);
    *ret = made;
    made = (struct certificate){0};
    return 0;
}

/* --- a request ------------------------------------------------------------------------------- */

static int fill_request(gnutls_x509_crq_t request, gnutls_x509_privkey_t key,
                        const struct certificate_names *names)
{
    int r = gnutls_x509_crq_set_version(request, 1);

    if (r == 0)
        r = host_names_set_requested(request, names);
    if (r == 0)
        r = gnutls_x509_crq_set_key(request, key);
    return r < 0 ? r : gnutls_x509_crq_sign2(request, key, GNUTLS_DIG_SHA256, 0);
}

int certificate_make_request(const struct certificate_names *names, struct certificate *ret,
                             struct error *err)
{
    CLEANUP(certificate_done) struct certificate made = {0};
    CLEANUP(pem_key_done) gnutls_x509_privkey_t key = NULL;
    CLEANUP(pem_request_done) gnutls_x509_crq_t request = NULL;
    int r = pem_make_key(&key);

    if (r == 0)
        r = gnutls_x509_crq_init(&request);
    if (r == 0)
        r = fill_request(request, key, names);
    if (r == 0)
        r = pem_write_request(request, &made.text);
    if (r == 0)
        r = pem_write_key(key, &made.key);
    if (r < 0)
        return explain(r, "cannot make a request for a certificate", err);
    *ret = made;
    made = (struct certificate){0};
    return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

void certificate_free_names(char **names, size_t count)
{
    for (size_t i = 0; names && i < count; i++)
        free(names[i]);
    free(names);
}

int certificate_get_names(const char *text, char ***ret_names, size_t *ret_count, struct error *err)
{
    enum { MOST = 64 };
    CLEANUP(pem_certificate_done) gnutls_x509_crt_t crt = NULL;
    char **names = calloc(MOST, sizeof(*names));
    size_t count = 0;
    int r = names ? pem_read_certificate(text, &crt) : GNUTLS_E_MEMORY_ERROR;

    for (unsigned i = 0; r >= 0 && count < MOST; i++) {
        r = host_names_get(crt, i, &names[count]);
        count += r == 1;
    }
    if (r < 0 && r != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
        certificate_free_names(names, count);
        return explain(r, "cannot read the certificate", err);
    }
    *ret_names = names;
    *ret_count = count;
    return 0;
}
