#include "registry/cli/serve/login-upkeep.h"

#include <errno.h>
#include <stdio.h>

#include "common/condition.h"
#include "common/monotonic.h"
#include "registry/access/signing-keys.h"
#include "registry/core/records.h"
#include "registry/runtime/log.h"

enum { LOOK_MS = 5000, ROBOT_NOTE_INTERVAL_S = 60 * 60, STACK_SIZE = 512 << 10 };

/* Best effort: the time is only for display. */
static void note_robot(void *object, const char *name, int64_t used_s)
{
    const struct login_upkeep *upkeep = object;
    struct error err = {0};
    char path[RECORD_PATH_MAX];

    snprintf(path, sizeof(path), "robots/%s", name);
    if (store_note_number(upkeep->store, path, used_s, &err) < 0)
        log_warn("cannot record when the robot %s was used: %s", name, err.text);
}

static void note_robots(struct login_upkeep *upkeep, int64_t interval_s)
{
    if (upkeep->access->robots && !upkeep->is_read_only)
        robots_file_note_uses(upkeep->access->robots, interval_s, note_robot, upkeep);
}

static void read_keys(struct login_upkeep *upkeep)
{
    struct error err = {0};

    upkeep->keys_read_ms = monotonic_ms();
    if (tokens_refresh(upkeep->access->tokens, &err) < 0)
        log_error("cannot read the keys that sign tokens again: %s", err.text);
}

/* Waits for a while. Returns whether the server is being stopped. */
static bool rest(struct login_upkeep *upkeep, bool *ret_is_woken)
{
    struct timespec end = condition_deadline(LOOK_MS);
    bool is_stopping;

    pthread_mutex_lock(&upkeep->lock);
    while (!upkeep->is_stopping && !upkeep->is_woken &&
           pthread_cond_timedwait(&upkeep->changed, &upkeep->lock, &end) == 0)
        ;
    is_stopping = upkeep->is_stopping;
    *ret_is_woken = upkeep->is_woken;
    upkeep->is_woken = false;
    pthread_mutex_unlock(&upkeep->lock);
    return is_stopping;
}

static void *run(void *object)
{
    struct login_upkeep *upkeep = object;
    bool is_woken;

    while (!rest(upkeep, &is_woken)) {
        bool is_due = is_woken || monotonic_ms() - upkeep->keys_read_ms >=
                                      SIGNING_KEYS_REFRESH_S * 1000 / 2;

        if (upkeep->access->tokens && is_due)
            read_keys(upkeep);
        note_robots(upkeep, ROBOT_NOTE_INTERVAL_S);
    }
    note_robots(upkeep, 1);
    return NULL;
}

int login_upkeep_start(struct login_upkeep *upkeep, struct error *err)
{
    pthread_attr_t attributes;
    int r;

    if (!upkeep->access->tokens && !upkeep->access->robots)
        return 0;
    upkeep->keys_read_ms = monotonic_ms();
    pthread_mutex_init(&upkeep->lock, NULL);
    condition_init(&upkeep->changed);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    r = pthread_create(&upkeep->thread, &attributes, run, upkeep);
    pthread_attr_destroy(&attributes);
    if (r != 0)
        return error_set_errno(err, r, "cannot start a thread");
    upkeep->is_running = true;
    pthread_setname_np(upkeep->thread, "logins");
    return 0;
}

void login_upkeep_wake(struct login_upkeep *upkeep)
{
    if (!upkeep->is_running)
        return;
    pthread_mutex_lock(&upkeep->lock);
    upkeep->is_woken = true;
    pthread_cond_broadcast(&upkeep->changed);
    pthread_mutex_unlock(&upkeep->lock);
}

void login_upkeep_stop(struct login_upkeep *upkeep)
{
    if (!upkeep->is_running)
        return;
    pthread_mutex_lock(&upkeep->lock);
    upkeep->is_stopping = true;
    pthread_cond_broadcast(&upkeep->changed);
    pthread_mutex_unlock(&upkeep->lock);
    pthread_join(upkeep->thread, NULL);
    pthread_cond_destroy(&upkeep->changed);
    pthread_mutex_destroy(&upkeep->lock);
    upkeep->is_running = false;
}
