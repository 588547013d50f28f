#include "registry/cli/init/host-names.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SUBJECT_SIZE = 65 /* RFC 5280, ub-common-name and ub-organization-name, and a NUL */,
    ADDRESS_MAX = 16
};

/* A name as certificates contain it. */
struct host_name {
    gnutls_x509_subject_alt_name_t type;
    const void *data;
    unsigned size;
    unsigned char address[ADDRESS_MAX];
};

static void parse_host_name(const char *name, struct host_name *ret)
{
    *ret = (struct host_name){.type = GNUTLS_SAN_IPADDRESS, .data = ret->address};
    if (inet_pton(AF_INET, name, ret->address) == 1)
        ret->size = 4;
    else if (inet_pton(AF_INET6, name, ret->address) == 1)
        ret->size = 16;
    else
        *ret = (struct host_name){GNUTLS_SAN_DNSNAME, .data = name, .size = (unsigned)strlen(name)};
}

/* --- names in certificates ------------------------------------------------------------------- */

/* The subject of a certificate. It is for people: programs check the alternative names. */
struct subject {
    const char *oid;
    char text[SUBJECT_SIZE];
};

/*
 * An address is never the common name: if a certificate has no DNS name, GnuTLS and OpenSSL apply
 * the constraints for DNS names to the common name.
 */
static struct subject make_subject(const struct certificate_names *names)
{
    struct subject subject = {.oid = GNUTLS_OID_X520_COMMON_NAME};
    struct host_name host;

    for (size_t i = 0; i < names->count; i++) {
        parse_host_name(names->items[i], &host);
        if (host.type == GNUTLS_SAN_DNSNAME && host.size < SUBJECT_SIZE) {
            memcpy(subject.text, names->items[i], host.size + 1);
            return subject;
        }
    }
    subject.oid = GNUTLS_OID_X520_ORGANIZATION_NAME;
    snprintf(subject.text, SUBJECT_SIZE, "Registry at %.45s", names->items[0]);
    return subject;
}

int host_names_set(gnutls_x509_crt_t certificate, const struct certificate_names *names)
{
    const struct subject subject = make_subject(names);
    int r = gnutls_x509_crt_set_dn_by_oid(certificate, subject.oid, 0, subject.text,
                                          (unsigned)strlen(subject.text));

    for (size_t i = 0; r == 0 && i < names->count; i++) {
        struct host_name host;

        parse_host_name(names->items[i], &host);
        r = gnutls_x509_crt_set_subject_alt_name(certificate, host.type, host.data, host.size,
                                                 i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET);
    }
    return r;
}

int host_names_set_requested(gnutls_x509_crq_t request, const struct certificate_names *names)
{
    const struct subject subject = make_subject(names);
    int r = gnutls_x509_crq_set_dn_by_oid(request, subject.oid, 0, subject.text,
                                          (unsigned)strlen(subject.text));

    for (size_t i = 0; r == 0 && i < names->count; i++) {
        struct host_name host;

        parse_host_name(names->items[i], &host);
        r = gnutls_x509_crq_set_subject_alt_name(request, host.type, host.data, host.size,
                                                 i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET);
    }
    return r;
}

int host_names_get(gnutls_x509_crt_t certificate, unsigned i, char **ret)
{
    char buffer[1024], text[INET6_ADDRSTRLEN];
    size_t size = sizeof(buffer) - 1;
    int type = gnutls_x509_crt_get_subject_alt_name(certificate, i, buffer, &size, NULL);

    if (type < 0)
        return type;
    if (type == GNUTLS_SAN_DNSNAME)
        *ret = strndup(buffer, size);
    else if (type == GNUTLS_SAN_IPADDRESS &&
             inet_ntop(size == 4 ? AF_INET : AF_INET6, buffer, text, sizeof(text)))
        *ret = strdup(text);
    else
        return 0;
    return *ret ? 1 : GNUTLS_E_MEMORY_ERROR;
}

/* --- constraints ----------------------------------------------------------------------------- */

typedef int add_function(gnutls_x509_name_constraints_t, gnutls_x509_subject_alt_name_t,
                         const gnutls_datum_t *);

static int add_domain(gnutls_x509_name_constraints_t constraints, add_function *add,
                      const char *domain)
{
    const gnutls_datum_t datum = {.data = (unsigned char *)domain,
                                  .size = (unsigned)strlen(domain)};

    return add(constraints, GNUTLS_SAN_DNSNAME, &datum);
}

