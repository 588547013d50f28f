/*
 * `registryd access` checks the access file and explains which of its rules decides a request.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/printable.h"
#include "registry/access/htpasswd.h"
#include "registry/access/oidc.h"
#include "registry/access/robots.h"
#include "registry/access/rules.h"
#include "registry/access/watched-file.h"
#include "registry/cli/verbs.h"
#include "registry/config/settings.h"
#include "registry/spec/name.h"

/* Exit statuses; STATUS_HELP is only internal. */
enum { STATUS_YES, STATUS_NO, STATUS_FAILURE, STATUS_HELP };

struct question {
    const char *user; /* "": a client without a login */
    unsigned action;
    const char *repository;
    const char *access; /* the access file, or NULL */
    const char *users;  /* the htpasswd file; NULL: not known */
    const char *robots; /* the robots file; NULL: robots are ordinary users, or not known */
};

static int read_rules(const char *path, struct file_content *ret_content, struct rules **ret,
                      struct error *err)
{
    int r = watched_file_read(path, ret_content, err);

    return r < 0 ? r : rules_parse(path, ret_content->text, ret_content->size, ret, err);
}

/* --- access check ----------------------------------------------------------------------- */

static void print_warning(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "registryd: %s\n", text);
}

/* Checks that the key files named by lines "oidc" can be read. */
static int check_keys(const char *path, const struct rules *rules, struct error *err)
{
    struct oidc *oidc = NULL;
    int r = oidc_open(rules_get_oidc_rules(rules), path, print_warning, NULL, &oidc, err);

    oidc_close(oidc);
    return r;
}

static int check(int argc, char **argv, struct error *err)
{
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    CLEANUP(file_content_done) struct file_content content = {0};

    if (argc != 1)
        return error_set(err, EINVAL, "access check takes one file; see registryd help access");
    if (read_rules(argv[0], &content, &rules, err) < 0 || check_keys(argv[0], rules, err) < 0)
        return -EINVAL;
    printf("%s has no mistakes\n", argv[0]);
    return STATUS_YES;
}

/* --- access explain --------------------------------------------------------------------- */

static void print_line(const struct file_content *content, uint32_t wanted)
{
    const char *at = content->text, *end = at + content->size, *newline;
    char shown[400];

    for (uint32_t line = 1; line < wanted && (newline = memchr(at, '\n', (size_t)(end - at)));
         line++)
        at = newline + 1;
    newline = memchr(at, '\n', (size_t)(end - at));
    snprintf(shown, sizeof(shown), "%.*s", (int)((newline ? newline : end) - at), at);
    printable_clean(shown);
    printf("    %s\n", shown);
}

static bool is_workload(const char *user)
{
    return strncmp(user, OIDC_PRINCIPAL_PREFIX, strlen(OIDC_PRINCIPAL_PREFIX)) == 0;
}

/* Prints the lines "oidc" that map tokens to the principal. */
static void print_workload(const struct question *question, const struct rules *rules,
                           const struct file_content *content)
{
    const struct oidc_rules *oidc = rules_get_oidc_rules(rules);

    for (size_t i = 0; i < oidc->count; i++) {
        if (strcmp(oidc->items[i].principal, question->user) != 0)
            continue;
        printf("%s logs in with tokens that line %u accepts\n", question->user,
               oidc->items[i].line);
        print_line(content, oidc->items[i].line);
    }
}

/* A rule for a user that does not exist has no effect. */
static void warn_of_unknown_user(const struct question *question)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    CLEANUP(htpasswd_unrefp) struct htpasswd *table = NULL;

    if (!*question->user || is_workload(question->user) || !question->users ||
        watched_file_read(question->users, &content, NULL) < 0)
        return;
    if (htpasswd_parse(content.text, content.size, &table) < 0)
        return;
    content.text = NULL; /* now owned by the table */
    if (!htpasswd_find(table, question->user, strlen(question->user)))
        printf("but %s does not have this user\n", question->users);
}

static const char *shown_user(const struct question *question)
{
    return *question->user ? question->user : "a client without a login";
}

/* "pull team/app" */
static const char *shown_action(const struct question *question)
{
    static char text[NAME_MAX_SIZE + 32];

    if (question->action == RULES_HEALTH)
        return "see the health of the registry";
    snprintf(text, sizeof(text), "%s %s", rules_action_name(question->action),
             question->repository);
    return text;
}

