/*
 * An ACME client writes certificate and key one after the other, and between the two they do not belong together: so
 * all of the files are looked at, and each change has all of them read again.
 */
#include "registry/cli/serve-tls.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "common/words.h"
#include "registry/http/client-ca.h"
#include "registry/http/tls.h"
#include "registry/runtime/log.h"

enum { DAYS_LEFT_MIN = 14 };

/* A file as it was when it was last looked at; zeros if it was not there. */
struct stamp {
    struct timespec modified, changed;
    ino_t inode;
    off_t size;
};

struct serve_tls {
    const struct settings_tls *settings;
    size_t count;
    struct stamp stamps[]; /* certificate, key, authorities */
};

static const char *path_of(const struct serve_tls *tls, size_t i)
{
    if (i < 2)
        return i == 0 ? tls->settings->certificate : tls->settings->key;
    return tls->settings->client_cas[i - 2];
}

static struct stamp look_at(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return (struct stamp){0};
    return (struct stamp){.modified = st.st_mtim, .changed = st.st_ctim, .inode = st.st_ino, .size = st.st_size};
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Notes how the files are now; whether one was otherwise before. */
static bool note_stamps(struct serve_tls *tls)
{
    bool is_changed = false;

    for (size_t i = 0; i < tls->count; i++) {
        struct stamp now = look_at(path_of(tls, i)), *before = &tls->stamps[i];

        is_changed = is_changed || now.inode != before->inode || now.size != before->size ||
                     !is_same_time(&now.modified, &before->modified) || !is_same_time(&now.changed, &before->changed);
        *before = now;
    }
    return is_changed;
}

/*
 * No reason not to start: in a container, where files that are mounted belong to everybody, nobody else is there. Who
 * has users on the machine will want to know.
 */
static void warn_of_modes(const struct serve_tls *tls)
{
    struct stat st;

    if (stat(tls->settings->key, &st) == 0 && st.st_mode & S_IROTH)
        log_warn("the key %s can be read by every user of this machine, who can then pose as this registry: chmod o-r %s",
                 tls->settings->key, tls->settings->key);
    for (size_t i = 0; i < tls->count; i++)
        if (stat(path_of(tls, i), &st) == 0 && st.st_mode & S_IWOTH)
            log_error("%s can be changed by every user of this machine: chmod o-w %s", path_of(tls, i), path_of(tls, i));
}

static void warn_of_expiry(const struct serve_tls *tls)
{
    int days = tls_get_days_left();

    if (days < 0)
        log_warn("the certificate %s is expired", tls->settings->certificate);
    else if (days < DAYS_LEFT_MIN)
        log_warn("the certificate %s expires in %d %s", tls->settings->certificate, days,
                 words_plural((uint64_t)days, "day", "days"));
}

/* The stamps are taken before: a change after it is seen. */
static int load(struct serve_tls *tls, struct error *err)
{
    const struct settings_tls *settings = tls->settings;
    int r = tls_load(settings->certificate, settings->key, err);

    if (r == 0 && settings->client_ca_count > 0)
        r = client_ca_load(settings->client_cas, settings->client_ca_count, err);
    if (r < 0)
        return r;
    warn_of_modes(tls);
    warn_of_expiry(tls);
    return 0;
}

static void load_or_keep(struct serve_tls *tls)
{
    struct error err = {0};

    if (load(tls, &err) < 0)
        log_error("the certificate from before stays in force: %s", err.text);
    else
        log_info("certificate read");
}

int serve_tls_open(const struct settings_tls *settings, struct serve_tls **ret, struct error *err)
{
    size_t count = 2 + settings->client_ca_count;
    struct serve_tls *tls;
    int r;

    if (!settings->certificate)
        return 0;
    tls = calloc(1, sizeof(*tls) + count * sizeof(tls->stamps[0]));
    if (!tls)
        return error_set_oom(err);
    tls->settings = settings;
    tls->count = count;
    note_stamps(tls);
    r = load(tls, err);
    if (r < 0) {
        serve_tls_close(tls);
        return r;
    }
    *ret = tls;
    return 0;
}

void serve_tls_reload(struct serve_tls *tls)
{
    if (!tls)
        return;
    note_stamps(tls);
    load_or_keep(tls);
}

void serve_tls_refresh(struct serve_tls *tls)
{
    if (tls && note_stamps(tls))
        load_or_keep(tls);
}

void serve_tls_close(struct serve_tls *tls)
{
    client_ca_unload();
    tls_unload();
    free(tls);
}
