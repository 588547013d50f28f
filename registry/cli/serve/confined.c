#include "registry/cli/serve/confined.h"

#include <stdlib.h>
#include <string.h>

#include "registry/access/oidc.h"

int confined_begin(struct confined *confined, const struct settings *settings, struct error *err)
{
    const struct settings_tls *tls = &settings->http.tls;
    const char *const files[] = {settings->auth.path,
                                 settings->auth.access,
                                 settings->auth.robots,
                                 settings->token.certificates,
                                 settings->token.key_set,
                                 tls->certificate,
                                 tls->key};

    if (!settings->confinement.is_enabled)
        return 0;
    confined->files = calloc(ARRAY_SIZE(files) + tls->client_ca_count, sizeof(*files));
    if (!confined->files)
        return error_set_oom(err);
    memcpy(confined->files, files, sizeof(files));
    for (size_t i = 0; i < tls->client_ca_count; i++)
        confined->files[ARRAY_SIZE(files) + i] = tls->client_cas[i];
    confined->confinement = (struct confinement){
        .user = settings->confinement.user,
        .storage = settings->storage.s3.is_enabled ? NULL : settings->storage.root_directory,
        .files = confined->files,
        .file_count = ARRAY_SIZE(files) + tls->client_ca_count,
    };
    return confine_identity(&confined->confinement, err);
}

int confined_add_keys(struct confined *confined, const struct rules *rules, struct error *err)
{
    const struct oidc *oidc = rules ? rules_get_oidc(rules) : NULL;
    size_t count = confined->confinement.file_count, more = oidc ? oidc_count_files(oidc) : 0;
    const char **files;

    if (!confined->files || more == 0)
        return 0;
    files = calloc(count + more, sizeof(*files));
    if (!files)
        return error_set_oom(err);
    memcpy(files, confined->files, count * sizeof(*files));
    for (size_t i = 0; i < more; i++)
        files[count + i] = oidc_get_file(oidc, i);
    free(confined->files);
    confined->files = files;
    confined->confinement.files = files;
    confined->confinement.file_count = count + more;
    return 0;
}

int confined_finish(const struct confined *confined, struct error *err)
{
    return confined->files ? confine_rest(&confined->confinement, err) : 0;
}

void confined_done(struct confined *confined)
{
    free(confined->files);
}
