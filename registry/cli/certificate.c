#include "registry/cli/certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/random.h"

enum { DAY_S = 24 * 60 * 60, AUTHORITY_DAYS = 3650, SERVER_DAYS = 825, SERIAL_SIZE = 16, CLOCK_SKEW_S = 3600 };

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

/* --- what GnuTLS hands out ------------------------------------------------------------------- */

static void key_deinit(gnutls_x509_privkey_t *key)
{
    if (*key)
        gnutls_x509_privkey_deinit(*key);
}

static void crt_deinit(gnutls_x509_crt_t *crt)
{
    if (*crt)
        gnutls_x509_crt_deinit(*crt);
}

static void request_deinit(gnutls_x509_crq_t *request)
{
    if (*request)
        gnutls_x509_crq_deinit(*request);
}

/* Ours, then wiped and freed. */
static int take_text(gnutls_datum_t *datum, char **ret)
{
    *ret = strndup((const char *)datum->data, datum->size);
    explicit_bzero(datum->data, datum->size);
    gnutls_free(datum->data);
    return *ret ? 0 : GNUTLS_E_MEMORY_ERROR;
}

static int take_secret(gnutls_datum_t *datum, struct secbuf *ret)
{
    int r = secbuf_append(ret, datum->data, datum->size);

    explicit_bzero(datum->data, datum->size);
    gnutls_free(datum->data);
    return r < 0 ? GNUTLS_E_MEMORY_ERROR : 0;
}

static int export_key(gnutls_x509_privkey_t key, struct secbuf *ret)
{
    gnutls_datum_t datum = {0};
    int r = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &datum);

    return r < 0 ? r : take_secret(&datum, ret);
}

static int make_key(gnutls_x509_privkey_t *ret)
{
    int r = gnutls_x509_privkey_init(ret);

    return r < 0 ? r : gnutls_x509_privkey_generate(*ret, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
}

static int import_key(const struct secbuf *text, gnutls_x509_privkey_t *ret)
{
    const gnutls_datum_t datum = {.data = text->data, .size = (unsigned)text->size};
    int r = gnutls_x509_privkey_init(ret);

    return r < 0 ? r : gnutls_x509_privkey_import2(*ret, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
}

static int import_crt(const char *text, gnutls_x509_crt_t *ret)
{
    const gnutls_datum_t datum = {.data = (unsigned char *)text, .size = (unsigned)strlen(text)};
    int r = gnutls_x509_crt_init(ret);

    return r < 0 ? r : gnutls_x509_crt_import(*ret, &datum, GNUTLS_X509_FMT_PEM);
}

/* --- what stands in a certificate ------------------------------------------------------------ */

/* Positive, and too long to be guessed (CA/Browser Forum, Baseline Requirements 7.1). */
static int set_serial(gnutls_x509_crt_t crt)
{
    unsigned char serial[SERIAL_SIZE];

    random_bytes(serial, sizeof(serial));
    serial[0] = (serial[0] & 0x7f) | 0x40;
    return gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
}

/* A clock that is a little behind takes it, too. */
static int set_times(gnutls_x509_crt_t crt, int days)
{
    time_t now = time(NULL);
    int r = gnutls_x509_crt_set_activation_time(crt, now - CLOCK_SKEW_S);

    return r < 0 ? r : gnutls_x509_crt_set_expiration_time(crt, now - CLOCK_SKEW_S + (time_t)days * DAY_S);
}

static int set_key_ids(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
    unsigned char id[64];
    size_t size = sizeof(id);
    int r = gnutls_x509_crt_get_key_id(crt, 0, id, &size);

    if (r == 0)
        r = gnutls_x509_crt_set_subject_key_id(crt, id, size);
    size = sizeof(id);
    if (r == 0)
        r = gnutls_x509_crt_get_key_id(issuer, 0, id, &size);
    return r < 0 ? r : gnutls_x509_crt_set_authority_key_id(crt, id, size);
}

/* The kind of a name, its bytes, and their number. */
static gnutls_x509_subject_alt_name_t read_name(const char *name, const void **ret_data, unsigned *ret_size,
                                                unsigned char address[16])
{
    *ret_data = address;
    *ret_size = 4;
    if (inet_pton(AF_INET, name, address) == 1)
        return GNUTLS_SAN_IPADDRESS;
    *ret_size = 16;
    if (inet_pton(AF_INET6, name, address) == 1)
        return GNUTLS_SAN_IPADDRESS;
    *ret_data = name;
    *ret_size = (unsigned)strlen(name);
    return GNUTLS_SAN_DNSNAME;
}

static int set_names(gnutls_x509_crt_t crt, const struct certificate_names *names)
{
    int r = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, names->items[0],
                                          (unsigned)strlen(names->items[0]));

    for (size_t i = 0; r == 0 && i < names->count; i++) {
        unsigned char address[16];
        const void *data;
        unsigned size;
        gnutls_x509_subject_alt_name_t type = read_name(names->items[i], &data, &size, address);

        r = gnutls_x509_crt_set_subject_alt_name(crt, type, data, size, i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET);
    }
    return r;
}

static int export_crt(gnutls_x509_crt_t crt, char **ret)
{
    gnutls_datum_t datum = {0};
    int r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &datum);

    return r < 0 ? r : take_text(&datum, ret);
}

/* --- the authority --------------------------------------------------------------------------- */

static int fill_authority(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *name)
{
    int r = gnutls_x509_crt_set_version(crt, 3);

    if (r == 0)
        r = set_serial(crt);
    if (r == 0)
        r = set_times(crt, AUTHORITY_DAYS);
    if (r == 0)
        r = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
    if (r == 0)
        r = gnutls_x509_crt_set_key(crt, key);
    if (r == 0)
        r = gnutls_x509_crt_set_basic_constraints(crt, 1, 0);
    if (r == 0)
        r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
    if (r == 0)
        r = set_key_ids(crt, crt);
    return r < 0 ? r : gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
}

