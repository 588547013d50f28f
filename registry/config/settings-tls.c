/*
 * Reads http.tls: the server's certificate, and the authorities for clients' certificates.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/config/place.h"
#include "registry/config/settings-private.h"

static bool is_path(const struct yaml_tree *node)
{
    return node->kind == YAML_SCALAR && node->size > 0 && !yaml_tree_is_null(node) &&
           strlen(node->text) == node->size;
}

/* A list of paths, or a single path. */
static int read_client_cas(const struct reader *reader, struct settings_tls *tls)
{
    static const char path[] = "http.tls.clientcas";
    const struct yaml_tree *node = reader_find(reader, path);
    size_t count = node && node->kind == YAML_SCALAR ? 1 : node ? node->count : 0;

    if (count == 0 || (node->kind == YAML_SCALAR && node->size == 0))
        return 0;
    if (node->kind == YAML_MAPPING)
        return place_refuse(node, path, reader->err,
                            "must be a list of PEM files, such as [/certs/clients.crt]");
    if (!tls->certificate)
        return place_refuse(node, path, reader->err,
                            "needs http.tls.certificate and http.tls.key, too");
    tls->client_cas = calloc(count, sizeof(*tls->client_cas));
    if (!tls->client_cas)
        return error_set_oom(reader->err);
    for (size_t i = 0; i < count; i++) {
        const struct yaml_tree *item = node->kind == YAML_SCALAR ? node : node->members[i].value;

        if (!is_path(item))
            return place_refuse(item, path, reader->err,
                                "must be a list of PEM files, such as [/certs/clients.crt]");
        tls->client_cas[tls->client_ca_count++] = item->text;
    }
    return 0;
}

/* A setting of registry 3. The last two words ask for a certificate and accept any. */
static int read_client_auth(const struct reader *reader, struct settings_tls *tls)
{
    static const char path[] = "http.tls.clientauth";
    static const char *const words[] = {"require-and-verify-client-cert",
                                        "verify-client-cert-if-given", "request-client-cert",
                                        "require-any-client-cert", NULL};
    unsigned choice = 0;
    int r = reader_get_choice(reader, path, words, &choice);

    if (r < 0 || !reader_find(reader, path))
        return r;
    if (choice > 1)
        return reader_refuse(
            reader, path, "%s protects nothing: anybody can make a certificate that is not checked",
            words[choice]);
    if (tls->client_ca_count == 0)
        return reader_warn(
            reader,
            "http.tls.clientauth: without http.tls.clientcas no client is asked for a certificate");
    tls->is_client_optional = choice == 1;
    return 0;
}

static int read_minimum_tls(const struct reader *reader, bool *is_tls13_only)
{
    static const char *const versions[] = {"tls1.2", "tls1.3", "tls1.1", "tls1.0", NULL};
    unsigned version = 0;
    int r = reader_get_choice(reader, "http.tls.minimumtls", versions, &version);
    char place[PLACE_SIZE];

    if (r < 0)
        return r;
    *is_tls13_only = version == 1;
    if (version < 2)
        return 0;
    place_format(reader_find(reader, "http.tls.minimumtls"), "http.tls.minimumtls", place);
    return reader_warn(reader, "%s: tls1.2 is used, because %s is no longer secure", place,
                       versions[version]);
}

int settings_read_tls(const struct reader *reader, struct settings_tls *tls)
{
    int r = reader_get_text(reader, "http.tls.certificate", &tls->certificate);

    if (r == 0)
        r = reader_get_text(reader, "http.tls.key", &tls->key);
    if (r == 0 && tls->certificate && !tls->key)
        return reader_refuse(reader, "http.tls.certificate", "needs http.tls.key, too");
    if (r == 0 && tls->key && !tls->certificate)
        return reader_refuse(reader, "http.tls.key", "needs http.tls.certificate, too");
    if (r == 0)
        r = read_minimum_tls(reader, &tls->is_tls13_only);
    if (r == 0)
        r = read_client_cas(reader, tls);
    return r < 0 ? r : read_client_auth(reader, tls);
}
