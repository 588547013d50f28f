#include "registry/cli/content/content.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "registry/access/watched-file.h"
#include "registry/cli/offline.h"
#include "registry/config/settings.h"

enum { CONTENT_HELP = 1 };

static int refuse(const struct content_verb *verb, const char *word, struct error *err)
{
    return error_set(err, EINVAL, "%s does not take \"%s\"; see registryd help %s",
                     verb->verb->name, word, verb->verb->name);
}

static int parse_reference(const struct content_verb *verb, struct content_job *job,
                           struct error *err)
{
    int r = reference_parse(job->operands[0], &job->reference, err);

    if (r < 0 || !(verb->options & CONTENT_OF_REPOSITORY) ||
        !reference_is_manifest(&job->reference))
        return r;
    return error_set(err, EINVAL,
                     "%s takes a repository; registryd show %s shows a tag or manifest",
                     verb->verb->name, job->operands[0]);
}

/* 0, CONTENT_HELP or negative. */
static int parse(int argc, char **argv, const struct content_verb *verb, struct content_job *job,
                 struct error *err)
{
    static const struct option switches[] = {
        {"config", required_argument, NULL, 'c'}, {"dry-run", no_argument, NULL, 'd'},
        {"force", no_argument, NULL, 'f'},        {"help", no_argument, NULL, 'h'},
        {"json", no_argument, NULL, 'j'},         {"quiet", no_argument, NULL, 'q'},
        {"yes", no_argument, NULL, 'y'},          {0},
    };
    int letter;

    optind = 1;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":c:dfhjqy", switches, NULL)) != -1) {
        if (letter == 'h')
            return CONTENT_HELP;
        if (letter == 'c')
            job->config = optarg;
        else if (letter == 'd' && verb->options & CONTENT_DRY_RUN)
            job->is_dry_run = true;
        else if (letter == 'f' && verb->options & CONTENT_RULES)
            job->is_forced = true;
        else if (letter == 'j' && verb->options & CONTENT_JSON)
            job->is_json = true;
        else if (letter == 'q' && verb->options & CONTENT_QUIET)
            job->is_quiet = true;
        else if (letter == 'y' && verb->options & CONTENT_YES)
            job->is_yes = true;
        else
            return refuse(verb, argv[optind - 1], err);
    }
    job->operands = argv + optind;
    job->operand_count = argc - optind;
    if (job->operand_count < verb->least || job->operand_count > verb->most)
        return error_set(err, EINVAL, "%s takes %s; see registryd help %s", verb->verb->name,
                         verb->operands, verb->verb->name);
    return job->operand_count > 0 ? parse_reference(verb, job, err) : 0;
}

static int read_rules(const struct content_verb *verb, struct content_job *job,
                      const struct settings *settings, struct error *err)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    const char *path = settings->auth.access;
    int r;

    if (!path || !(verb->options & CONTENT_RULES) || job->is_forced)
        return 0;
    r = watched_file_read(path, &content, err);
    return r < 0 ? r : rules_parse(path, content.text, content.size, &job->rules, err);
}

static int act_on_storage(const struct content_verb *verb, struct content_job *job,
                          const struct settings *settings, struct error *err)
{
    CLEANUP(store_closep) struct store *store = NULL;
    int r = offline_open_store(settings, &store, err);

    if (r < 0)
        return r;
    job->store = store;
    r = verb->act(job, err);
    progress_line_clear(&job->line);
    if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        return error_set_errno(err, errno, "cannot write to standard output");
    return r;
}

int content_run(int argc, char **argv, const struct content_verb *verb)
{
    CLEANUP(settings_freep) struct settings *settings = NULL;
    struct content_job job = {.has_terminal = isatty(STDIN_FILENO)};
    struct error err = {0};
    int r = parse(argc, argv, verb, &job, &err);

    if (r == CONTENT_HELP)
        return verb_print_help(verb->verb);
    if (r == 0)
        r = settings_load_for_data(job.config, environ, &settings, &err);
    progress_line_start(&job.line, job.is_quiet);
    if (r == 0)
        r = read_rules(verb, &job, settings, &err);
    if (r == 0)
        r = act_on_storage(verb, &job, settings, &err);
    rules_unref(job.rules);
    return r == 0 ? EXIT_SUCCESS : verb_fail(&err);
}