/* Returns 1 if a rule of the access file allows the action, 0 if not, or negative. */
static int print_rules(const struct question *question, struct error *err)
{
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    CLEANUP(file_content_done) struct file_content content = {0};
    struct rules_answer answer;
    int r = read_rules(question->access, &content, &rules, err);

    if (r < 0)
        return r;
    rules_decide(rules,
                 &(struct rules_question){question->user, question->repository, question->action},
                 &answer);
    for (size_t i = 0; i < RULES_ACTION_COUNT; i++) {
        if (answer.lines[i] == 0)
            continue;
        printf("yes: %s line %u allows %s to %s\n", question->access, answer.lines[i],
               shown_user(question), shown_action(question));
        print_line(&content, answer.lines[i]);
    }
    if (answer.granted)
        print_workload(question, rules, &content);
    return answer.granted != 0;
}

static int read_robots(const char *path, struct robots **ret, struct error *err)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    int r = watched_file_read(path, &content, err);

    return r < 0 && r != -ENOENT
               ? r
               : robots_parse(path, content.text ? content.text : "", content.size, ret, err);
}

/* A rule for a robot that cannot log in has no effect. */
static void warn_of_robot(const struct question *question, const struct robot *robot)
{
    if (!robot)
        printf("but %s does not have this robot\n", question->robots);
    else if (robot->expires_s <= time(NULL))
        printf("but the robot has expired\n");
}

/* Returns 1 if the robot's own permissions allow the action, 0 if not, or negative. */
static int print_robot(const struct question *question, bool is_granted, struct error *err)
{
    CLEANUP(robots_unrefp) struct robots *robots = NULL;
    struct rules_answer answer = {0};
    int r = read_robots(question->robots, &robots, err);

    if (r < 0)
        return r;
    rules_decide(robots_get_rules(robots),
                 &(struct rules_question){question->user, question->repository, question->action},
                 &answer);
    for (size_t i = 0; i < RULES_ACTION_COUNT; i++) {
        const struct robot_allow *allow = robots_find_allow(robots, answer.lines[i]);

        if (allow)
            printf("yes: %s allows %s to %s\n    --allow %.*s\n", question->robots,
                   question->user, shown_action(question), (int)allow->size, allow->text);
    }
    if (is_granted || answer.granted)
        warn_of_robot(question, robots_find_user(robots, question->user));
    return answer.granted != 0;
}

static void print_no(const struct question *question, bool is_robot)
{
    printf("no: no rule in %s%s%s allows %s to %s\n",
           question->access ? question->access : question->robots,
           question->access && is_robot ? " and no --allow in " : "",
           question->access && is_robot ? question->robots : "", shown_user(question),
           shown_action(question));
}

/* A user who may not push may still be allowed to push new tags. */
static void print_push_new(const struct question *question)
{
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    CLEANUP(file_content_done) struct file_content content = {0};
    struct rules_answer answer;

    if (read_rules(question->access, &content, &rules, NULL) < 0)
        return;
    rules_decide(rules,
                 &(struct rules_question){question->user, question->repository, RULES_PUSH_NEW},
                 &answer);
    for (size_t i = 0; i < RULES_ACTION_COUNT; i++) {
        if (answer.lines[i] == 0)
            continue;
        printf("but %s line %u allows %s to push new tags\n", question->access, answer.lines[i],
               shown_user(question));
        print_line(&content, answer.lines[i]);
    }
}

static int print_answer(const struct question *question, struct error *err)
{
    bool is_robot = question->robots && rules_principal_kind_of(question->user) == RULES_ROBOT;
    int by_rule = question->access ? print_rules(question, err) : 0, by_robot = 0;

    if (by_rule >= 0 && is_robot)
        by_robot = print_robot(question, by_rule, err);
    if (by_rule < 0 || by_robot < 0)
        return -EINVAL;
    if (!by_rule && !by_robot) {
        print_no(question, is_robot);
        if (question->access && question->action == RULES_PUSH)
            print_push_new(question);
        return STATUS_NO;
    }
    if (!is_robot)
        warn_of_unknown_user(question);
    return STATUS_YES;
}

