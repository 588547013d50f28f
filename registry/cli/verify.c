/*
 * `registryd verify` reads all data and compares it with its digests.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/words.h"
#include "registry/config/settings.h"
#include "registry/core/verify.h"
#include "registry/cli/flags.h"
#include "registry/cli/offline.h"
#include "registry/cli/open-store.h"
#include "registry/cli/verbs.h"

static void say(void *object, const char *line)
{
    (void)object;
    puts(line);
}

enum { VERIFY_DAMAGE = 1, VERIFY_HELP };

/* 0, VERIFY_DAMAGE, or negative. */
static int verify(const struct settings *settings, struct error *err)
{
    CLEANUP(store_closep) struct store *store = NULL;
    struct confinement confinement;
    struct verify_result result;
    char words[WORDS_SIZE_MAX];
    int r = offline_change_identity(settings, &confinement, err);

    if (r == 0)
        r = open_store(settings->storage.root_directory, FILESYSTEM_LOOKS, &store, err);
    if (r == 0)
        r = offline_confine(settings, &confinement, err);
    if (r == 0)
        r = store_verify(store, &(struct verify_options){.say = say}, &result, err);
    if (r < 0)
        return r;
    printf("%zu %s verified, %s; %zu damaged, %zu missing, %zu %s wrong\n", result.blobs,
           words_plural(result.blobs, "blob or manifest", "blobs and manifests"),
           words_bytes(result.bytes, words), result.damaged, result.missing, result.wrong,
           words_plural(result.wrong, "link", "links"));
    if (fflush(stdout) != 0)
        return error_set_errno(err, errno, "cannot write to standard output");
    return result.damaged || result.missing || result.wrong ? VERIFY_DAMAGE : 0;
}

static int run(char **argv, struct error *err)
{
    static const struct flag flags[] = {{0}};
    CLEANUP(settings_freep) struct settings *settings = NULL;
    const char *config;
    int r = flags_parse(argv, flags, &config, err);

    if (r == FLAGS_HELP)
        return VERIFY_HELP;
    if (r == 0)
        r = settings_load_for_data(config, environ, &settings, err);
    return r < 0 ? r : verify(settings, err);
}

static int run_verify(int argc, char **argv)
{
    struct error err = {0};
    int r = run(argv, &err);

    (void)argc;
    if (r == VERIFY_HELP)
        return verb_print_help(&verb_verify);
    if (r < 0)
        fprintf(stderr, "registryd: %s\n", err.text);
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct verb verb_verify = {
    .name = "verify",
    .function = run_verify,
    .help = "Usage: registryd verify [CONFIG]\n"
            "\n"
            "Reads all blobs and manifests. Reports each that does not match its digest, each\n"
            "that a repository refers to and that is missing, and each link with invalid\n"
            "content. Changes nothing, and may run while servers are running.\n"
            "\n"
            "  --help    this text\n"
            "\n"
            "CONFIG is the server's configuration; without it, the file that serve reads.\n"
            "\n"
            "Example:\n"
            "  registryd verify /srv/registry/config.yml\n"
            "\n"
            "Exit status: 0 if everything is in order; 1 if anything is damaged, missing or\n"
            "wrong, if the storage cannot be read, and for a wrong command line.\n",
};
