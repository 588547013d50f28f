#include "registry/cli/init/report.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "common/shell-quote.h"
#include "registry/cli/init/layout.h"

enum { HTTPS_PORT = 443, REGISTRY_SIZE = 300 };

/*
 * Formats the registry's name as clients use it: without the default port, and with an IPv6 address
 * in brackets.
 */
static void format_registry(const struct init_options *options, char ret[REGISTRY_SIZE])
{
    const char *host = options->hosts[0];
    bool has_colon = strchr(host, ':');

    if (options->port == HTTPS_PORT)
        snprintf(ret, REGISTRY_SIZE, has_colon ? "[%s]" : "%s", host);
    else
        snprintf(ret, REGISTRY_SIZE, has_colon ? "[%s]:%u" : "%s:%u", host, options->port);
}

/*
 * The unit registryd@.service has ProtectHome= and PrivateTmp=: it sees no home and shared
 * temporary directories.
 */
static bool is_hidden_from_services(const char *directory)
{
    static const char *const hidden[] = {"/home", "/root", "/run/user", "/tmp", "/var/tmp"};

    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
        if (strncmp(directory, hidden[i], strlen(hidden[i])) == 0 &&
            directory[strlen(hidden[i])] == '/')
            return true;
    return false;
}

static void report_start(const char *directory, const char *quoted)
{
    printf("\nStart it here:\n  registryd serve %s/" LAYOUT_CONFIGURATION "\n", quoted);
    if (is_hidden_from_services(directory))
        printf("\nA systemd service does not see this directory: for a service that starts with\n"
               "the machine, run init in another place, such as /srv/registry.\n");
    else
        printf(
            "\nOr as a systemd service, which starts with the machine:\n"
            "  sudo chown -R registryd: %s/" LAYOUT_USERS_DIRECTORY
            " %s/" LAYOUT_CERTIFICATES_DIRECTORY " %s/" LAYOUT_STORAGE "\n"
            "  sudo systemctl enable --now \"$(systemd-escape -p --template=registryd@.service "
            "%s)\"\n",
            quoted, quoted, quoted, quoted);
}

static void report_clients(const struct init_options *options, const char *registry,
                           const char *quoted)
{
    printf("\nClients must trust the authority %s/" LAYOUT_AUTHORITY ". For docker:\n"
           "  sudo install -D -m 644 %s/" LAYOUT_AUTHORITY " /etc/docker/certs.d/%s/ca.crt\n"
           "for podman, buildah and skopeo:\n"
           "  install -D -m 644 %s/" LAYOUT_AUTHORITY " ~/.config/containers/certs.d/%s/ca.crt\n"
           "and for curl:\n"
           "  curl --cacert %s/" LAYOUT_AUTHORITY " -u %s https://%s/v2/\n"
           "On another machine, copy " LAYOUT_AUTHORITY " there first and give its path there.\n",
           quoted, quoted, registry, quoted, registry, quoted, options->user, registry);
}

static void report_authority(const char *quoted)
{
    printf("\nOnly init --renew needs the authority's key; the server does not. Leave it with\n"
           "your own user, or keep it on another machine:\n  %s/" LAYOUT_AUTHORITY_KEY "\n",
           quoted);
}

int init_report(const struct init_options *options, const char *directory,
                const struct secbuf *generated, struct error *err)
{
    CLEANUP_FREE char *quoted = shell_quote(directory);
    char registry[REGISTRY_SIZE];

    if (!quoted)
        return error_set_oom(err);
    format_registry(options, registry);
    printf("%s is ready.\n", directory);
    if (generated)
        printf("\nThe password of %s, which is stored nowhere else:\n  %.*s\n", options->user,
               (int)generated->size, (const char *)generated->data);
    if (options->mode == INIT_REQUEST)
        printf("\nLet your authority sign %s/" LAYOUT_REQUEST ". Store its answer (the\n"
               "certificate, then the intermediate certificates) in\n%s/" LAYOUT_CERTIFICATE ".\n",
               directory, directory);
    report_start(directory, quoted);
    if (options->mode != INIT_REQUEST) {
        report_clients(options, registry, quoted);
        report_authority(quoted);
    }
    printf("\nThen log in:\n  docker login -u %s %s\n", options->user, registry);
    return 0;
}
