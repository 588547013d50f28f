#include "registry/cli/serve/logins.h"

#include <errno.h>

#include "registry/runtime/log.h"

static void log_warning(void *context, const char *warning)
{
    (void)context;
    log_warn("%s", warning);
}

/* --- opening --------------------------------------------------------------------------------- */

static int open_external_tokens(struct logins *logins, struct error *err)
{
    const struct settings_token *settings = &logins->settings->token;
    const struct external_tokens_options options = {
        .service = settings->service,
        .issuer = settings->issuer,
        .certificates = settings->certificates,
        .key_set = settings->key_set,
        .algorithms = settings->algorithms,
        .algorithm_count = settings->algorithm_count,
        .warn = log_warning,
    };
    int r = external_tokens_open(&options, &logins->access.external, err);

    return r == -ENOTSUP ? error_wrap(err, "auth.token.signingalgorithms") : r;
}

int logins_open(struct logins *logins, const struct settings *settings, struct error *err)
{
    const struct settings_auth *auth = &settings->auth;
    struct access *access = &logins->access;
    int r;

    logins->settings = settings;
    if (settings->token.is_enabled)
        return open_external_tokens(logins, err);
    if (!auth->is_htpasswd) {
        log_warn("no authentication is configured: everybody who can connect can read and write");
        return 0;
    }
    if (auth->guesses > 0) {
        access->guess_limit = guess_limit_new(auth->guesses);
        if (!access->guess_limit)
            return error_set_oom(err);
    }
    r = authenticator_open(&(struct authenticator_options){.path = auth->path, .warn = log_warning},
                           &access->authenticator, err);
    if (r == 0 && auth->access)
        r = access_file_open(auth->access, log_warning, NULL, &access->rules, err);
    if (r == 0 && auth->robots)
        r = robots_file_open(auth->robots, log_warning, NULL, &access->robots, err);
    return r;
}

static bool find_stamp(void *context, const char *user, unsigned char ret[TOKEN_STAMP_SIZE])
{
    const struct logins *logins = context;

    return access_find_stamp(&logins->access, user, ret);
}

int logins_open_tokens(struct logins *logins, struct store *store, struct error *err)
{
    const struct settings_auth *auth = &logins->settings->auth;

    logins->store = store;
    if (!auth->has_tokens)
        return 0;
    return tokens_open(
        &(struct tokens_options){
            .storage = store_get_storage(store),
            .service = auth->realm,
            .find_stamp = find_stamp,
            .context = logins,
        },
        &logins->access.tokens, err);
}

int logins_start(struct logins *logins, struct error *err)
{
    logins->upkeep = (struct login_upkeep){
        .access = &logins->access,
        .store = logins->store,
        .is_read_only = logins->settings->storage.is_read_only,
    };
    return login_upkeep_start(&logins->upkeep, err);
}

/* --- reading again --------------------------------------------------------------------------- */

void logins_reload(struct logins *logins)
{
    struct access *access = &logins->access;
    struct error err = {0};

    if (access->authenticator && authenticator_reload(access->authenticator, &err) < 0)
        log_error("cannot reload the users, the previous ones stay in force: %s", err.text);
    if (access->external && external_tokens_reload(access->external, &err) < 0)
        log_error("cannot reload the token server's keys, the previous ones stay in force: %s",
                  err.text);
    if (access->rules && watched_table_reload(access->rules, &err) < 0)
        log_error("cannot reload the rules, the previous ones stay in force: %s", err.text);
    if (access->robots && watched_table_reload(access->robots, &err) < 0)
        log_error("cannot reload the robots, the previous ones stay in force: %s", err.text);
    login_upkeep_wake(&logins->upkeep);
}

/* --- closing --------------------------------------------------------------------------------- */

void logins_close(struct logins *logins)
{
    login_upkeep_stop(&logins->upkeep);
    tokens_close(logins->access.tokens);
    external_tokens_close(logins->access.external);
    authenticator_close(logins->access.authenticator);
    watched_table_close(logins->access.rules);
    watched_table_close(logins->access.robots);
    guess_limit_free(logins->access.guess_limit);
}
