/*
 * Loads the files of http.tls. If one of them changes, all are loaded again: an ACME client writes
 * certificate and key one after the other, and in between the two do not match.
 */
#include "registry/cli/serve/certificates.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "common/words.h"
#include "registry/http/client-ca.h"
#include "registry/http/tls.h"
#include "registry/runtime/log.h"

enum { DAYS_LEFT_MIN = 14 };

/* The state of a file when it was last examined; zeros if it was missing. */
struct stamp {
    struct timespec modified, changed;
    ino_t inode;
    off_t size;
};

struct certificates {
    const struct settings_tls *settings;
    size_t count;
    struct stamp stamps[]; /* certificate, key, authorities */
};

static const char *path_of(const struct certificates *certificates, size_t i)
{
    if (i < 2)
        return i == 0 ? certificates->settings->certificate : certificates->settings->key;
    return certificates->settings->client_cas[i - 2];
}

static struct stamp look_at(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return (struct stamp){0};
    return (struct stamp){
        .modified = st.st_mtim, .changed = st.st_ctim, .inode = st.st_ino, .size = st.st_size};
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Records the state of the files, and returns whether one of them has changed. */
static bool note_stamps(struct certificates *certificates)
{
    bool is_changed = false;

    for (size_t i = 0; i < certificates->count; i++) {
        struct stamp now = look_at(path_of(certificates, i)), *before = &certificates->stamps[i];

        is_changed = is_changed || now.inode != before->inode || now.size != before->size ||
                     !is_same_time(&now.modified, &before->modified) ||
                     !is_same_time(&now.changed, &before->changed);
        *before = now;
    }
    return is_changed;
}

/*
 * A readable key is not fatal: files that are mounted into a container often belong to other users,
 * and the container has no other users.
 */
static void warn_of_modes(const struct certificates *certificates)
{
    struct stat st;

    if (stat(certificates->settings->key, &st) == 0 && st.st_mode & S_IROTH)
        log_warn(
            "every user of this machine can read the key %s and impersonate this registry: "
            "chmod o-r %s",
            certificates->settings->key, certificates->settings->key);
    for (size_t i = 0; i < certificates->count; i++)
        if (stat(path_of(certificates, i), &st) == 0 && st.st_mode & S_IWOTH)
            log_error("every user of this machine can change %s: chmod o-w %s",
                      path_of(certificates, i), path_of(certificates, i));
}

static void warn_of_expiry(const struct certificates *certificates)
{
    int days = tls_get_days_left();

    if (days < 0)
        log_warn("the certificate %s has expired: replace it", certificates->settings->certificate);
    else if (days < DAYS_LEFT_MIN)
        log_warn("the certificate %s expires in %d %s: replace it",
                 certificates->settings->certificate, days,
                 words_plural((uint64_t)days, "day", "days"));
}

/* Call note_stamps() first, so that a change during the load is noticed later. */
static int load(struct certificates *certificates, struct error *err)
{
    const struct settings_tls *settings = certificates->settings;
    int r = tls_load(settings->certificate, settings->key, err);

    if (r == 0 && settings->client_ca_count > 0)
        r = client_ca_load(settings->client_cas, settings->client_ca_count, err);
    if (r < 0)
        return r;
    warn_of_modes(certificates);
    warn_of_expiry(certificates);
    return 0;
}

static void load_or_keep(struct certificates *certificates)
{
    struct error err = {0};

    if (load(certificates, &err) < 0)
        log_error("cannot load the new certificate, the previous one stays in use: %s", err.text);
    else
        log_info("certificate loaded");
}

int certificates_open(const struct settings_tls *settings, struct certificates **ret,
                      struct error *err)
{
    size_t count = 2 + settings->client_ca_count;
    struct certificates *certificates;
    int r;

    if (!settings->certificate)
        return 0;
    certificates = calloc(1, sizeof(*certificates) + count * sizeof(certificates->stamps[0]));
    if (!certificates)
        return error_set_oom(err);
    certificates->settings = settings;
    certificates->count = count;
    note_stamps(certificates);
    r = load(certificates, err);
    if (r < 0) {
        certificates_close(certificates);
        return r;
    }
    *ret = certificates;
    return 0;
}

void certificates_reload(struct certificates *certificates)
{
    if (!certificates)
        return;
    note_stamps(certificates);
    load_or_keep(certificates);
}

void certificates_refresh(struct certificates *certificates)
{
    if (certificates && note_stamps(certificates))
        load_or_keep(certificates);
}

void certificates_close(struct certificates *certificates)
{
    client_ca_unload();
    tls_unload();
    free(certificates);
}