/*
 * Adds an address and a mask of the same size (RFC 5280 section 4.2.1.10). mask is the value of
 * each byte of the mask.
 */
static int add_network(gnutls_x509_name_constraints_t constraints, add_function *add,
                       const unsigned char *address, unsigned size, unsigned char mask)
{
    unsigned char bytes[2 * ADDRESS_MAX];
    const gnutls_datum_t datum = {.data = bytes, .size = 2 * size};

    for (unsigned i = 0; i < size; i++) {
        bytes[i] = address[i];
        bytes[size + i] = mask;
    }
    return add(constraints, GNUTLS_SAN_IPADDRESS, &datum);
}

static int permit(gnutls_x509_name_constraints_t constraints, const char *name)
{
    struct host_name host;

    parse_host_name(name, &host);
    if (host.type == GNUTLS_SAN_IPADDRESS)
        return add_network(constraints, gnutls_x509_name_constraints_add_permitted, host.address,
                           host.size, 0xff);
    return add_domain(constraints, gnutls_x509_name_constraints_add_permitted,
                      strncmp(name, "*.", 2) == 0 ? name + 2 : name);
}

/*
 * A kind of name without a constraint would be unlimited. If names has no domain, only "invalid" is
 * permitted, which cannot exist (RFC 2606). If names has no IPv4 or no IPv6 address, all addresses
 * of that kind are excluded.
 */
static int forbid_other_kinds(gnutls_x509_name_constraints_t constraints,
                              const struct certificate_names *names)
{
    static const unsigned char none[ADDRESS_MAX];
    bool has_domain = false, has_ipv4 = false, has_ipv6 = false;
    int r = 0;

    for (size_t i = 0; i < names->count; i++) {
        struct host_name host;

        parse_host_name(names->items[i], &host);
        has_domain = has_domain || host.type == GNUTLS_SAN_DNSNAME;
        has_ipv4 = has_ipv4 || (host.type == GNUTLS_SAN_IPADDRESS && host.size == 4);
        has_ipv6 = has_ipv6 || (host.type == GNUTLS_SAN_IPADDRESS && host.size == 16);
    }
    if (!has_domain)
        r = add_domain(constraints, gnutls_x509_name_constraints_add_permitted, "invalid");
    if (r == 0 && !has_ipv4)
        r = add_network(constraints, gnutls_x509_name_constraints_add_excluded, none, 4, 0);
    if (r == 0 && !has_ipv6)
        r = add_network(constraints, gnutls_x509_name_constraints_add_excluded, none, 16, 0);
    return r;
}

int host_names_constrain(gnutls_x509_crt_t authority, const struct certificate_names *names)
{
    gnutls_x509_name_constraints_t constraints;
    int r = gnutls_x509_name_constraints_init(&constraints);

    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < names->count; i++)
        r = permit(constraints, names->items[i]);
    if (r == 0)
        r = forbid_other_kinds(constraints, names);
    if (r == 0)
        r = gnutls_x509_crt_set_name_constraints(authority, constraints, 1);
    gnutls_x509_name_constraints_deinit(constraints);
    return r;
}

static bool is_permitted(gnutls_x509_name_constraints_t constraints, const char *name)
{
    struct host_name host;
    gnutls_datum_t datum;

    parse_host_name(name, &host);
    datum = (gnutls_datum_t){.data = (unsigned char *)host.data, .size = host.size};
    return gnutls_x509_name_constraints_check(constraints, host.type, &datum) != 0;
}

int host_names_find_forbidden(gnutls_x509_crt_t authority, const struct certificate_names *names,
                              const char **ret)
{
    gnutls_x509_name_constraints_t constraints;
    unsigned is_critical;
    int r = gnutls_x509_name_constraints_init(&constraints);

    *ret = NULL;
    if (r < 0)
        return r;
    r = gnutls_x509_crt_get_name_constraints(authority, constraints, 0, &is_critical);
    for (size_t i = 0; r == 0 && !*ret && i < names->count; i++)
        if (!is_permitted(constraints, names->items[i]))
            *ret = names->items[i];
    gnutls_x509_name_constraints_deinit(constraints);
    /* an authority of an early version has no constraints */
    return r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ? 0 : r;
}
