/* Checks the certificate of http.tls as clients do. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "registry/cli/doctor/checks.h"
#include "registry/cli/doctor/public-address.h"
#include "registry/cli/init/layout.h"
#include "registry/cli/table.h"
#include "registry/http/tls-file.h"
#include "registry/x509/chain.h"

enum { DAYS_LEFT = 30, DAY_S = 24 * 60 * 60, RSA_LEAST = 2048 };

static int read_file(const char *path, struct tls_file *ret, struct report *report)
{
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, path, NULL);
    int r = fd < 0 ? fd : tls_file_read(fd, ret);

    if (r < 0)
        report_add(report, "certificate-unreadable", FINDING_BAD, "The server does not start.",
                   "cannot read %s: %s", path, strerror(-r));
    return r;
}

/* In a directory that `registryd init` created, a command renews the certificate. */
static void add_renewal(struct examination *examination)
{
    CLEANUP_FREE char *directory =
        examination->configuration ? strdup(examination->configuration) : NULL;
    CLEANUP_FREE char *authority = NULL;
    char *slash = directory ? strrchr(directory, '/') : NULL;

    if (!slash)
        return;
    *slash = '\0';
    if (asprintf(&authority, "%s/" LAYOUT_AUTHORITY_DIRECTORY, directory) < 0)
        authority = NULL;
    else if (access(authority, F_OK) == 0)
        report_set_command(&examination->report, "registryd init %s --renew", directory);
}

/* --- validity -------------------------------------------------------------------------------- */

static void check_dates(struct examination *examination, gnutls_x509_crt_t certificate,
                        const char *path)
{
    int64_t end_s = gnutls_x509_crt_get_expiration_time(certificate);
    int64_t begin_s = gnutls_x509_crt_get_activation_time(certificate);
    struct report *report = &examination->report;
    char when[WORDS_SIZE_MAX];

    if (examination->now_s < begin_s)
        report_add(report, "certificate-not-yet", FINDING_BAD,
                   "Every client refuses it. The clock of this machine may be wrong.",
                   "the certificate in %s is not valid before %s UTC", path,
                   short_time(begin_s, when));
    else if (examination->now_s >= end_s)
        report_add(report, "certificate-expired", FINDING_BAD, "Every client refuses it.",
                   "the certificate in %s expired on %s UTC", path, short_time(end_s, when));
    else if (end_s - examination->now_s < (int64_t)DAYS_LEFT * DAY_S)
        report_add(report, "certificate-expires", FINDING_WARNING,
                   "After that, every client refuses it.",
                   "the certificate in %s expires on %s UTC", path, short_time(end_s, when));
    else
        return;
    add_renewal(examination);
}

static void check_names(struct examination *examination, gnutls_x509_crt_t certificate,
                        const char *path)
{
    struct report *report = &examination->report;
    const char *host = examination->settings->http.host;
    struct public_address address;
    unsigned kind, critical;
    size_t size = 0;
    int r = gnutls_x509_crt_get_subject_alt_name2(certificate, 0, NULL, &size, &kind, &critical);

    if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
        report_add(report, "certificate-no-names", FINDING_BAD,
                   "docker, podman and other programs in Go ignore the common name: they say "
                   "\"x509: certificate relies on "
                   "legacy Common Name field\".",
                   "the certificate in %s has no subject alternative names", path);
        add_renewal(examination);
        return;
    }
    if (!host || public_address_parse(host, &address) < 0 || !address.is_tls)
        return;
    if (gnutls_x509_crt_check_hostname2(certificate, address.host, 0))
        return;
    report_add(report, "certificate-other-name", FINDING_BAD,
               "Clients say \"x509: certificate is valid for ..., not ...\", unless a proxy has a "
               "certificate of its own.",
               "the certificate in %s is not valid for %s, the host in http.host", path,
               address.host);
    add_renewal(examination);
}

/* --- use -------------------------------------------------------------------------------------- */

