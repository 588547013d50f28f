/*
 * Only settings that are known to be harmless are accepted. If git gets a new setting that names a
 * program, the worst case is a missing commit and a warning, not a foreign program that runs.
 */
#include "helper/pass/git-trust.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/directory-names.h"
#include "common/file.h"
#include "common/process.h"

enum { CONFIG_MAX = 128 << 10, MOST_NAMES = 50000, DEEPEST = 32 };

/* Keeps the first reason. A repository that the user trusts is not refused. */
static PRINTF_LIKE(2, 3) void refuse(struct pass_git_trust *trust, const char *format, ...)
{
    va_list arguments;

    if (trust->verdict != PASS_GIT_PLAIN)
        return;
    trust->verdict = PASS_GIT_REFUSED;
    va_start(arguments, format);
    vsnprintf(trust->why, sizeof(trust->why), format, arguments);
    va_end(arguments);
}

static void add_switched_off(struct pass_git_trust *trust, const char *name)
{
    size_t used = strlen(trust->switched_off);

    snprintf(trust->switched_off + used, sizeof(trust->switched_off) - used, "%s%s",
             used ? ", " : "", name);
}

/* --- configuration --------------------------------------------------------------------------- */

/* Settings that do not name a program that git would run to stage and commit one path. */
/* clang-format off */
static const char *const harmless[] = {
    "advice.*", "alias.*", "author.*", "branch.*", "color.*", "commit.*", "committer.*",
    "core.abbrev", "core.autocrlf", "core.bare", "core.bigfilethreshold", "core.commentchar",
    "core.commitgraph", "core.compression", "core.editor", "core.eol", "core.filemode",
    "core.fsync*", "core.ignorecase", "core.logallrefupdates", "core.loosecompression",
    "core.multipackindex", "core.pager", "core.precomposeunicode", "core.preloadindex",
    "core.quotepath", "core.repositoryformatversion", "core.safecrlf", "core.sharedrepository",
    "core.splitindex", "core.sshcommand", "core.symlinks", "core.untrackedcache", "core.whitespace",
    "credential.*", "diff.*.binary", "diff.*.textconv", "diff.*.xfuncname", "diff.algorithm",
    "diff.renames", "extensions.objectformat", "extensions.refstorage", "extensions.worktreeconfig",
    "fetch.*", "gc.auto", "gc.autodetach", "gc.autopacklimit", "gc.pruneexpire", "gc.reflogexpire",
    "gc.reflogexpireunreachable", "gpg.format", "gui.*", "http.*", "i18n.*", "index.*", "init.*",
    "lfs.*", "log.*", "maintenance.auto", "maintenance.strategy", "merge.conflictstyle", "merge.ff",
    "pack.*", "pass.*", "pull.*", "push.*", "rebase.*", "receive.denycurrentbranch",
    "remote.*.fetch", "remote.*.gh-resolved", "remote.*.mirror", "remote.*.prune", "remote.*.push",
    "remote.*.pushurl", "remote.*.tagopt", "remote.*.url", "remote.pushdefault", "status.*",
    "submodule.*.active", "submodule.*.url", "submodule.active", "tag.*", "user.*",
};
/* clang-format on */

static bool is_harmless(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
        if (fnmatch(harmless[i], key, 0) == 0)
            return true;
    return false;
}

static bool is_true(const char *value)
{
    return !value || strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 ||
           strcasecmp(value, "on") == 0 || strtol(value, NULL, 10) != 0;
}

static bool is_false(const char *value)
{
    return value && (!*value || strcasecmp(value, "false") == 0 || strcasecmp(value, "no") == 0 ||
                     strcasecmp(value, "off") == 0 || strcmp(value, "0") == 0);
}

/*
 * Whether the user's configuration names this directory; "~/" is the home directory, as in git's
 * own paths.
 */
static bool is_same_directory(const char *value, const char *directory)
{
    CLEANUP_FREE char *path = NULL;
    const char *home = getenv("HOME");
    struct stat named, given;

    if (!value)
        return false;
    if (strncmp(value, "~/", 2) == 0 && home)
        value = asprintf(&path, "%s%s", home, value + 1) < 0 ? (path = NULL) : path;
    return value && *value == '/' && stat(value, &named) == 0 && stat(directory, &given) == 0 &&
           named.st_dev == given.st_dev && named.st_ino == given.st_ino;
}

static void read_own_setting(struct pass_git_trust *trust, const char *directory, const char *key,
                             const char *value)
{
    if (strcasecmp(key, PASS_GIT_TRUST_KEY) == 0 && is_same_directory(value, directory))
        trust->verdict = PASS_GIT_TRUSTED;
    if (strcmp(key, "core.hookspath") == 0 && value)
        snprintf(trust->hooks_path, sizeof(trust->hooks_path), "core.hooksPath=%s", value);
    if (strcmp(key, "core.fsmonitor") == 0)
        snprintf(trust->fsmonitor, sizeof(trust->fsmonitor), "core.fsmonitor=%s",
                 value ? value : "true");
}

