#include "registry/cli/init/options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define USAGE                                                                                      \
    "usage: registryd init DIR --host NAME --user NAME [--port N] [--password-stdin] [--csr], or " \
    "init DIR --renew"

enum {
    HOST = 1,
    USER,
    PORT,
    PASSWORD_STDIN,
    CSR,
    RENEW,
    HELP = 'h',
    PORT_STANDARD = 5000,
    HOST_MAX = 253
};

static const struct option switches[] = {
    {"host", required_argument, NULL, HOST},
    {"user", required_argument, NULL, USER},
    {"port", required_argument, NULL, PORT},
    {"password-stdin", no_argument, NULL, PASSWORD_STDIN},
    {"csr", no_argument, NULL, CSR},
    {"renew", no_argument, NULL, RENEW},
    {"help", no_argument, NULL, HELP},
    {0},
};

/*
 * Whether name is an address, or labels of letters, digits and '-' (RFC 1123 section 2.1). The
 * first label may be "*".
 */
static bool is_host(const char *name)
{
    unsigned char address[16];
    size_t size = strlen(name);

    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return true;
    if (strncmp(name, "*.", 2) == 0)
        name += 2;
    if (size == 0 || size > HOST_MAX || *name == '.' || *name == '-' ||
        name[strlen(name) - 1] == '.')
        return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && (*c != '.' || c[1] == '.' || c[1] == '-'))
            return false;
    return true;
}

static int refuse_beside_renew(struct error *err)
{
    return error_set(err, EINVAL,
                     "--renew replaces the certificate and accepts no other option than --host");
}

static int set_mode(struct init_options *options, enum init_mode mode, struct error *err)
{
    if (options->mode != INIT_CREATE && options->mode != mode)
        return refuse_beside_renew(err);
    options->mode = mode;
    return 0;
}

static int take_switch(int letter, struct init_options *options, struct error *err)
{
    char *end;
    unsigned long port;

    switch (letter) {
    case HOST:
        if (!is_host(optarg))
            return error_set(err, EINVAL, "--host: \"%s\" is not a host name or an address",
                             optarg);
        if (options->host_count == INIT_HOSTS_MAX)
            return error_set(err, E2BIG, "--host may be given %d times at most", INIT_HOSTS_MAX);
        options->hosts[options->host_count++] = optarg;
        return 0;
    case USER:
        options->user = optarg;
        return 0;
    case PORT:
        port = strtoul(optarg, &end, 10);
        if (!isdigit((unsigned char)*optarg) || *end || port == 0 || port > 65535)
            return error_set(err, EINVAL, "--port: \"%s\" is not a port from 1 to 65535", optarg);
        options->port = (unsigned)port;
        return 0;
    case PASSWORD_STDIN:
        options->is_from_input = true;
        return 0;
    case CSR:
        return set_mode(options, INIT_REQUEST, err);
    default:
        return set_mode(options, INIT_RENEW, err);
    }
}

static int check(const struct init_options *options, struct error *err)
{
    if (!options->directory)
        return error_set(err, EINVAL, "init needs a directory (" USAGE ")");
    if (options->mode == INIT_RENEW)
        return options->user || options->port || options->is_from_input ? refuse_beside_renew(err)
                                                                        : 0;
    if (options->host_count == 0)
        return error_set(err, EINVAL, "--host is required: the name that clients use (" USAGE ")");
    if (strncmp(options->hosts[0], "*.", 2) == 0)
        return error_set(err, EINVAL,
                         "--host: the first must be a name that clients can use, not \"%s\"",
                         options->hosts[0]);
    if (!options->user)
        return error_set(err, EINVAL, "--user is required: the name of the first user (" USAGE ")");
    return 0;
}

int init_options_parse(int argc, char **argv, struct init_options *ret, struct error *err)
{
    struct init_options options = {0};
    int letter, r = 0;

    optind = 1;
    opterr = 0;
    while (r == 0 && (letter = getopt_long(argc, argv, ":h", switches, NULL)) != -1) {
        if (letter == HELP)
            return INIT_HELP;
        if (letter == '?' || letter == ':')
            return error_set(err, EINVAL, "%s: %s (" USAGE ")", argv[optind - 1],
                             letter == ':' ? "a value is required" : "unknown option");
        r = take_switch(letter, &options, err);
    }
    if (r < 0)
        return r;
    if (argc - optind > 1)
        return error_set(err, EINVAL, "init takes one directory; unexpected: %s", argv[optind + 1]);
    options.directory = argv[optind];
    r = check(&options, err);
    if (options.port == 0)
        options.port = PORT_STANDARD;
    if (r == 0)
        *ret = options;
    return r;
}
