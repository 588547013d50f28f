/*
 * `registryd verify`: is everything still what its digest says?
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/config/settings.h"
#include "registry/core/verify.h"
#include "registry/cli/verbs.h"

static void say(void *object, const char *line)
{
    (void)object;
    puts(line);
}

/* 0, 1 where something is wrong with the data, or negative. */
static int verify(const struct settings *settings, struct error *err)
{
    CLEANUP(store_closep) struct store *store = NULL;
    struct verify_result result;
    int r = store_open(settings->storage.root_directory, STORE_LOOKS, &store, err);

    if (r == 0)
        r = store_verify(store, &(struct verify_options){.say = say}, &result, err);
    if (r < 0)
        return r;
    printf("%zu blobs and manifests verified, %" PRIu64 " bytes; %zu damaged, %zu missing, %zu links wrong\n", result.blobs, result.bytes,
           result.damaged, result.missing, result.wrong);
    if (fflush(stdout) != 0)
        return error_set_errno(err, errno, "cannot write to standard output");
    return result.damaged || result.missing || result.wrong;
}

static int run(int argc, char **argv, struct error *err)
{
    CLEANUP(settings_freep) struct settings *settings = NULL;
    int r;

    if (argc > 2 || (argc == 2 && argv[1][0] == '-'))
        return error_set(err, EINVAL, "verify takes one configuration file at most, and no switches");
    r = settings_load(settings_choose_path(argv[1]), environ, &settings, err);
    return r < 0 ? r : verify(settings, err);
}

int verb_verify(int argc, char **argv)
{
    struct error err = {0};
    int r = run(argc, argv, &err);

    if (r < 0)
        fprintf(stderr, "registryd: %s\n", err.text);
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
