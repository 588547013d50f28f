#include "helper/client/survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/client/docker.h"
#include "helper/client/home.h"
#include "helper/client/name.h"
#include "helper/client/podman.h"

#define STORE "pass"

static void file_done(struct client_file *file)
{
    client_logins_done(&file->logins);
    client_config_done(&file->config);
}

void client_survey_done(struct client_survey *survey)
{
    for (size_t i = 0; i < survey->count; i++) {
        free(survey->uses[i].docker_name);
        free(survey->uses[i].podman_name);
    }
    free(survey->uses);
    for (size_t i = 0; i < survey->file_count; i++)
        file_done(&survey->files[i]);
    free(survey->files);
    free(survey->only);
    *survey = (struct client_survey){0};
}

/* --- the files ------------------------------------------------------------------------------- */

static struct client_file *find_file(struct client_survey *survey, const char *real_path)
{
    for (size_t i = 0; i < survey->file_count; i++)
        if (strcmp(survey->files[i].config.real_path, real_path) == 0)
            return &survey->files[i];
    return NULL;
}

/* Opens a file, unless the survey has it already; *ret is that one or the new one. */
static int add_file(struct client_survey *survey, const char *path, bool is_legacy,
                    struct client_file **ret, struct error *err)
{
    CLEANUP(file_done) struct client_file file = {0};
    struct client_file *more;
    int r = client_config_open(path, &file.config, err);

    if (r < 0)
        return r;
    file.config.is_legacy = is_legacy;
    *ret = find_file(survey, file.config.real_path);
    if (*ret)
        return 0;
    r = client_config_list_logins(&file.config, &file.logins, err);
    if (r < 0)
        return r;
    more = reallocarray(survey->files, survey->file_count + 1, sizeof(*more));
    if (!more)
        return error_set_oom(err);
    survey->files = more;
    *ret = &more[survey->file_count++];
    **ret = file;
    file = (struct client_file){0};
    return 0;
}

/* Unless podman is to be switched, an unreadable file of podman's is not an error. */
static int add_podman_files(struct client_survey *survey, struct error *err)
{
    CLEANUP(client_podman_files_done) struct client_podman_files files = {0};
    int r = client_podman_find(&files, err);

    if (r < 0)
        return survey->is_podman_switched || r == -ENOMEM ? r : 0;
    for (size_t i = 0; r == 0 && i < files.count; i++) {
        struct client_file *file = NULL;

        r = add_file(survey, files.items[i].path, files.items[i].is_legacy, &file, err);
        if (r == 0) {
            file->is_podman = true;
            file->is_surveyed = survey->is_podman_switched;
        } else if (!survey->is_podman_switched && r != -ENOMEM) {
            r = 0;
        }
    }
    return r;
}

/*
 * Docker before version 23 reads ~/.dockercfg if there is no config.json; setup is about to create
 * one.
 */
static int add_old_docker_file(struct client_survey *survey, struct error *err)
{
    const char *home = client_get_home(), *named = getenv("DOCKER_CONFIG");
    CLEANUP_FREE char *path = NULL;
    struct client_file *file = NULL;
    struct error ignored;

    if (!home || (named && *named) || survey->docker->config.exists)
        return 0;
    if (asprintf(&path, "%s/.dockercfg", home) < 0) {
        path = NULL;
        return error_set_oom(err);
    }
    if (add_file(survey, path, true, &file, &ignored) == 0)
        file->is_docker = file->is_surveyed = true;
    return 0;
}

static int add_files(struct client_survey *survey, struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    struct client_file *docker = NULL;
    size_t index;
    int r = survey->is_podman_here ? add_podman_files(survey, err) : 0;

    if (r == 0)
        r = client_docker_find(&path, err);
    if (r == 0)
        r = add_file(survey, path, false, &docker, err);
    if (r < 0)
        return r;
    docker->is_docker = docker->is_surveyed = true;
    index = (size_t)(docker - survey->files);
    survey->docker = docker;
    r = add_old_docker_file(survey, err);
    survey->docker = &survey->files[index]; /* the array may have moved */
    return r;
}

