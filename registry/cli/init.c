/*
 * `registryd init`: creates a directory with all that a private registry needs, and prints the commands that start it and
 * those that clients run. The directory works with registry:2, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json-quote.h"
#include "common/macros.h"
#include "common/random.h"
#include "common/shell-quote.h"
#include "registry/access/ask-password.h"
#include "registry/access/bcrypt.h"
#include "registry/cli/certificate.h"
#include "registry/cli/init-directory.h"
#include "registry/cli/init-options.h"
#include "registry/cli/verbs.h"

enum { COST = 10, GENERATED_SIZE = 24, USER_MAX = 255, PEM_MAX = 1 << 20, HTTPS_PORT = 443 };

#define CONFIGURATION "config.yml"
#define USERS "htpasswd"
#define KEY "registry.key"
#define CERTIFICATE "registry.crt"
#define REQUEST "registry.csr"
#define AUTHORITY "ca.crt"
#define AUTHORITY_KEY "ca.key"
#define STORAGE "data"

/* --- the user -------------------------------------------------------------------------------- */

static int check_user(const char *user, struct error *err)
{
    size_t size = strlen(user);

    if (size == 0 || size > USER_MAX || *user == '#' || strchr(user, ':') || *user == ' ' || user[size - 1] == ' ')
        return error_set(err, EINVAL, "--user: a name has 1 to %d bytes, no ':' in it, no '#' before it and no blanks around "
                         "it", USER_MAX);
    for (const char *c = user; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return error_set(err, EINVAL, "--user: a name has no control characters in it");
    return 0;
}

/* 120 bits, of characters that nobody mistakes for another. */
static int generate(struct secbuf *ret)
{
    static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char random[GENERATED_SIZE];

    random_bytes(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (unsigned char)alphabet[random[i] % (sizeof(alphabet) - 1)];
    if (secbuf_append(ret, random, sizeof(random)) < 0)
        return -ENOMEM;
    explicit_bzero(random, sizeof(random));
    return 0;
}

static int get_password(const struct init_options *options, struct secbuf *ret, bool *ret_is_generated, struct error *err)
{
    *ret_is_generated = false;
    if (options->is_from_input)
        return ask_password_from(STDIN_FILENO, ret, err);
    if (!isatty(STDIN_FILENO)) {
        *ret_is_generated = true;
        return generate(ret) < 0 ? error_set_oom(err) : 0;
    }
    switch (ask_password_twice(ret, err)) {
    case 0:
        return 0;
    case ASK_DIFFERENT:
        return error_set(err, EINVAL, "the two passwords are not the same; nothing was made");
    case ASK_INTERRUPTED:
        return error_set(err, EINTR, "interrupted; nothing was made");
    default:
        return -err->code;
    }
}

static int add_user(struct init_folder *folder, const char *user, const struct secbuf *password, struct error *err)
{
    char hash[BCRYPT_SIZE + 1], line[USER_MAX + BCRYPT_SIZE + 4];
    int size, r = bcrypt_make(password, COST, hash);

    if (r < 0)
        return error_set_errno(err, -r, "cannot hash the password");
    size = snprintf(line, sizeof(line), "%s:%s\n", user, hash);
    r = init_folder_add_file(folder, USERS, 0600, line, (size_t)size, err);
    explicit_bzero(line, sizeof(line));
    return r;
}

/* --- the configuration ----------------------------------------------------------------------- */

/* A YAML scalar in double quotes, which JSON's strings are. */
static void put_path(FILE *stream, const char *folder, const char *name)
{
    CLEANUP_FREE char *path = NULL, *quoted = NULL;
    size_t size;

    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return;
    size = json_quote(path, strlen(path), NULL);
    quoted = malloc(size);
    if (!quoted)
        return;
    json_quote(path, strlen(path), quoted);
    fwrite(quoted, 1, size, stream);
    fputc('\n', stream);
}

static int add_configuration(struct init_folder *folder, const struct init_options *options, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    if (!stream)
        return error_set_oom(err);
    fprintf(stream, "# Made by registryd init. All settings: man 5 registryd-config\nversion: 0.1\nlog:\n  level: info\n"
            "storage:\n  filesystem:\n    rootdirectory: ");
    put_path(stream, folder->path, STORAGE);
    fprintf(stream, "  delete:\n    enabled: true\nauth:\n  htpasswd:\n    realm: Registry Realm\n"
            "    # One more user: registryd htpasswd, or Apache's htpasswd -B; the change is noticed.\n    path: ");
    put_path(stream, folder->path, USERS);
    fprintf(stream, "http:\n  addr: :%u\n  tls:\n    # A new one, before it runs out: registryd init --renew\n    certificate: ",
            options->port);
    put_path(stream, folder->path, CERTIFICATE);
    fprintf(stream, "    key: ");
    put_path(stream, folder->path, KEY);
    if (fclose(stream) != 0)
        return error_set_oom(err);
    return init_folder_add_file(folder, CONFIGURATION, 0644, text, size, err);
}

/* --- certificates ---------------------------------------------------------------------------- */

static int add_request(struct init_folder *folder, const struct certificate_names *names, struct error *err)
{
    CLEANUP(certificate_done) struct certificate request = {0};
    int r = certificate_make_request(names, &request, err);

    if (r == 0)
        r = init_folder_add_file(folder, KEY, 0600, request.key.data, request.key.size, err);
    return r < 0 ? r : init_folder_add_file(folder, REQUEST, 0644, request.text, strlen(request.text), err);
}

static int add_certificates(struct init_folder *folder, const struct certificate_names *names, struct error *err)
{
    CLEANUP(certificate_done) struct certificate authority = {0}, server = {0};
    CLEANUP_FREE char *name = NULL;
    int r;

    if (asprintf(&name, "Registry authority of %s", names->items[0]) < 0)
        return error_set_oom(err);
    r = certificate_make_authority(name, &authority, err);
    if (r == 0)
        r = certificate_make_server(&authority, names, NULL, &server, err);
    if (r == 0)
        r = init_folder_add_file(folder, AUTHORITY_KEY, 0600, authority.key.data, authority.key.size, err);
    if (r == 0)
        r = init_folder_add_file(folder, AUTHORITY, 0644, authority.text, strlen(authority.text), err);
    if (r == 0)
        r = init_folder_add_file(folder, KEY, 0600, server.key.data, server.key.size, err);
    return r < 0 ? r : init_folder_add_file(folder, CERTIFICATE, 0644, server.text, strlen(server.text), err);
}

/* --- what is said ---------------------------------------------------------------------------- */

/* As clients name it: without the port that they take by themselves, an IPv6 address in brackets. */
static void format_registry(const struct init_options *options, char *ret, size_t size)
{
    const char *host = options->hosts[0];
    bool has_colon = strchr(host, ':');

    if (options->port == HTTPS_PORT)
        snprintf(ret, size, has_colon ? "[%s]" : "%s", host);
    else
        snprintf(ret, size, has_colon ? "[%s]:%u" : "%s:%u", host, options->port);
}

/* The unit registryd@.service sees neither home directories nor the shared directories for temporary files. */
static bool is_hidden_from_services(const char *directory)
{
    static const char *const hidden[] = {"/home", "/root", "/run/user", "/tmp", "/var/tmp"};

    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
        if (strncmp(directory, hidden[i], strlen(hidden[i])) == 0 && directory[strlen(hidden[i])] == '/')
            return true;
    return false;
}

static void tell_start(const char *directory, const char *quoted)
{
    printf("\nStart it here:\n  registryd serve %s/" CONFIGURATION "\n", quoted);
    if (is_hidden_from_services(directory))
        printf("\nA systemd service does not see this directory: for a service that starts with\n"
               "the machine, run init in another place, such as /srv/registry.\n");
    else
        printf("\nOr as a systemd service, which starts with the machine:\n"
               "  sudo chown -R registryd: %s\n"
               "  sudo systemctl enable --now \"$(systemd-escape -p --template=registryd@.service %s)\"\n", quoted, quoted);
}

static void tell_clients(const struct init_options *options, const char *registry, const char *quoted)
{
    printf("\nClients must trust the authority %s/" AUTHORITY ". For docker:\n"
           "  sudo install -D -m 644 %s/" AUTHORITY " /etc/docker/certs.d/%s/ca.crt\n"
           "for podman, buildah and skopeo:\n"
           "  install -D -m 644 %s/" AUTHORITY " ~/.config/containers/certs.d/%s/ca.crt\n"
           "and for curl:\n"
           "  curl --cacert %s/" AUTHORITY " -u %s https://%s/v2/\n"
           "On another machine, copy " AUTHORITY " there first and give its path there.\n",
           quoted, quoted, registry, quoted, registry, quoted, options->user, registry);
}

static int tell(const struct init_options *options, const char *directory, const struct secbuf *generated, struct error *err)
{
    CLEANUP_FREE char *quoted = shell_quote(directory);
    char registry[300];

    if (!quoted)
        return error_set_oom(err);
    format_registry(options, registry, sizeof(registry));
    printf("%s is ready.\n", directory);
    if (generated)
        printf("\nThe password of %s, which is stored nowhere else:\n  %.*s\n", options->user, (int)generated->size,
               (const char *)generated->data);
    if (options->is_request)
        printf("\nHave your authority sign %s/" REQUEST ", and put the answer (the\n"
               "certificate, then those between it and the root) at %s/" CERTIFICATE ".\n", directory, directory);
    tell_start(directory, quoted);
    if (!options->is_request)
        tell_clients(options, registry, quoted);
    printf("\nThen log in:\n  docker login -u %s %s\n", options->user, registry);
    return 0;
}

static int make(const struct init_options *options, struct error *err)
{
    CLEANUP(init_folder_done) struct init_folder folder = INIT_FOLDER_NONE;
    CLEANUP(secbuf_done) struct secbuf password = {0};
    const struct certificate_names names = {.items = options->hosts, .count = options->host_count};
    bool is_generated;
    int r = check_user(options->user, err);

    if (r == 0)
        r = bcrypt_test(err);
    if (r == 0)
        r = init_folder_begin(options->folder, &folder, err);
    if (r == 0)
        r = get_password(options, &password, &is_generated, err);
    if (r == 0)
        r = add_user(&folder, options->user, &password, err);
    if (r == 0)
        r = options->is_request ? add_request(&folder, &names, err) : add_certificates(&folder, &names, err);
    if (r == 0)
        r = add_configuration(&folder, options, err);
    if (r == 0)
        r = init_folder_add_folder(&folder, STORAGE, 0700, err);
    if (r == 0)
        r = init_folder_finish(&folder, err);
    if (r == 0)
        r = tell(options, folder.path, is_generated ? &password : NULL, err);
    return r;
}

/* --- renewal --------------------------------------------------------------------------------- */

static int read_text(int folder_fd, const char *folder, const char *name, char **ret, struct error *err)
{
    CLEANUP_CLOSE int fd = openat(folder_fd, name, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    size_t size;
    int r = fd < 0 ? -errno : file_read_all(fd, PEM_MAX, ret, &size);

    return r < 0 ? error_set_errno(err, -r, "cannot read %s/%s", folder, name) : 0;
}

static int read_key(int folder_fd, const char *folder, const char *name, struct secbuf *ret, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    int r = read_text(folder_fd, folder, name, &text, err);

    if (r < 0)
        return r;
    r = secbuf_append(ret, text, strlen(text));
    explicit_bzero(text, strlen(text));
    return r < 0 ? error_set_oom(err) : 0;
}

static int replace_certificate(int folder_fd, const char *folder, const char *text, struct error *err)
{
    static const char temporary[] = "." CERTIFICATE ".tmp";
    int r;

    unlinkat(folder_fd, temporary, 0); /* of an earlier try that was killed */
    r = file_write_temporary(folder_fd, temporary, 0644, text, strlen(text));
    if (r == 0 && renameat(folder_fd, temporary, folder_fd, CERTIFICATE) < 0)
        r = -errno;
    if (r == 0)
        r = file_sync_folder(folder_fd);
    return r < 0 ? error_set_errno(err, -r, "cannot write %s/" CERTIFICATE, folder) : 0;
}

/* For the same key, so that one file is all that changes; for the names from before, unless others are given. */
static int renew(const struct init_options *options, struct error *err)
{
    CLEANUP(certificate_done) struct certificate authority = {0}, server = {0};
    CLEANUP(secbuf_done) struct secbuf key = {0};
    CLEANUP_FREE char *old = NULL;
    CLEANUP_CLOSE int fd = file_open_folder(AT_FDCWD, options->folder);
    struct certificate_names names = {.items = options->hosts, .count = options->host_count};
    char **old_names = NULL;
    size_t count = 0;
    int r = fd < 0 ? error_set_errno(err, -fd, "cannot open %s", options->folder) : 0;

    if (r == 0)
        r = read_text(fd, options->folder, AUTHORITY, &authority.text, err);
    if (r == 0)
        r = read_key(fd, options->folder, AUTHORITY_KEY, &authority.key, err);
    if (r == 0)
        r = read_key(fd, options->folder, KEY, &key, err);
    if (r == 0)
        r = read_text(fd, options->folder, CERTIFICATE, &old, err);
    if (r == 0)
        r = certificate_get_names(old, &old_names, &count, err);
    if (r == 0 && names.count == 0)
        names = (struct certificate_names){.items = (const char *const *)old_names, .count = count};
    if (r == 0 && names.count == 0)
        r = error_set(err, EINVAL, "%s/" CERTIFICATE " names no host; give --host", options->folder);
    if (r == 0)
        r = certificate_make_server(&authority, &names, &key, &server, err);
    if (r == 0)
        r = replace_certificate(fd, options->folder, server.text, err);
    if (r == 0)
        printf("%s/" CERTIFICATE " is new. A running registryd notices it within seconds.\n", options->folder);
    certificate_free_names(old_names, count);
    return r;
}

static int run_init(int argc, char **argv)
{
    struct init_options options;
    struct error err = {0};
    int r = init_options_parse(argc, argv, &options, &err);

    if (r == INIT_HELP)
        return verb_print_help(&verb_init);
    if (r == 0)
        r = options.is_renewal ? renew(&options, &err) : make(&options, &err);
    if (r == 0 && fflush(stdout) != 0)
        r = error_set_errno(&err, errno, "cannot write to standard output");
    if (r < 0)
        fprintf(stderr, "registryd: %s\n", err.text);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
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
            "  --csr             make a request that another authority signs\n"
            "  --renew           replace the certificate in an existing directory\n"
            "  -h, --help        this text\n"
            "\n"
            "Example:\n"
            "  sudo registryd init /srv/registry --host registry.example.com --user alice\n"
            "\n"
            "Exit status: 0 if the directory is complete; 1 on failure and for a wrong\n"
            "command line: standard error says why.\n",
};