static void read_setting_of_repository(struct pass_git_trust *trust, const char *key,
                                       const char *value)
{
    if (strcmp(key, "core.hookspath") == 0)
        add_switched_off(trust, "core.hooksPath");
    else if (strcmp(key, "core.fsmonitor") == 0 && !is_false(value))
        add_switched_off(trust, "core.fsmonitor");
    else if (strcmp(key, "core.fsmonitor") != 0 && !is_harmless(key))
        refuse(trust, "its configuration sets %s", key);
}

/*
 * One record of `git config --list -z --show-scope`. The user's own settings come from files that
 * the store does not have.
 */
static void read_setting(struct pass_git_trust *trust, const char *directory, const char *scope,
                         char *key)
{
    char *value = strchr(key, '\n');

    if (value)
        *value++ = '\0';
    if (strcmp(key, "pass.signcommits") == 0)
        trust->is_signing = is_true(value);
    if (strcmp(scope, "system") == 0 || strcmp(scope, "global") == 0 ||
        strcmp(scope, "command") == 0)
        read_own_setting(trust, directory, key, value);
    else
        read_setting_of_repository(trust, key, value);
}

static int read_config(struct pass_git_trust *trust, const char *directory, int seconds,
                       struct error *err)
{
    const char *const argv[] = {
        "git",    "-C",     directory, "-c",           "safe.bareRepository=explicit",
        "config", "--list", "-z",      "--show-scope", "--includes",
        NULL};
    CLEANUP_FREE char *output = calloc(1, CONFIG_MAX);
    char *at = output, *end;
    int status, r = output ? process_run(argv, seconds, output, CONFIG_MAX, &status) : -ENOMEM;

    if (r == -ETIMEDOUT)
        return error_set(err, ETIMEDOUT,
                         "git did not end in time when it was asked for its configuration; look "
                         "with: git -C %s config "
                         "--list",
                         directory);
    if (r < 0)
        return error_set_errno(err, -r, "git could not be run");
    /* each record ends in a NUL and contains no other */
    for (end = output + CONFIG_MAX - 1; end > output && end[-1] == '\0'; end--)
        ;
    if (status != 0)
        refuse(trust, "git cannot read its configuration: %s", output);
    else if (end == output + CONFIG_MAX - 1)
        refuse(trust, "its configuration is larger than any real one");
    trust->why[strcspn(trust->why, "\n")] = '\0';
    while (at < end) {
        char *scope = at, *key = scope + strlen(scope) + 1;

        if (key >= end) {
            refuse(trust, "git says of its configuration: %s", scope);
            break;
        }
        at = key + strlen(key) + 1;
        read_setting(trust, directory, scope, key);
    }
    return 0;
}

/* --- files ----------------------------------------------------------------------------------- */

/*
 * Whether the user is the only member of the group. Distributions with such groups use the umask
 * 002.
 */
static bool is_private_group(gid_t gid)
{
    const struct passwd *user = getpwuid(geteuid());
    CLEANUP_FREE char *name = user && user->pw_gid == gid ? strdup(user->pw_name) : NULL;
    const struct group *group = name ? getgrgid(gid) : NULL;

    return group && strcmp(group->gr_name, name) == 0 && !group->gr_mem[0];
}

struct walk {
    struct pass_git_trust *trust;
    size_t count;
};

/* Whether git may write to it: only the user can have created it, and it has no other name. */
static bool is_own(struct walk *walk, const struct stat *st, const char *path)
{
    if (S_ISLNK(st->st_mode))
        refuse(walk->trust, "%s is a symbolic link", path);
    else if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
        refuse(walk->trust, "%s is neither a file nor a directory", path);
    else if (st->st_uid != geteuid())
        refuse(walk->trust, "%s belongs to another user", path);
    else if (st->st_mode & S_IWOTH || (st->st_mode & S_IWGRP && !is_private_group(st->st_gid)))
        refuse(walk->trust, "other users may write to %s", path);
    else if (S_ISREG(st->st_mode) && st->st_nlink > 1)
        refuse(walk->trust, "%s has a second hard link", path);
    return walk->trust->verdict != PASS_GIT_REFUSED;
}

enum depth { THIS_LEVEL, ALL_LEVELS };