/* --- which client uses a login --------------------------------------------------------------- */

bool client_use_is_namespaced(const struct client_use *use)
{
    return strchr(use->podman_name, '/') != NULL;
}

const char *client_survey_get_docker_helper(const struct client_survey *survey, const char *name)
{
    const struct client_config *config = &survey->docker->config;
    const char *helper = client_config_get_helper(config, name),
               *store = client_config_get_creds_store(config);

    if (helper)
        return helper;
    return store ? store : client_docker_get_default_helper(config);
}

/*
 * Whether a client prefers login a to login b under the same name: a login with exactly that name
 * comes first.
 */
static bool is_before(const struct client_use *a, const struct client_use *b, const char *name)
{
    bool is_exact_a = strcmp(a->login->host, name) == 0,
         is_exact_b = strcmp(b->login->host, name) == 0;

    if (a->file != b->file)
        return a->file < b->file;
    return is_exact_a != is_exact_b ? is_exact_a : a->login < b->login;
}

static bool is_used_by_docker(const struct client_survey *survey, const struct client_use *use)
{
    const char *helper = client_survey_get_docker_helper(survey, use->docker_name);

    if (!use->file->is_docker || !*use->docker_name || use->login->problem || (helper && *helper))
        return false;
    for (size_t i = 0; i < survey->count; i++) {
        const struct client_use *other = &survey->uses[i];

        if (other != use && other->file->is_docker &&
            strcmp(other->docker_name, use->docker_name) == 0 &&
            is_before(other, use, use->docker_name))
            return false;
    }
    return true;
}

/*
 * The helper that podman runs for a server instead of reading the login in the file `last`; NULL:
 * none. Borrowed.
 */
static const char *find_podman_helper(const struct client_survey *survey, const char *name,
                                      const struct client_file *last)
{
    CLEANUP_FREE char *host = strndup(name, strcspn(name, "/"));

    for (const struct client_file *file = survey->files; host && file <= last; file++) {
        const char *helper = file->is_podman ? client_config_get_helper(&file->config, host) : NULL;

        if (helper)
            return helper;
    }
    return NULL;
}

static bool is_used_by_podman(const struct client_survey *survey, const struct client_use *use)
{
    if (!survey->is_podman_here || !survey->reads_podman_files || !use->file->is_podman ||
        !*use->podman_name || use->login->problem ||
        find_podman_helper(survey, use->podman_name, use->file))
        return false;
    for (size_t i = 0; i < survey->count; i++) {
        const struct client_use *other = &survey->uses[i];

        if (other != use && other->file->is_podman &&
            strcmp(other->podman_name, use->podman_name) == 0 &&
            is_before(other, use, use->podman_name))
            return false;
    }
    return true;
}

/* --- reasons to stay ------------------------------------------------------------------------- */

/* "credHelpers": {"host": ""}, whatever credsStore says. */
static bool is_kept_in_file(const struct client_survey *survey, const char *name)
{
    const char *helper = client_config_get_helper(&survey->docker->config, name);

    return helper && !*helper;
}

static const char *find_reason_to_stay(const struct client_survey *survey,
                                       const struct client_use *use)
{
    const char *helper = client_survey_get_docker_helper(survey, use->docker_name);
    const char *other = find_podman_helper(survey, use->podman_name, use->file);

    if (use->login->problem)
        return use->login->problem;
    if (!survey->only && use->file->is_docker && is_kept_in_file(survey, use->docker_name))
        return "credHelpers has docker read it from the file; setup --host moves it";
    if (use->is_used_by_docker || use->is_used_by_podman)
        return NULL;
    if (use->file->is_docker && client_config_get_helper(&use->file->config, use->docker_name) &&
        strcmp(helper, STORE) != 0)
        return "credHelpers names another helper for that server";
    return other && strcmp(other, STORE) != 0 ? "a file names another helper for that server"
                                              : NULL;
}

