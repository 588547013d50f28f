#include "registry/cli/serve/token-server.h"

#include <errno.h>

#include "registry/runtime/log.h"

static void log_keys(void *context, const char *warning)
{
    (void)context;
    log_warn("%s", warning);
}

int external_tokens_start(const struct settings_token *settings, struct external_tokens **ret,
                          struct error *err)
{
    const struct external_tokens_options options = {
        .service = settings->service,
        .issuer = settings->issuer,
        .certificates = settings->certificates,
        .key_set = settings->key_set,
        .algorithms = settings->algorithms,
        .algorithm_count = settings->algorithm_count,
        .warn = log_keys,
    };
    int r = external_tokens_open(&options, ret, err);

    return r == -ENOTSUP ? error_wrap(err, "auth.token.signingalgorithms") : r;
}
