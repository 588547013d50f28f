/*
 * `registryd serve` starts a registry from the settings and waits for signals: SIGTERM and SIGINT
 * end it, SIGHUP makes it read certificates, users and rules again.
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "registry/cli/flags.h"
#include "registry/cli/serve/service.h"
#include "registry/cli/verbs.h"
#include "registry/runtime/log.h"

enum { TICK_S = 5, DESCRIPTORS_WANTED = 65536, LARGE_BLOCK = 128 << 10 };

/*
 * Each connection needs a descriptor. The usual limit of 1024 is meant for programs that use
 * select().
 */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * Makes glibc return large blocks, such as manifests and their parsed form, to the system when they
 * are freed. By default glibc raises the threshold after the first such block, and keeps later ones
 * in each thread's heap. musl has no mallopt(), and always returns blocks of 128 KiB and more.
 */
static void bound_memory(void)
{
#if HAVE_MALLOPT
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
#endif
}

static void block_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGHUP);
    /* Threads that start later inherit the mask, so only the main thread receives the signals. */
    pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
}

static void run_until_stopped(struct service *service, const sigset_t *signals)
{
    const struct timespec tick = {.tv_sec = TICK_S};

    for (;;) {
        int signal = sigtimedwait(signals, NULL, &tick);

        if (signal == SIGTERM || signal == SIGINT) {
            log_info("stopping");
            return;
        }
        if (signal == SIGHUP)
            service_reload(service);
        service_tick(service);
    }
}

static int serve(const char *argument, const sigset_t *signals, struct error *err)
{
    CLEANUP(settings_freep) struct settings *settings = NULL;
    const char *configuration = settings_choose_path(argument, environ);
    struct service service = {0};
    int r = settings_load(configuration, environ, &settings, err);

    if (r < 0)
        return r;
    r = service_start(&service, settings, configuration, err);
    if (r == 0)
        run_until_stopped(&service, signals);
    service_stop(&service);
    return r;
}

static int run_serve(int argc, char **argv)
{
    static const struct flag flags[] = {{0}};
    struct error err = {0};
    const char *argument;
    sigset_t signals;
    int r = flags_parse(argv, flags, &argument, &err);

    (void)argc;
    if (r == FLAGS_HELP)
        return verb_print_help(&verb_serve);
    if (r == 0) {
        raise_descriptor_limit();
        bound_memory();
        block_signals(&signals);
        r = serve(argument, &signals, &err);
    }
    if (r < 0)
        return verb_fail(&err);
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct verb verb_serve = {
    .name = "serve",
    .function = run_serve,
    .help = "Usage: registryd serve [CONFIG]\n"
            "\n"
            "Serves until SIGTERM or SIGINT. SIGHUP reloads certificate, users and rules.\n"
            "Takes no options: settings come from CONFIG, a YAML file, and from variables\n"
            "such as REGISTRY_HTTP_ADDR, which have precedence. registryd(1) says which\n"
            "file is read without CONFIG; the log names it.\n"
            "\n"
            "  --help    this text\n"
            "\n"
            "Examples:\n"
            "  registryd serve /srv/registry/config.yml\n"
            "  REGISTRY_HTTP_ADDR=127.0.0.1:5000 registryd serve\n"
            "\n"
            "Exit status: 0 after SIGTERM or SIGINT; 1 if it cannot start: standard error\n"
            "says why.\n",
};
