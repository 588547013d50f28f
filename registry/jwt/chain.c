#include "registry/jwt/chain.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <string.h>

#include "common/base64.h"
#include "registry/x509/chain.h"

enum { CERTIFICATE_MAX = 16384 }; /* in base64 */

struct jwt_roots {
    gnutls_x509_trust_list_t list;
};

void jwt_roots_free(struct jwt_roots *roots)
{
    if (!roots)
        return;
    if (roots->list)
        gnutls_x509_trust_list_deinit(roots->list, 1);
    free(roots);
}

static void free_roots(struct jwt_roots **roots)
{
    jwt_roots_free(*roots);
}

int jwt_roots_new(const char *source, const void *text, size_t size, struct jwt_roots **ret,
                  struct error *err)
{
    const gnutls_datum_t datum = {.data = (unsigned char *)text, .size = (unsigned)size};
    CLEANUP(free_roots) struct jwt_roots *roots = calloc(1, sizeof(*roots));
    int r;

    if (!roots || gnutls_x509_trust_list_init(&roots->list, 0) < 0)
        return error_set_oom(err);
    r = gnutls_x509_trust_list_add_trust_mem(roots->list, &datum, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
    if (r <= 0)
        return error_set(err, EINVAL, "%s contains no certificates in PEM: %s", source,
                         gnutls_strerror(r));
    *ret = steal_ptr(&roots);
    return 0;
}

/* --- a chain ---------------------------------------------------------------------------- */

/* DER in base64 with the usual alphabet and padding. */
static int decode_certificate(const char *text, unsigned char *ret_der, size_t *ret_size)
{
    size_t size = strlen(text);
    CLEANUP_FREE char *translated = NULL;

    if (size == 0 || size > CERTIFICATE_MAX || strpbrk(text, "-_"))
        return JWT_CHAIN_INVALID;
    translated = strdup(text);
    if (!translated)
        return -ENOMEM;
    for (char *at = translated; *at; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    return base64url_decode(translated, size, ret_der, ret_size) < 0 ? JWT_CHAIN_INVALID : 0;
}

static int add_certificate(struct x509_chain *chain, const struct json *item)
{
    unsigned char der[CERTIFICATE_MAX / 4 * 3];
    gnutls_datum_t datum = {.data = der};
    size_t size = 0;
    int r;

    if (chain->count == JWT_CHAIN_MAX || !json_get_text(item))
        return JWT_CHAIN_INVALID;
    r = decode_certificate(json_get_text(item), der, &size);
    if (r != 0)
        return r;
    datum.size = (unsigned)size;
    r = x509_chain_add(chain, &datum);
    return r == -EINVAL ? JWT_CHAIN_INVALID : r;
}

static int verify_chain(const struct x509_chain *chain, const struct jwt_roots *roots)
{
    unsigned status;
    int r = x509_chain_verify(chain, roots->list, NULL, &status);

    return r == 0 && status != 0 ? JWT_CHAIN_INVALID : r;
}

int jwt_chain_get_key(const struct json *x5c, const struct jwt_roots *roots, struct jwt_key **ret)
{
    CLEANUP(x509_chain_done) struct x509_chain chain = {0};
    const char *why;
    int r = 0;

    if (json_get_type(x5c) != JSON_ARRAY)
        return JWT_CHAIN_INVALID;
    for (const struct json *item = json_get_first(x5c); r == 0 && item; item = json_get_next(item))
        r = add_certificate(&chain, item);
    if (r == 0 && chain.count == 0)
        return JWT_CHAIN_INVALID;
    if (r == 0 && roots)
        r = verify_chain(&chain, roots);
    if (r == 0)
        r = jwt_key_from_certificate(chain.certificates[0], ret, &why);
    return r > 0 ? JWT_CHAIN_INVALID : r;
}