/* Whether the certificate may be that of a server. One without purposes may be anything. */
static bool is_for_servers(gnutls_x509_crt_t certificate)
{
    char purpose[64];
    unsigned critical;
    int r = 0, i = 0;

    for (; r >= 0 || r == GNUTLS_E_SHORT_MEMORY_BUFFER; i++) {
        size_t size = sizeof(purpose);

        r = gnutls_x509_crt_get_key_purpose_oid(certificate, (unsigned)i, purpose, &size, &critical);
        if (r >= 0 && (strcmp(purpose, GNUTLS_KP_TLS_WWW_SERVER) == 0 ||
                       strcmp(purpose, GNUTLS_KP_ANY) == 0))
            return true;
    }
    return i == 1;
}

static void check_use(struct examination *examination, gnutls_x509_crt_t certificate,
                      const char *path)
{
    struct report *report = &examination->report;
    unsigned bits = 0;
    int signature = gnutls_x509_crt_get_signature_algorithm(certificate);

    if (!is_for_servers(certificate))
        report_add(report, "certificate-use", FINDING_BAD,
                   "Clients say \"x509: certificate specifies an incompatible key usage\".",
                   "the certificate in %s is not for servers (extended key usage serverAuth)", path);
    if (gnutls_x509_crt_get_pk_algorithm(certificate, &bits) == GNUTLS_PK_RSA && bits < RSA_LEAST)
        report_add(report, "certificate-weak", FINDING_BAD,
                   "curl and others say \"EE certificate key too weak\".",
                   "the certificate in %s has an RSA key of %u bits", path, bits);
    else if (gnutls_x509_crt_check_issuer(certificate, certificate) == 0 && signature > 0 &&
             !gnutls_sign_is_secure2((gnutls_sign_algorithm_t)signature,
                                     GNUTLS_SIGN_FLAG_SECURE_FOR_CERTS))
        report_add(report, "certificate-weak", FINDING_BAD,
                   "Clients say \"x509: cannot verify signature: insecure algorithm\".",
                   "the certificate in %s is signed with %s", path,
                   gnutls_sign_get_name((gnutls_sign_algorithm_t)signature));
}

/* --- trust ----------------------------------------------------------------------------------- */

/* Whether this machine trusts the chain; *ret_known is false if no authorities are installed. */
static bool is_trusted(const struct x509_chain *chain, bool *ret_known)
{
    gnutls_x509_trust_list_t list = NULL;
    unsigned status;
    int r = gnutls_x509_trust_list_init(&list, 0);

    if (r == 0)
        r = gnutls_x509_trust_list_add_system_trust(list, 0, 0);
    *ret_known = r > 0;
    r = r > 0 ? x509_chain_verify(chain, list, NULL, &status) : -ENOENT;
    if (list)
        gnutls_x509_trust_list_deinit(list, 1);
    return r == 0 && status == 0;
}

/* The file has the server's certificate first, then each issuer. */
static void check_issuers(struct examination *examination, const struct x509_chain *chain,
                          const char *path)
{
    struct report *report = &examination->report;

    for (unsigned i = 1; i < chain->count; i++) {
        int64_t end_s = gnutls_x509_crt_get_expiration_time(chain->certificates[i]);
        char when[WORDS_SIZE_MAX];

        if (!gnutls_x509_crt_check_issuer(chain->certificates[i - 1], chain->certificates[i])) {
            report_add(report, "certificate-order", FINDING_WARNING,
                       "Clients that do not know the issuer say \"x509: certificate signed by "
                       "unknown authority\". The file needs the server's certificate first, then "
                       "its issuer, and so on.",
                       "certificate %u in %s did not issue the one before it", i + 1, path);
            return;
        }
        if (examination->now_s >= end_s)
            report_add(report, "certificate-issuer-expired", FINDING_BAD,
                       "Every client refuses the chain, although the server's certificate is "
                       "valid. The authority has a newer one.",
                       "certificate %u in %s, that of an issuer, expired on %s UTC", i + 1, path,
                       short_time(end_s, when));
    }
}

/*
 * Certificates of public authorities contain the address of the issuer's certificate; those of
 * private authorities rarely do.
 */
