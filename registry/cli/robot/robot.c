/*
 * `registryd robot` creates, lists and revokes robots, the logins of programs. A running server
 * reads the file when it changes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/words.h"
#include "registry/access/watched-file.h"
#include "registry/cli/htpasswd/replace-file.h"
#include "registry/cli/open-store.h"
#include "registry/cli/robot/options.h"
#include "registry/cli/robot/paste.h"
#include "registry/cli/verbs.h"
#include "registry/config/settings.h"
#include "registry/confine/confine.h"
#include "registry/core/records.h"

/*
 * The first line of a new file. The file must not be empty, because an empty file may be one that
 * is being written.
 */
static const char headline[] = "# Robots of registryd, see registryd-robot(1).\n";

/* The command line and the settings that it needs. */
struct job {
    const struct robot_order *order;
    struct settings *settings; /* NULL: --file was given, and no configuration */
    const char *path;          /* the robots file */
    int64_t now_s;
};

/* --- the configuration ------------------------------------------------------------------ */

static int prepare(struct job *job, struct error *err)
{
    const struct robot_order *order = job->order;
    int r = 0;

    if (!order->file || order->config)
        r = settings_load(settings_choose_path(order->config, environ), environ, &job->settings,
                          err);
    if (r < 0)
        return r;
    job->path = order->file ? order->file : job->settings->auth.robots;
    if (job->path)
        return confine_tool(err);
    return error_set(
        err, EINVAL,
        "the configuration has no auth.htpasswd.robots, the path of the robots file; set it, for "
        "example to /etc/registryd/robots, and restart the server");
}

/* Returns the host and port of http.host, as docker login expects them. */
static const char *find_host(const struct job *job, char *buffer, size_t size)
{
    const char *host = job->settings ? job->settings->http.host : NULL,
               *scheme = host ? strstr(host, "://") : NULL;

    if (job->order->host)
        return job->order->host;
    if (!host)
        return "registry.example.com";
    host = scheme ? scheme + 3 : host;
    snprintf(buffer, size, "%.*s", (int)strcspn(host, "/"), host);
    return buffer;
}

/* --- the file --------------------------------------------------------------------------- */

/* Opens the file in order to replace it, and reads its robots. */
static int open_robots(const struct job *job, struct replacement *file, struct robots **ret,
                       char **ret_text, size_t *ret_size, struct error *err)
{
    int r = replacement_open(job->path, file, err);

    if (r == 0 && file->exists)
        r = replacement_read(file, WATCHED_FILE_MAX, ret_text, ret_size, err);
    if (r < 0)
        return r;
    if (!file->exists && job->settings && job->settings->auth.path)
        replacement_set_model(file, job->settings->auth.path); /* so that the server can read it */
    return robots_parse(job->path, *ret_text ? *ret_text : "", *ret_size, ret, err);
}

static int format_line(const struct job *job, const struct digest *digest, FILE *out)
{
    char digest_text[DIGEST_TEXT_SIZE], created[RFC3339_SIZE], expires[RFC3339_SIZE];

    digest_format(digest, digest_text);
    robot_format_time(job->now_s, created);
    robot_format_time(job->order->expires_s, expires);
    fprintf(out, "%s %s created=%s expires=%s", job->order->name, digest_text, created, expires);
    for (size_t i = 0; i < job->order->allow_count; i++)
        fprintf(out, " allow=%s", job->order->allows[i]);
    fputc('\n', out);
    return ferror(out) ? -ENOMEM : 0;
}

/* Formats the new file: the existing text, then the robot's line. */
static int add_line(const struct job *job, const struct digest *digest, const char *before,
                    size_t before_size, char **ret, size_t *ret_size)
{
    FILE *out = open_memstream(ret, ret_size);
    int r;

    if (!out)
        return -ENOMEM;
    if (before_size > 0)
        fwrite(before, 1, before_size, out);
    else
        fputs(headline, out);
    if (before_size > 0 && before[before_size - 1] != '\n')
        fputc('\n', out);
    r = format_line(job, digest, out);
    return fclose(out) != 0 ? -ENOMEM : r;
}

/* --- create ----------------------------------------------------------------------------- */

