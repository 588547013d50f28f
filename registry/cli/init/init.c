/*
 * `registryd init` creates a directory with everything that a private registry needs. It prints the
 * commands that start the registry and that make clients trust it. The directory works with
 * registry:2, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/access/bcrypt.h"
#include "registry/cli/init/certificate.h"
#include "registry/cli/init/configuration.h"
#include "registry/cli/init/directory.h"
#include "registry/cli/init/layout.h"
#include "registry/cli/init/options.h"
#include "registry/cli/init/renew.h"
#include "registry/cli/init/report.h"
#include "registry/cli/init/user.h"
#include "registry/cli/verbs.h"
#include "registry/confine/confine.h"

static int add_text(struct init_directory *directory, const char *name, const char *text,
                    struct error *err)
{
    return init_directory_add_file(directory, name, 0644, text, strlen(text), err);
}

static int add_key(struct init_directory *directory, const char *name, const struct secbuf *key,
                   struct error *err)
{
    return init_directory_add_file(directory, name, 0600, key->data, key->size, err);
}

/* For --csr: adds a certificate request instead of certificates. */
static int add_request(struct init_directory *directory, const struct certificate_names *names,
                       struct error *err)
{
    CLEANUP(certificate_done) struct certificate request = {0};
    int r = certificate_make_request(names, &request, err);

    if (r == 0)
        r = add_key(directory, LAYOUT_KEY, &request.key, err);
    return r < 0 ? r : add_text(directory, LAYOUT_REQUEST, request.text, err);
}

static int add_authority(struct init_directory *directory, const struct certificate *authority,
                         struct error *err)
{
    int r = init_directory_add_directory(directory, LAYOUT_AUTHORITY_DIRECTORY, 0700, err);

    if (r == 0)
        r = add_key(directory, LAYOUT_AUTHORITY_KEY, &authority->key, err);
    return r < 0 ? r : add_text(directory, LAYOUT_AUTHORITY, authority->text, err);
}

static int add_certificates(struct init_directory *directory, const struct certificate_names *names,
                            struct error *err)
{
    CLEANUP(certificate_done) struct certificate authority = {0}, server = {0};
    int r = certificate_make_authority(names, &authority, err);

    if (r == 0)
        r = certificate_make_server(&authority, names, NULL, &server, err);
    if (r == 0)
        r = add_authority(directory, &authority, err);
    if (r == 0)
        r = add_key(directory, LAYOUT_KEY, &server.key, err);
    return r < 0 ? r : add_text(directory, LAYOUT_CERTIFICATE, server.text, err);
}

static int add_directories(struct init_directory *directory, struct error *err)
{
    static const char *const names[] = {LAYOUT_USERS_DIRECTORY, LAYOUT_CERTIFICATES_DIRECTORY,
                                        LAYOUT_STORAGE};
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++)
        r = init_directory_add_directory(directory, names[i], 0700, err);
    return r;
}

static int fill(struct init_directory *directory, const struct init_options *options,
                const struct secbuf *password, struct error *err)
{
    const struct certificate_names names = {.items = options->hosts, .count = options->host_count};
    int r = add_directories(directory, err);

    if (r == 0)
        r = init_user_add(directory, options->user, password, err);
    if (r == 0)
        r = options->mode == INIT_REQUEST ? add_request(directory, &names, err)
                                          : add_certificates(directory, &names, err);
    return r < 0 ? r : init_configuration_add(directory, options->port, err);
}

static int create(const struct init_options *options, struct error *err)
{
    CLEANUP(init_directory_done) struct init_directory directory = INIT_DIRECTORY_NONE;
    CLEANUP(secbuf_done) struct secbuf password = {0};
    bool is_generated;
    int r = init_user_check(options->user, err);

    if (r == 0)
        r = bcrypt_test(err);
    if (r == 0)
        r = init_directory_begin(options->directory, &directory, err);
    if (r == 0)
        r = init_user_get_password(options->is_from_input, &password, &is_generated, err);
    if (r == 0)
        r = fill(&directory, options, &password, err);
    if (r == 0)
        r = init_directory_finish(&directory, err);
    return r < 0 ? r : init_report(options, directory.path, is_generated ? &password : NULL, err);
}

static int run_init(int argc, char **argv)
{
    struct init_options options;
    struct error err = {0};
    int r = init_options_parse(argc, argv, &options, &err);

    if (r == INIT_HELP)
        return verb_print_help(&verb_init);
    if (r == 0)
        r = confine_tool(&err);
    if (r == 0)
        r = options.mode == INIT_RENEW ? init_renew(&options, &err) : create(&options, &err);
    return r < 0 ? verb_fail(&err) : EXIT_SUCCESS;
}

const struct verb verb_init = {
    .name = "init",
    .function = run_init,
    .help = "Usage: registryd init DIR --host NAME --user NAME [OPTIONS]\n"
            "       registryd init DIR --renew [--host NAME]\n"
            "\n"
            "Creates the directory DIR with everything that a registry needs: configuration,\n"
            "password file, certificate authority, certificate, storage. Prints the commands\n"
            "that start the registry, run it as a service, and make clients trust it.\n"
            "\n"
            "  --host NAME       the name or address that clients use; may be repeated\n"
            "  --user NAME       the first user\n"
            "  --port N          the port (default: 5000)\n"
            "  --password-stdin  read the password from standard input; without it, init asks\n"
            "                    on a terminal, and generates a password elsewhere\n"
            "  --csr             create a request that another authority signs\n"
            "  --renew           replace the certificate in an existing directory\n"
            "  -h, --help        this text\n"
            "\n"
            "Example:\n"
            "  sudo registryd init /srv/registry --host registry.example.com --user alice\n"
            "\n"
            "Exit status: 0 if the directory is complete; 1 on failure and for a wrong\n"
            "command line: standard error says why.\n",
};