static int parse_question(char **argv, struct question *question, struct error *err)
{
    question->user = strcmp(argv[0], "-") == 0 ? "" : argv[0];
    question->action = rules_action_parse(argv[1], strlen(argv[1]));
    if (question->action == 0 || strcmp(argv[1], "all") == 0)
        return error_set(err, EINVAL,
                         "there is no action \"%s\"; actions are pull, push, push-new, delete and "
                         "health",
                         argv[1]);
    question->repository = argv[2] ? argv[2] : "any";
    if (argv[2] && !name_is_repository(argv[2], strlen(argv[2])))
        return error_set(err, EINVAL, "\"%s\" is not the name of a repository", argv[2]);
    return 0;
}

static int explain(int argc, char **argv, const char *file, const char *config, struct error *err)
{
    CLEANUP(settings_freep) struct settings *settings = NULL;
    struct question question = {.access = file};
    int r;

    if (argc != 3 && !(argc == 2 && strcmp(argv[1], "health") == 0))
        return error_set(
            err, EINVAL,
            "access explain takes a user, an action and a repository; see registryd help access");
    r = parse_question(argv, &question, err);
    if (r == 0 && !file)
        r = settings_load(settings_choose_path(config, environ), environ, &settings, err);
    if (r < 0)
        return r;
    if (settings) {
        question.access = settings->auth.access;
        question.users = settings->auth.path;
        question.robots = settings->auth.robots;
    }
    if (!question.access &&
        !(question.robots && rules_principal_kind_of(question.user) == RULES_ROBOT))
        return error_set(
            err, EINVAL,
            "the configuration has no auth.htpasswd.access, so every user may do everything; "
            "name a file with --file");
    return print_answer(&question, err);
}

/* --- the command line ------------------------------------------------------------------- */

/* Returns a status, or negative with err. */
static int run(int argc, char **argv, struct error *err)
{
    static const struct option switches[] = {
        {"config", required_argument, NULL, 'c'},
        {"file", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *file = NULL, *config = NULL;
    int letter;

    optind = 1;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":c:f:h", switches, NULL)) != -1) {
        if (letter == 'h')
            return STATUS_HELP;
        if (letter == '?' || letter == ':')
            return error_set(
                err, EINVAL,
                "access takes --file FILE and --config FILE; see registryd help access");
        *(letter == 'f' ? &file : &config) = optarg;
    }
    argc -= optind;
    argv += optind;
    if (argc > 0 && strcmp(argv[0], "check") == 0)
        return check(argc - 1, argv + 1, err);
    if (argc > 0 && strcmp(argv[0], "explain") == 0)
        return explain(argc - 1, argv + 1, file, config, err);
    return error_set(err, EINVAL,
                     "access has the commands check and explain; see registryd help access");
}

static int run_access(int argc, char **argv)
{
    struct error err = {0};
    int r = run(argc, argv, &err);

    if (r == STATUS_HELP)
        return verb_print_help(&verb_access);
    if (r >= 0 && fflush(stdout) != 0)
        r = error_set_errno(&err, errno, "cannot write to standard output");
    if (r >= 0)
        return r;
    verb_fail(&err);
    return STATUS_FAILURE;
}

const struct verb verb_access = {
    .name = "access",
    .function = run_access,
    .help = "Usage: registryd access check FILE\n"
            "       registryd access explain [OPTIONS] USER ACTION REPOSITORY\n"
            "       registryd access explain [OPTIONS] USER health\n"
            "\n"
            "Answers questions about an access file, which says who may do what (see\n"
            "auth.htpasswd.access in registryd-config(5)). check looks for mistakes in it.\n"
            "explain says whether USER (- is a client without a login) may pull, push,\n"
            "push-new or delete, or may see the registry's health, and which rule decides.\n"
            "\n"
            "  -f, --file FILE      the access file\n"
            "  -c, --config CONFIG  the server's configuration, which names the access file;\n"
            "                       without either, the file that serve reads\n"
            "  -h, --help           this text\n"
            "\n"
            "Examples:\n"
            "  registryd access check /etc/registryd/access\n"
            "  registryd access explain alice push team/app\n"
            "\n"
            "Exit status: 0 for yes and for a file without mistakes; 1 for no; 2 on failure\n"
            "and for a file with a mistake: standard error says which.\n",
};