bool client_use_is_beside(const struct client_use *use, const struct client_use *part)
{
    size_t size = strcspn(part->podman_name, "/");

    return use->is_used_by_podman && client_use_is_namespaced(part) &&
           strlen(use->podman_name) == size &&
           strncmp(use->podman_name, part->podman_name, size) == 0 &&
           !client_login_is_same(use->login, part->login);
}

const char *client_survey_explain(const struct client_survey *survey, const struct client_use *use)
{
    if (use->reason)
        return use->reason;
    if (use->is_used_by_podman && client_use_is_namespaced(use))
        return CLIENT_REASON_NAMESPACED;
    for (size_t i = 0; i < survey->count; i++)
        if (survey->uses[i].is_used_by_podman && survey->uses[i].file == use->file &&
            client_use_is_beside(use, &survey->uses[i]))
            return CLIENT_REASON_BESIDE;
    return NULL;
}

/* --- the logins ------------------------------------------------------------------------------ */

static int add_uses(struct client_survey *survey, struct error *err)
{
    size_t most = 1;

    for (size_t i = 0; i < survey->file_count; i++)
        most += survey->files[i].logins.count;
    survey->uses = calloc(most, sizeof(*survey->uses));
    if (!survey->uses)
        return error_set_oom(err);
    for (size_t i = 0; i < survey->file_count; i++)
        for (size_t k = 0; k < survey->files[i].logins.count; k++) {
            struct client_use *use = &survey->uses[survey->count++];

            use->file = &survey->files[i];
            use->login = &survey->files[i].logins.items[k];
            use->docker_name = client_name_asked_by_docker(use->login->host);
            use->podman_name =
                client_name_asked_by_podman(use->login->host, use->file->config.is_legacy);
            if (!use->docker_name || !use->podman_name)
                return error_set_oom(err);
        }
    return 0;
}

static void judge_uses(struct client_survey *survey)
{
    for (size_t i = 0; i < survey->count; i++) {
        survey->uses[i].is_used_by_docker = is_used_by_docker(survey, &survey->uses[i]);
        survey->uses[i].is_used_by_podman = is_used_by_podman(survey, &survey->uses[i]);
    }
    for (size_t i = 0; i < survey->count; i++)
        survey->uses[i].reason = find_reason_to_stay(survey, &survey->uses[i]);
}

static bool is_wanted(const struct client_survey *survey, const struct client_use *use)
{
    return use->file->is_surveyed && (!survey->only || strcmp(use->docker_name, survey->only) == 0);
}

/* Logins of other files and servers were needed to judge the rest. */
static void drop_others(struct client_survey *survey)
{
    size_t kept = 0;

    for (size_t i = 0; i < survey->count; i++) {
        if (is_wanted(survey, &survey->uses[i])) {
            survey->uses[kept++] = survey->uses[i];
        } else {
            free(survey->uses[i].docker_name);
            free(survey->uses[i].podman_name);
        }
    }
    survey->count = kept;
}

int client_survey_make(const struct client_survey_options *options, struct client_survey *ret,
                       struct error *err)
{
    CLEANUP(client_survey_done)
    struct client_survey survey = {
        .is_podman_switched = options->is_podman_switched,
        .is_podman_here = options->is_podman_switched || client_podman_is_installed(),
        .reads_podman_files = client_helpers_has(options->helpers, CLIENT_AUTH_FILES),
    };
    int r;

    if (options->only) {
        survey.only = client_name_for_docker(options->only);
        if (!survey.only)
            return error_set_oom(err);
    }
    r = add_files(&survey, err);
    if (r == 0)
        r = add_uses(&survey, err);
    if (r < 0)
        return r;
    judge_uses(&survey);
    drop_others(&survey);
    *ret = survey;
    survey = (struct client_survey){0};
    return 0;
}
