/*
 * `registryd garbage-collect`: with registry:2's switches and words, so that what is written about
 * registry:2 works with ours in its place. It does not run while a server does, where registry:2's
 * would remove what is just being pushed.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/config/settings.h"
#include "registry/store/collect.h"
#include "registry/verbs.h"

/* What the command line says. */
struct order {
    struct collect_options options;
    bool is_quiet;
    const char *config; /* borrowed from argv; NULL: none is named */
};

static void say(void *object, const char *line)
{
    (void)object;
    puts(line);
}

static int parse(int argc, char **argv, struct order *order, struct error *err)
{
    static const struct option switches[] = {
        {"delete-untagged", no_argument, NULL, 'm'},
        {"dry-run", no_argument, NULL, 'd'},
        {"quiet", no_argument, NULL, 'q'},
        {0},
    };
    int letter;

    optind = 1;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, "mdq", switches, NULL)) != -1) {
        if (letter == '?')
            return error_set(err, EINVAL, "garbage-collect takes --dry-run (-d), --delete-untagged (-m), --quiet (-q) and "
                             "a configuration file, and nothing else");
        order->options.does_untag |= letter == 'm';
        order->options.is_dry_run |= letter == 'd';
        order->is_quiet |= letter == 'q';
    }
    if (argc - optind > 1)
        return error_set(err, EINVAL, "garbage-collect takes one configuration file at most");
    order->config = argv[optind];
    return 0;
}

static int collect(struct order *order, const struct settings *settings, struct error *err)
{
    CLEANUP(store_closep) struct store *store = NULL;
    struct collect_result result;
    int r;

    r = store_open(settings->storage.root_directory, true, &store, err);
    if (r < 0)
        return r;
    order->options.say = order->is_quiet ? NULL : say;
    r = store_collect(store, &order->options, &result, err);
    if (r == 0 && fflush(stdout) != 0)
        return error_set_errno(err, errno, "cannot write to standard output");
    return r;
}

static int run(int argc, char **argv, struct error *err)
{
    CLEANUP(settings_freep) struct settings *settings = NULL;
    struct order order = {0};
    int r = parse(argc, argv, &order, err);

    if (r == 0)
        r = settings_load(settings_choose_path(order.config), environ, &settings, err);
    return r < 0 ? r : collect(&order, settings, err);
}

int verb_garbage_collect(int argc, char **argv)
{
    struct error err = {0};

    if (run(argc, argv, &err) == 0)
        return EXIT_SUCCESS;
    fflush(stdout);
    fprintf(stderr, "registryd: %s\n", err.text);
    return EXIT_FAILURE;
}