int certificate_make_authority(const char *name, struct certificate *ret, struct error *err)
{
    CLEANUP(certificate_done) struct certificate made = {0};
    CLEANUP(key_deinit) gnutls_x509_privkey_t key = NULL;
    CLEANUP(crt_deinit) gnutls_x509_crt_t crt = NULL;
    int r = make_key(&key);

    if (r == 0)
        r = gnutls_x509_crt_init(&crt);
    if (r == 0)
        r = fill_authority(crt, key, name);
    if (r == 0)
        r = export_crt(crt, &made.text);
    if (r == 0)
        r = export_key(key, &made.key);
    if (r < 0)
        return explain(r, "cannot make a certificate authority", err);
    *ret = made;
    made = (struct certificate){0};
    return 0;
}

/* --- a server -------------------------------------------------------------------------------- */

static int fill_server(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const struct certificate_names *names,
                       gnutls_x509_crt_t issuer)
{
    int r = gnutls_x509_crt_set_version(crt, 3);

    if (r == 0)
        r = set_serial(crt);
    if (r == 0)
        r = set_times(crt, SERVER_DAYS);
    if (r == 0)
        r = set_names(crt, names);
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
    CLEANUP(key_deinit) gnutls_x509_privkey_t key = NULL, issuer_key = NULL;
    CLEANUP(crt_deinit) gnutls_x509_crt_t crt = NULL, issuer = NULL;
    int r = import_crt(authority->text, &issuer);

    if (r == 0)
        r = import_key(&authority->key, &issuer_key);
    if (r == 0)
        r = old_key ? import_key(old_key, &key) : make_key(&key);
    if (r == 0)
        r = gnutls_x509_crt_init(&crt);
    if (r == 0)
        r = fill_server(crt, key, names, issuer);
    if (r == 0)
        r = gnutls_x509_crt_sign2(crt, issuer, issuer_key, GNUTLS_DIG_SHA256, 0);
    if (r == 0)
        r = export_crt(crt, &made->text);
    return r == 0 && !old_key ? export_key(key, &made->key) : r;
}

int certificate_make_server(const struct certificate *authority, const struct certificate_names *names,
                            const struct secbuf *key, struct certificate *ret, struct error *err)
{
    CLEANUP(certificate_done) struct certificate made = {0};
    int r = sign_server(authority, names, key, &made);

    if (r < 0)
        return explain(r, "cannot make the server's certificate", err);
    *ret = made;
    made = (struct certificate){0};
    return 0;
}

/* --- a request ------------------------------------------------------------------------------- */

static int fill_request(gnutls_x509_crq_t request, gnutls_x509_privkey_t key, const struct certificate_names *names)
{
    int r = gnutls_x509_crq_set_version(request, 1);

    if (r == 0)
        r = gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0, names->items[0],
                                          (unsigned)strlen(names->items[0]));
    for (size_t i = 0; r == 0 && i < names->count; i++) {
        unsigned char address[16];
        const void *data;
        unsigned size;
        gnutls_x509_subject_alt_name_t type = read_name(names->items[i], &data, &size, address);

        r = gnutls_x509_crq_set_subject_alt_name(request, type, data, size, i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET);
    }
    if (r == 0)
        r = gnutls_x509_crq_set_key(request, key);
    return r < 0 ? r : gnutls_x509_crq_sign2(request, key, GNUTLS_DIG_SHA256, 0);
}

int certificate_make_request(const struct certificate_names *names, struct certificate *ret, struct error *err)
{
    CLEANUP(certificate_done) struct certificate made = {0};
    CLEANUP(key_deinit) gnutls_x509_privkey_t key = NULL;
    CLEANUP(request_deinit) gnutls_x509_crq_t request = NULL;
    gnutls_datum_t datum = {0};
    int r = make_key(&key);

    if (r == 0)
        r = gnutls_x509_crq_init(&request);
    if (r == 0)
        r = fill_request(request, key, names);
    if (r == 0)
        r = gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_PEM, &datum);
    if (r == 0)
        r = take_text(&datum, &made.text);
    if (r == 0)
        r = export_key(key, &made.key);
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

/* The name's text, owned by the caller. 1, 0 for a kind that is none of ours, or negative at the end of the list. */
static int read_san(gnutls_x509_crt_t crt, unsigned i, char **ret)
{
    char buffer[1024], text[INET6_ADDRSTRLEN];
    size_t size = sizeof(buffer) - 1;
    int type = gnutls_x509_crt_get_subject_alt_name(crt, i, buffer, &size, NULL);

    if (type < 0)
        return type;
    if (type == GNUTLS_SAN_DNSNAME)
        *ret = strndup(buffer, size);
    else if (type == GNUTLS_SAN_IPADDRESS && inet_ntop(size == 4 ? AF_INET : AF_INET6, buffer, text, sizeof(text)))
        *ret = strdup(text);
    else
        return 0;
    return *ret ? 1 : GNUTLS_E_MEMORY_ERROR;
}

int certificate_get_names(const char *text, char ***ret_names, size_t *ret_count, struct error *err)
{
    enum { MOST = 64 };
    CLEANUP(crt_deinit) gnutls_x509_crt_t crt = NULL;
    char **names = calloc(MOST, sizeof(*names));
    size_t count = 0;
    int r = names ? import_crt(text, &crt) : GNUTLS_E_MEMORY_ERROR;

    for (unsigned i = 0; r >= 0 && count < MOST; i++) {
        r = read_san(crt, i, &names[count]);
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
