/*
 * The setup of GPGME, in the order that it requires: it reads some settings once, when the library
 * starts, and never again.
 */
#include "gpg/context-private.h"

#include <errno.h>
#include <locale.h>
#include <unistd.h>

#include "common/process.h"
#include "gpg/debug-options.h"
#include "gpg/home.h"
#include "gpg/patience.h"
#include "gpg/tty.h"
#include "gpg/watch.h"

/* The version that has what this project uses (gpgme_data_set_flag "sensitive"). */
#define OLDEST_GPGME "1.16.0"

/*
 * The first major version with an agent and its pinentry. GPGME takes a program that does not tell
 * its version for 1.0.0.
 */
enum { OLDEST_GPG = 2 };

static int start_library(struct error *err)
{
    static bool is_started;
    int r;

    if (is_started)
        return 0;
    r = gpgme_load(err);
    if (r < 0)
        return r;
    /* LC_ALL would open a dozen more files; the pinentry is told only these two */
    setlocale(LC_CTYPE, "");
    setlocale(LC_MESSAGES, "");
    unsetenv("GPGME_DEBUG"); /* its higher levels write plaintext to a file */
    gpg_tty_export();
    /* Otherwise GPGME runs gpgconf three times and gpgsm once before gpg itself. */
    gpgme.set_global_flag("disable-gpgconf", "1");
    if (!gpgme.check_version(OLDEST_GPGME))
        return error_set(err, ENOTSUP, "GPGME %s is too old, %s is needed",
                         gpgme.check_version(NULL), OLDEST_GPGME);
    is_started = true;
    return 0;
}

static gpgme_pinentry_mode_t pinentry_mode_of(enum gpg_pinentry_mode mode)
{
    static const gpgme_pinentry_mode_t modes[] = {
        [GPG_PINENTRY_DEFAULT] = GPGME_PINENTRY_MODE_DEFAULT,
        [GPG_PINENTRY_ASK] = GPGME_PINENTRY_MODE_ASK,
        [GPG_PINENTRY_CANCEL] = GPGME_PINENTRY_MODE_CANCEL,
        [GPG_PINENTRY_ERROR] = GPGME_PINENTRY_MODE_ERROR,
    };

    return modes[mode];
}

static gpgme_error_t configure(gpgme_ctx_t handle, const struct gpg_options *options)
{
    gpgme_error_t e = 0;

    gpgme.set_locale(handle, LC_CTYPE, setlocale(LC_CTYPE, NULL));
    gpgme.set_locale(handle, LC_MESSAGES, setlocale(LC_MESSAGES, NULL));
    /*
     * gpg would search the web for a recipient that looks like an e-mail address and is not in the
     * keyring.
     */
    gpgme.set_offline(handle, 1);
    e = gpgme.set_ctx_flag(handle, "auto-key-locate", "local");
    if (!e && options->trust_model)
        e = gpgme.set_ctx_flag(handle, "trust-model", options->trust_model);
    if (!e && options->homedir)
        e = gpgme.ctx_set_engine_info(handle, GPGME_PROTOCOL_OpenPGP, NULL, options->homedir);
    if (!e && options->pinentry_mode != GPG_PINENTRY_DEFAULT)
        e = gpgme.set_pinentry_mode(handle, pinentry_mode_of(options->pinentry_mode));
    gpgme.set_armor(handle, options->has_armor);
    return e;
}

/*
 * Without gpg the context can still be made, but the operation would fail without a clear reason.
 * GPGME has asked gpg for its version by now.
 */
static int check_gpg(gpgme_ctx_t handle, struct error *err)
{
    const char *name = NULL, *version = NULL;
    CLEANUP_FREE char *found = NULL;

    for (gpgme_engine_info_t info = gpgme.ctx_get_engine_info(handle); info; info = info->next)
        if (info->protocol == GPGME_PROTOCOL_OpenPGP) {
            name = info->file_name;
            version = info->version;
        }
    if (version && strtol(version, NULL, 10) >= OLDEST_GPG)
        return 0;
    if (!name && process_find("gpg", &found) == -ENOENT)
        return error_set(err, ENOENT, "gpg was not found on PATH; install GnuPG (package gnupg)");
    return error_set(
        err, ENOEXEC,
        "%s does not tell which GnuPG it is, and %d or later is needed; see what it says: gpg "
        "--version",
        name ? name : "gpg", OLDEST_GPG);
}

/* gpg->handle, while gpg is asked for its version. */
static int make_handle(struct gpg_context *gpg, struct error *err)
{
    struct error not_gpg;
    gpgme_error_t e;
    int is_usable, r;

    gpg_watch_begin(gpg);
    e = gpgme.new(&gpg->handle);
    is_usable = e ? 0 : check_gpg(gpg->handle, &not_gpg);
    r = gpg_watch_end(gpg, e || is_usable < 0, false, err);
    if (r < 0)
        return r;
    if (e)
        return error_set(err, EIO, "cannot set up gpg: %s", gpg_strerror(e));
    return is_usable < 0 ? error_set(err, not_gpg.code, "%s", not_gpg.text) : 0;
}

int gpg_context_new(const struct gpg_options *options, struct gpg_context **ret, struct error *err)
{
    CLEANUP(gpg_context_freep) struct gpg_context *gpg = NULL;
    gpgme_error_t e;
    int patience, r;

    r = gpg_patience_read(&patience, err);
    if (r == 0)
        r = start_library(err);
    if (r < 0)
        return r;
    gpg = calloc(1, sizeof(*gpg));
    if (!gpg)
        return error_set_oom(err);
    r = make_handle(gpg, err);
    if (r < 0)
        return r;
    e = configure(gpg->handle, options);
    if (e)
        return error_set(err, EIO, "cannot set up gpg: %s", gpg_strerror(e));
    gpg->has_hidden_recipients = options->has_hidden_recipients;
    gpg->pinentry_mode = options->pinentry_mode;
    *ret = steal_ptr(&gpg);
    return 0;
}

void gpg_context_free(struct gpg_context *gpg)
{
    if (!gpg)
        return;
    if (gpg->handle)
        gpgme.release(gpg->handle);
    free(gpg);
}

int gpg_context_check_debugging(const struct gpg_context *gpg, struct error *err)
{
    struct gpg_home home;

    if (gpg_home_find(gpgme.ctx_get_engine_info(gpg->handle)->home_dir, &home) < 0)
        return 0;
    return gpg_debug_check(home.path, err);
}