static int store_robot(const struct job *job, const struct digest *digest, struct error *err)
{
    CLEANUP(replacement_done) struct replacement file = REPLACEMENT_NONE;
    CLEANUP(robots_unrefp) struct robots *robots = NULL, *again = NULL;
    CLEANUP_FREE char *before = NULL, *after = NULL;
    size_t before_size = 0, after_size = 0;
    int r = open_robots(job, &file, &robots, &before, &before_size, err);

    if (r < 0)
        return r;
    if (robots_find(robots, job->order->name))
        return error_set(
            err, EEXIST,
            "the robot %s already exists in %s; revoke it first, or choose another name",
            job->order->name, job->path);
    if (add_line(job, digest, before, before_size, &after, &after_size) < 0)
        return error_set_oom(err);
    /* the server must be able to read it */
    r = robots_parse(job->path, after, after_size, &again, err);
    return r < 0 ? r : replacement_write(&file, 0600, after, after_size, err);
}

static int print_new(const struct job *job, const struct secbuf *password, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf text = {0};
    char user[sizeof(ROBOT_USER_PREFIX) + ROBOT_NAME_MAX], host[300];
    int r;

    snprintf(user, sizeof(user), ROBOT_USER_PREFIX "%s", job->order->name);
    if (job->order->is_quiet)
        r = secbuf_append(&text, password->data, password->size) < 0
                ? -ENOMEM
                : secbuf_append(&text, "\n", 1);
    else
        r = robot_paste(user, password, find_host(job, host, sizeof(host)), &text);
    if (r == 0)
        r = file_write_all(STDOUT_FILENO, text.data, text.size);
    if (r < 0)
        return error_set_errno(
            err, -r, "the robot %s was created, but its password could not be printed: revoke it",
            job->order->name);
    return 0;
}

static void warn_of_rights(const struct job *job)
{
    if (job->order->allow_count == 0)
        fprintf(
            stderr,
            "registryd: the robot has no --allow: it may do only what the access file allows "
            "robot+%s\n",
            job->order->name);
}

static int create_robot(const struct job *job, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf password = {0};
    struct digest digest;
    int r;

    if (robot_make_password(&password) < 0 ||
        robot_digest(job->order->name, &password, &digest) < 0)
        return error_set_oom(err);
    r = store_robot(job, &digest, err);
    if (r < 0)
        return r;
    warn_of_rights(job);
    return print_new(job, &password, err);
}

/* --- revoke ----------------------------------------------------------------------------- */

static int revoke_robot(const struct job *job, struct error *err)
{
    CLEANUP(replacement_done) struct replacement file = REPLACEMENT_NONE;
    CLEANUP(robots_unrefp) struct robots *robots = NULL;
    CLEANUP_FREE char *text = NULL;
    const struct robot *robot;
    size_t size = 0, start;
    int r = open_robots(job, &file, &robots, &text, &size, err);

    if (r < 0)
        return r;
    robot = robots_find(robots, job->order->name);
    if (!robot)
        return error_set(err, ENOENT, "there is no robot %s in %s", job->order->name, job->path);
    start = robot->line_start;
    memmove(text + start, text + start + robot->line_size, size - start - robot->line_size);
    size -= robot->line_size;
    r = replacement_write(&file, 0600, size > 0 ? text : headline,
                          size > 0 ? size : strlen(headline), err);
    if (r == 0)
        fprintf(stderr, "registryd: revoked the robot %s in %s\n", job->order->name, job->path);
    return r;
}

/* --- list ------------------------------------------------------------------------------- */

/* Returns NULL if the storage cannot be read; then the last use is not known. */
static struct store *open_records(const struct job *job)
{
    struct bucket *bucket = NULL;
    struct store *store = NULL;
    struct error ignored;

    if (!job->settings || open_store_prepare(job->settings, &bucket, &ignored) < 0 ||
        open_store(job->settings, bucket, FILESYSTEM_LOOKS, &store, &ignored) < 0)
        return NULL;
    return store;
}

