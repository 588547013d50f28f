/*
 * A timer sends a signal every 50 ms. Its handler checks the time and our memory use, and ends gpg
 * if needed; GPGME then finds its pipes closed and returns. GPGME forks twice, so gpg's process id
 * is unknown: it is found among our adopted children. A short operation is never interrupted.
 */
#include "gpg/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>

#include "common/children.h"
#include "common/words.h"
#include "gpg/context-private.h"
#include "gpg/patience.h"

enum {
    TICK_MS = 50,
    KILL_AFTER_TICKS = 20,
    MOST_MEMORY = 64 << 20,
    MOST_PROMPTS = 50,
    LINGERING_MS = 500,
    LAST_RESORT_TICKS = 100
};

/* Shared with the handler. */
static struct {
    atomic_int ticks_left;
    atomic_int ticks_over;    /* since gpg was told to end; 0: not yet */
    atomic_bool is_prompting; /* a pinentry is up */
    atomic_bool is_flood;
    atomic_size_t memory; /* at the beginning, in bytes */
} watch;

/* --- in the handler: only what is safe there ------------------------------------------------- */

/* The memory that we have in use, from the second number of /proc/self/statm. */
static size_t measure_memory(void)
{
    CLEANUP_CLOSE int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    char text[128];
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
    size_t pages = 0;
    ssize_t i = 0;

    while (i < size && text[i] != ' ')
        i++;
    for (i++; i < size && text[i] >= '0' && text[i] <= '9'; i++)
        pages = pages * 10 + (size_t)(text[i] - '0');
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void (*last_resort)(const char *line);

static void end_gpg(void)
{
    int ticks = atomic_fetch_add(&watch.ticks_over, 1);

    if (ticks == LAST_RESORT_TICKS && last_resort)
        last_resort("gpg did not end in time, and something that it has started cannot be ended; "
                    "nothing was changed");
    if (ticks == 0 || ticks > KILL_AFTER_TICKS)
        children_signal(ticks == 0 ? SIGTERM : SIGKILL);
}

static void on_tick(int number)
{
    int kept = errno;

    (void)number;
    if (!atomic_load(&watch.ticks_over)) {
        if (measure_memory() > atomic_load(&watch.memory) + MOST_MEMORY)
            atomic_store(&watch.is_flood, true);
        else if (atomic_load(&watch.is_prompting) || atomic_fetch_sub(&watch.ticks_left, 1) > 0)
            goto done;
    }
    end_gpg();
done:
    errno = kept;
}

void gpg_watch_set_last_resort(void (*function)(const char *line))
{
    last_resort = function;
}

/* --- around an operation --------------------------------------------------------------------- */

static void set_timer(int milliseconds)
{
    const struct timeval span = {.tv_usec = milliseconds * 1000};
    const struct itimerval timer = {.it_interval = span, .it_value = span};

    setitimer(ITIMER_REAL, &timer, NULL);
}

static void take_signal(void)
{
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    sigset_t alarm;

    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &alarm, NULL);
}

/* Each status line of gpg. GPGME's type for it is a function. */
static gpgme_error_t on_status(void *hook, const char *keyword, const char *args)
{
    struct gpg_context *gpg = hook;
    bool is_prompt = strcmp(keyword, "PINENTRY_LAUNCHED") == 0;

    gpg_status_note(&gpg->status, keyword, args ? args : "");
    if (is_prompt && gpg->status.prompts > MOST_PROMPTS)
        return 0;
    /* the time limit starts again after the answer */
    if (atomic_exchange(&watch.is_prompting, is_prompt) && !is_prompt)
        atomic_store(&watch.ticks_left, gpg_patience() * (1000 / TICK_MS));
    return 0;
}

void gpg_watch_begin(struct gpg_context *gpg)
{
    children_adopt();
    gpg->status = (struct gpg_status){0};
    if (gpg->handle) {
        gpgme.set_ctx_flag(gpg->handle, "full-status", "1");
        gpgme.set_status_cb(gpg->handle, on_status, gpg);
    }
    atomic_store(&watch.ticks_left, gpg_patience() * (1000 / TICK_MS));
    atomic_store(&watch.ticks_over, 0);
    atomic_store(&watch.is_prompting, false);
    atomic_store(&watch.is_flood, false);
    atomic_store(&watch.memory, measure_memory());
    take_signal();
    set_timer(TICK_MS);
}

static int explain_death(int number, struct error *err)
{
    return error_set(
        err, EIO,
        "gpg died of signal %d (%s); see what gpg --version and gpg -K say, and the system's log",
        number, strsignal(number));
}

int gpg_watch_end(struct gpg_context *gpg, bool has_failed, bool is_careful, struct error *err)
{
    char words[WORDS_SIZE_MAX];
    int died_of = 0;

    (void)gpg;
    set_timer(0);
    if (atomic_load(&watch.ticks_over))
        children_finish(0);
    else if (has_failed || is_careful)
        died_of = children_finish(LINGERING_MS);
    if (atomic_load(&watch.is_flood))
        return error_set(
            err, ENOBUFS,
            "gpg wrote output without end and was killed; see what gpg --version says: it may be "
            "another program, or gpg.conf may have options that produce too much output");
    if (atomic_load(&watch.ticks_over))
        return error_set(err, ETIMEDOUT,
                         "gpg did not end within %s and was ended; gpg-agent may hang, then end it "
                         "with: gpgconf --kill gpg-agent",
                         words_duration((uint64_t)gpg_patience(), words));
    return died_of ? explain_death(died_of, err) : 0;
}

bool gpg_watch_has_encrypted(const struct gpg_context *gpg)
{
    return gpg->status.has_encrypted;
}

bool gpg_watch_has_spoken(const struct gpg_context *gpg)
{
    return gpg->status.has_spoken;
}
