#include "registry/jwt/key-set.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <string.h>

#include "registry/jwt/chain.h"
#include "registry/jwt/strict-json.h"

struct jwt_key_set {
    unsigned references; /* atomic */
    struct jwt_key *keys[JWT_KEYS_MAX];
    size_t count;
};

int jwt_key_set_new(struct jwt_key_set **ret)
{
    struct jwt_key_set *set = calloc(1, sizeof(*set));

    if (!set)
        return -ENOMEM;
    set->references = 1;
    *ret = set;
    return 0;
}

struct jwt_key_set *jwt_key_set_ref(struct jwt_key_set *set)
{
    __atomic_add_fetch(&set->references, 1, __ATOMIC_RELAXED);
    return set;
}

void jwt_key_set_unref(struct jwt_key_set *set)
{
    if (!set || __atomic_sub_fetch(&set->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < set->count; i++)
        jwt_key_free(set->keys[i]);
    free(set);
}

void jwt_key_set_unrefp(struct jwt_key_set **set)
{
    jwt_key_set_unref(*set);
}

size_t jwt_key_set_count(const struct jwt_key_set *set)
{
    return set->count;
}

const struct jwt_key *jwt_key_set_get(const struct jwt_key_set *set, size_t index)
{
    return set->keys[index];
}

int jwt_key_set_add(struct jwt_key_set *set, struct jwt_key *key)
{
    CLEANUP(jwt_key_freep) struct jwt_key *owned = key;

    if (set->count == JWT_KEYS_MAX)
        return -E2BIG;
    set->keys[set->count++] = steal_ptr(&owned);
    return 0;
}

/* --- a JSON Web Key Set ----------------------------------------------------------------- */

static bool is_private(const struct json *jwk)
{
    return json_find(jwk, "d") || json_find(jwk, "p") || json_find(jwk, "k");
}

static bool is_symmetric(const struct json *jwk)
{
    const char *type = json_get_text(json_find(jwk, "kty"));

    return type && strcmp(type, "oct") == 0;
}

static int refuse_number(const char *source, struct error *err)
{
    return error_set(err, E2BIG, "%s has more than %d keys", source, JWT_KEYS_MAX);
}

/* Turns a result of jwt_key_set_add(), or of a function that makes a key, into an error. */
static int explain(int r, const char *source, struct error *err)
{
    if (r == -E2BIG)
        return refuse_number(source, err);
    return r < 0 ? error_set_oom(err) : 0;
}

/*
 * If a JWK has certificates, the first one must have the same key. The issuer of the certificate
 * does not matter, because the file is trusted.
 */
static int check_certificate(const struct json *jwk, const struct jwt_key *key,
                             const char **ret_why)
{
    CLEANUP(jwt_key_freep) struct jwt_key *certified = NULL;
    const struct json *x5c = json_find(jwk, "x5c");
    int r = x5c ? jwt_chain_get_key(x5c, NULL, &certified) : 0;

    if (r < 0 || !x5c)
        return r;
    if (r == 0 && jwt_key_is_equal(certified, key))
        return 0;
    *ret_why = "its x5c is not a certificate of the key";
    return JWT_KEY_UNUSABLE;
}

static int add_jwk(struct jwt_key_set *set, const char *source, const struct json *jwk,
                   const char **ret_why, struct error *err)
{
    CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;
    int r;

    if (is_private(jwk) && !is_symmetric(jwk))
        return error_set(err, EINVAL, "%s has a private key; a server needs only the public half",
                         source);
    r = jwt_key_from_jwk(jwk, &key, ret_why);
    if (r == 0)
        r = check_certificate(jwk, key, ret_why);
    if (r == 0)
        r = jwt_key_set_add(set, steal_ptr(&key));
    return explain(r, source, err);
}

int jwt_key_set_add_jwks(struct jwt_key_set *set, const char *source, const void *text, size_t size,
                         struct error *err)
{
    CLEANUP(json_freep) struct json *document = NULL;
    const char *why = "its keys are empty";
    const struct json *keys;
    size_t before = set->count, count = 0;
    int r = strict_json_parse(text, size, &document);

    if (r == -ENOMEM)
        return error_set_oom(err);
    if (r < 0)
        return error_set(err, EINVAL, "%s is not a JSON object, or has a name twice in one object",
                         source);
    keys = json_find(document, "keys");
    if (!keys || json_get_type(keys) != JSON_ARRAY)
        return error_set(err, EINVAL, "%s is not a JSON Web Key Set: it has no list of \"keys\"",
                         source);
    for (const struct json *jwk = json_get_first(keys); r == 0 && jwk; jwk = json_get_next(jwk)) {
        if (++count > JWT_KEYS_MAX)
            return refuse_number(source, err);
        r = add_jwk(set, source, jwk, &why, err);
    }
    if (r == 0 && set->count == before)
        return error_set(err, EINVAL, "%s has no key that can verify a token; the last one: %s",
                         source, why);
    return r;
}

/* --- certificates ----------------------------------------------------------------------- */

struct certificates {
    gnutls_x509_crt_t *items;
    unsigned count;
};

static void free_certificates(struct certificates *certificates)
{
    if (!certificates->items)
        return;
    for (unsigned i = 0; i < certificates->count; i++)
        gnutls_x509_crt_deinit(certificates->items[i]);
    gnutls_free(certificates->items);
}

int jwt_key_set_add_certificates(struct jwt_key_set *set, const char *source, const void *text,
                                 size_t size, struct error *err)
{
    const gnutls_datum_t datum = {.data = (unsigned char *)text, .size = (unsigned)size};
    CLEANUP(free_certificates) struct certificates certificates = {0};
    const char *why = "";
    size_t before = set->count;
    int r = gnutls_x509_crt_list_import2(&certificates.items, &certificates.count, &datum,
                                         GNUTLS_X509_FMT_PEM, 0);

    if (r < 0) {
        certificates.items = NULL;
        return error_set(err, EINVAL, "%s contains no certificates in PEM: %s", source,
                         gnutls_strerror(r));
    }
    for (unsigned i = 0; i < certificates.count; i++) {
        struct jwt_key *key = NULL;

        r = jwt_key_from_certificate(certificates.items[i], &key, &why);
        if (r == 0)
            r = jwt_key_set_add(set, key);
        if (r < 0)
            return explain(r, source, err);
    }
    return set->count > before
               ? 0
               : error_set(err, EINVAL, "%s has no key that can verify a token: %s", source, why);
}