static void walk_directory(struct walk *walk, int fd, const char *path, enum depth depth, int level)
{
    CLEANUP(directory_names_done) struct directory_names names = {0};
    int r = directory_names_read(fd, &names);

    walk->count += names.count;
    if (r < 0 || level == DEEPEST || walk->count > MOST_NAMES)
        refuse(walk->trust, "%s cannot be read, or is very large", path);
    for (size_t i = 0; i < names.count && walk->trust->verdict != PASS_GIT_REFUSED; i++) {
        CLEANUP_FREE char *below = NULL;
        CLEANUP_CLOSE int sub_fd = -1;
        const char *name = names.names[i]->text;
        struct stat st;

        if (asprintf(&below, "%s/%s", path, name) < 0) {
            below = NULL;
            refuse(walk->trust, "%s cannot be read", path);
            /* they do not run, or are the user's own */
        } else if (level == 0 && strcmp(name, "hooks") == 0) {
            continue;
        } else if (level == 0 && strcmp(name, "commondir") == 0) {
            refuse(walk->trust, "%s leads elsewhere", below);
        } else if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_own(walk, &st, below) &&
                   depth == ALL_LEVELS && S_ISDIR(st.st_mode)) {
            sub_fd = file_open_real_directory(fd, name);
            if (sub_fd >= 0)
                walk_directory(walk, sub_fd, below, ALL_LEVELS, level + 1);
        }
    }
}

static void walk_part(struct walk *walk, int git_fd, const char *name, enum depth depth)
{
    CLEANUP_CLOSE int fd = file_open_real_directory(git_fd, name);
    char path[64];

    snprintf(path, sizeof(path), ".git/%s", name);
    if (fd >= 0)
        walk_directory(walk, fd, path, depth, 1);
    else if (fd != -ENOENT)
        refuse(walk->trust, "%s is a link or not a directory", path);
}

/* Checks the files that git writes under known names. The names of objects cannot be chosen. */
static void check_files(struct pass_git_trust *trust, int git_fd)
{
    struct walk walk = {.trust = trust};
    struct stat st;

    if (fstat(git_fd, &st) == 0 && is_own(&walk, &st, ".git"))
        walk_directory(&walk, git_fd, ".git", THIS_LEVEL, 0);
    walk_part(&walk, git_fd, "info", THIS_LEVEL);
    walk_part(&walk, git_fd, "objects", THIS_LEVEL);
    walk_part(&walk, git_fd, "logs", ALL_LEVELS);
    walk_part(&walk, git_fd, "refs", ALL_LEVELS);
    walk_part(&walk, git_fd, "reftable", ALL_LEVELS);
}

/* The hooks that git would run here without the override. */
static void find_hooks(struct pass_git_trust *trust, int git_fd)
{
    static const char *const names[] = {
        "pre-commit",  "prepare-commit-msg", "commit-msg",
        "post-commit", "post-index-change",  "reference-transaction",
    };
    CLEANUP_CLOSE int fd = file_open_directory(git_fd, "hooks");

    for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(names); i++)
        if (faccessat(fd, names[i], X_OK, 0) == 0)
            add_switched_off(trust, names[i]);
}

/* --- the whole ------------------------------------------------------------------------------- */

int pass_git_inspect(const char *directory, int seconds, struct pass_git_trust *ret,
                     struct error *err)
{
    struct pass_git_trust trust = {
        .verdict = PASS_GIT_PLAIN, .hooks_path = "", .fsmonitor = "core.fsmonitor=false"};
    CLEANUP_CLOSE int root_fd = file_open_directory(AT_FDCWD, directory), git_fd = -1;
    bool has_own_hooks;
    int r;

    if (root_fd < 0)
        return error_set_errno(err, -root_fd, "cannot open %s", directory);
    git_fd = file_open_real_directory(root_fd, ".git");
    r = read_config(&trust, directory, seconds, err);
    if (r < 0)
        return r;
    has_own_hooks = *trust.hooks_path != '\0';
    if (trust.verdict != PASS_GIT_TRUSTED && git_fd < 0)
        refuse(&trust, ".git is not a directory, and leads elsewhere");
    if (trust.verdict == PASS_GIT_PLAIN)
        check_files(&trust, git_fd);
    if (trust.verdict == PASS_GIT_PLAIN && !has_own_hooks)
        find_hooks(&trust, git_fd);
    if (trust.verdict != PASS_GIT_PLAIN)
        trust.switched_off[0] = '\0';
    if (!has_own_hooks)
        snprintf(trust.hooks_path, sizeof(trust.hooks_path), "core.hooksPath=/dev/null");
    *ret = trust;
    return 0;
}

size_t pass_git_overrides(const struct pass_git_trust *trust, const char *argv[], size_t count)
{
    const char *const words[PASS_GIT_OVERRIDES] = {
        "-c", trust->hooks_path,        "-c", trust->fsmonitor,
        "-c", "maintenance.auto=false", "-c", "gc.auto=0",
    };

    for (size_t i = 0; trust->verdict != PASS_GIT_TRUSTED && i < PASS_GIT_OVERRIDES; i++)
        argv[count++] = words[i];
    return count;
}