static void format_use(struct store *store, const char *name, char ret_text[RFC3339_SIZE])
{
    char path[RECORD_PATH_MAX];
    struct error ignored;
    int64_t used_s;
    int r;

    snprintf(path, sizeof(path), "robots/%s", name);
    r = store ? store_read_number(store, path, &used_s, &ignored) : -ENOENT;
    if (r == 0)
        robot_format_time(used_s, ret_text);
    else
        snprintf(ret_text, RFC3339_SIZE, "%s", r > 0 ? "never" : "unknown");
}

static void print_robot(const struct job *job, struct store *store, const struct robot *robot)
{
    char expires[RFC3339_SIZE], used[RFC3339_SIZE];

    robot_format_time(robot->expires_s, expires);
    format_use(store, robot->name, used);
    printf("%-20s  %-20s  %-20s ", robot->name,
           robot->expires_s <= job->now_s ? "expired" : expires, used);
    for (size_t i = 0; i < robot->allow_count; i++)
        printf(" %.*s", (int)robot->allows[i].size, robot->allows[i].text);
    putchar('\n');
}

static int list_robots(const struct job *job, struct error *err)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    CLEANUP(robots_unrefp) struct robots *robots = NULL;
    CLEANUP(store_closep) struct store *store = NULL;
    int r = watched_file_read(job->path, &content, err);

    if (r < 0 && r != -ENOENT)
        return r;
    r = robots_parse(job->path, content.text ? content.text : "", content.size, &robots, err);
    if (r < 0)
        return r;
    store = open_records(job);
    printf("%-20s  %-20s  %-20s  %s\n", "NAME", "EXPIRES", "LAST USE", "MAY");
    for (size_t i = 0; i < robots_count(robots); i++)
        print_robot(job, store, robots_get(robots, i));
    return fflush(stdout) != 0 ? error_set_errno(err, errno, "cannot write to standard output") : 0;
}

/* --- the verb --------------------------------------------------------------------------- */

static int run(const struct robot_order *order, int64_t now_s, struct error *err)
{
    static int (*const tasks[])(const struct job *, struct error *) = {
        [ROBOT_CREATE] = create_robot, [ROBOT_LIST] = list_robots, [ROBOT_REVOKE] = revoke_robot,
    };
    struct job job = {.order = order, .now_s = now_s};
    int r = prepare(&job, err);

    if (r == 0)
        r = tasks[order->task](&job, err);
    settings_free(job.settings);
    return r;
}

static int run_robot(int argc, char **argv)
{
    int64_t now_s = time(NULL);
    struct error err = {0};
    struct robot_order order;
    int r = robot_order_parse(argc, argv, now_s, &order, &err);

    if (r == ROBOT_HELP)
        return verb_print_help(&verb_robot);
    if (r == 0)
        r = run(&order, now_s, &err);
    return r < 0 ? verb_fail(&err) : EXIT_SUCCESS;
}

const struct verb verb_robot = {
    .name = "robot",
    .function = run_robot,
    .help = "Usage: registryd robot create [OPTIONS] NAME\n"
            "       registryd robot list [OPTIONS]\n"
            "       registryd robot revoke [OPTIONS] NAME\n"
            "\n"
            "Manages robots, the logins of programs such as CI. A robot logs in as the user\n"
            "robot+NAME. create generates its password, and prints it once, with lines to\n"
            "paste for docker login, Kubernetes and GitHub Actions. A running registryd reads\n"
            "each change.\n"
            "\n"
            "  -a, --allow PATTERN:ACTIONS  what it may do, such as 'team/**:pull,push';\n"
            "                       may be given several times. Rules of the access file\n"
            "                       that name robot+NAME apply as well\n"
            "  -e, --expires TIME   after 90d (the default), 12h, 2w; or never\n"
            "  -q, --quiet          print the password and nothing else\n"
            "      --host HOST      the registry, for the lines to paste\n"
            "  -f, --file FILE      the robots file\n"
            "  -c, --config CONFIG  the server's configuration, which names the robots file;\n"
            "                       without either, the file that serve reads\n"
            "  -h, --help           this text\n"
            "\n"
            "Example:\n"
            "  registryd robot create ci --allow 'team/**:pull,push' --expires 90d\n"
            "\n"
            "Exit status: 0 on success; 1 on failure and for a wrong command line: standard\n"
            "error says why.\n",
};