static void check_chain(struct examination *examination, const struct x509_chain *chain,
                        const char *path)
{
    gnutls_x509_crt_t last = chain->certificates[chain->count - 1];
    gnutls_datum_t where = {0};
    bool is_known;

    if (is_trusted(chain, &is_known) || !is_known || gnutls_x509_crt_check_issuer(last, last))
        return;
    if (gnutls_x509_crt_get_authority_info_access(last, 0, GNUTLS_IA_CAISSUERS_URI, &where, NULL) <
        0)
        return;
    report_add(&examination->report, "certificate-chain", FINDING_BAD,
               "Clients say \"x509: certificate signed by unknown authority\". Append the "
               "authority's intermediate "
               "certificate, or use its file with the full chain.",
               "the chain in %s ends before an authority that this machine trusts; the next "
               "certificate is at %.*s",
               path, (int)where.size, (const char *)where.data);
    gnutls_free(where.data);
}

/* --- the key --------------------------------------------------------------------------------- */

static bool is_key_of(gnutls_x509_privkey_t key, gnutls_x509_crt_t certificate)
{
    unsigned char one[64], other[64];
    size_t one_size = sizeof(one), other_size = sizeof(other);

    return gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, one, &one_size) == 0 &&
           gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, other, &other_size) ==
               0 &&
           one_size == other_size && memcmp(one, other, one_size) == 0;
}

static void check_key(struct examination *examination, gnutls_x509_crt_t certificate)
{
    struct report *report = &examination->report;
    const char *path = examination->settings->http.tls.key;
    CLEANUP(tls_file_done) struct tls_file file = {0};
    gnutls_x509_privkey_t key = NULL;
    gnutls_datum_t datum;
    struct stat st;
    int r;

    if (read_file(path, &file, report) < 0)
        return;
    datum = tls_file_datum(&file);
    r = gnutls_x509_privkey_init(&key);
    if (r == 0)
        r = gnutls_x509_privkey_import2(key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (r < 0)
        report_add(report, "key-unusable", FINDING_BAD, "The server does not start.",
                   "%s does not contain a private key without a passphrase: %s", path,
                   gnutls_strerror(r));
    else if (!is_key_of(key, certificate))
        report_add(report, "key-other", FINDING_BAD, "The server does not start.",
                   "the key in %s does not belong to the certificate", path);
    gnutls_x509_privkey_deinit(key);
    if (stat(path, &st) == 0 && st.st_mode & 0007) {
        report_add(report, "key-public", FINDING_BAD,
                   "Anyone who has the key can impersonate this registry and receive its users' "
                   "passwords.",
                   "every user of this machine can read %s", path);
        report_set_command(report, "chmod o-rwx %s", path);
    }
}

/* --- all ------------------------------------------------------------------------------------- */

static void check_pair(struct examination *examination)
{
    struct report *report = &examination->report;
    const char *path = examination->settings->http.tls.certificate;
    CLEANUP(x509_chain_done) struct x509_chain chain = {0};
    CLEANUP(tls_file_done) struct tls_file file = {0};
    gnutls_datum_t datum;
    int r;

    if (read_file(path, &file, report) < 0)
        return;
    datum = tls_file_datum(&file);
    r = x509_chain_read(&chain, &datum);
    if (r <= 0) {
        report_add(report, "certificate-unusable", FINDING_BAD, "The server does not start.",
                   "%s does not contain a certificate: %s", path, gnutls_strerror(r));
        return;
    }
    check_dates(examination, chain.certificates[0], path);
    check_names(examination, chain.certificates[0], path);
    check_use(examination, chain.certificates[0], path);
    check_issuers(examination, &chain, path);
    check_chain(examination, &chain, path);
    check_key(examination, chain.certificates[0]);
}

void check_certificate(struct examination *examination)
{
    const struct settings_http *http = &examination->settings->http;

    if (http->tls.certificate)
        check_pair(examination);
    else if (!address_is_local(http))
        report_add(&examination->report, "no-tls", FINDING_BAD,
                   "Passwords and images cross the network in clear text, and docker refuses such "
                   "a registry. Behind a proxy "
                   "with TLS, listen on 127.0.0.1.",
                   "the server listens on %s without http.tls", http->address);
}
