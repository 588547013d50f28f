#include "helper/pass/git-trial.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/process.h"
#include "gpg/patience.h"

enum { OUTPUT_SIZE = 1024, WORDS_MAX = 32, REMOVE_FDS = 8, HOOK_REFUSED = 1 };

/* Runs git in a directory; its exit status, or negative. */
static int run_git(const char *directory, char output[OUTPUT_SIZE], const char *const words[])
{
    const char *argv[WORDS_MAX] = {"git", "-C", directory};
    size_t count = 3;
    int status, r;

    for (; *words && count < WORDS_MAX - 1; words++)
        argv[count++] = *words;
    r = process_run(argv, gpg_patience(), output, OUTPUT_SIZE, &status);
    return r < 0 ? r : status;
}

/* The value of a setting that git uses in the repository. False if it is unset. */
static bool get_setting(const char *directory, const char *type, const char *key,
                        char ret[OUTPUT_SIZE])
{
    if (run_git(directory, ret, (const char *const[]){"config", type, "--get", key, NULL}) != 0)
        return false;
    ret[strcspn(ret, "\n")] = '\0';
    return true;
}

/* "Name <mail>", as git would write it into a commit. False if git does not know the user. */
static bool get_identity(const char *directory, char ret[OUTPUT_SIZE])
{
    char *end;

    if (run_git(directory, ret, (const char *const[]){"var", "GIT_COMMITTER_IDENT", NULL}) != 0)
        return false;
    end = strrchr(ret, '>');
    if (end)
        end[1] = '\0';
    return end != NULL && strchr(ret, '<') != NULL;
}

/* --- signing --------------------------------------------------------------------------------- */

static bool gpg_lists(const char *program, const char *command, const char *key)
{
    const char *const argv[] = {program, "--batch", command, "--", key, NULL};
    char output[OUTPUT_SIZE];
    int status;

    return process_run(argv, gpg_patience(), output, sizeof(output), &status) < 0 || status == 0;
}

/* Through a restricted socket, gpg does not list the secret keys that it can use. */
static bool is_agent_elsewhere(void)
{
    const char *const argv[] = {"gpg-connect-agent", "--no-autostart", "GETINFO restricted", "/bye",
                                NULL};
    char output[OUTPUT_SIZE];
    int status;

    return process_run(argv, gpg_patience(), output, sizeof(output), &status) == 0 &&
           strncmp(output, "OK", 2) == 0;
}

static int check_openpgp_key(const char *directory, struct error *err)
{
    char program[OUTPUT_SIZE] = "gpg", key[OUTPUT_SIZE], identity[OUTPUT_SIZE];
    const char *wanted = key;

    if (!get_setting(directory, "--path", "gpg.openpgp.program", program) &&
        !get_setting(directory, "--path", "gpg.program", program))
        snprintf(program, sizeof(program), "gpg");
    if (!get_setting(directory, "--no-type", "user.signingkey", key)) {
        if (!get_identity(directory, identity))
            return 0;
        wanted = identity;
    }
    if (gpg_lists(program, "--list-secret-keys", wanted) ||
        (gpg_lists(program, "--list-keys", wanted) && is_agent_elsewhere()))
        return 0;
    error_set(err, ENOKEY, "git signs what it records in %s, and gpg has no secret key \"%s\"",
              directory, wanted);
    return PASS_GIT_KEY_MISSING;
}

/* user.signingkey is then a file, or the key itself. */
static int check_ssh_key(const char *directory, struct error *err)
{
    char key[OUTPUT_SIZE];

    if (!get_setting(directory, "--path", "user.signingkey", key) ||
        strncmp(key, "key::", 5) == 0 || strncmp(key, "ssh-", 4) == 0 || access(key, F_OK) == 0 ||
        errno != ENOENT)
        return 0;
    error_set(err, ENOKEY, "git signs what it records in %s, and the key %s does not exist",
              directory, key);
    return PASS_GIT_KEY_MISSING;
}

static int check_signing(const char *directory, const struct pass_git_trust *trust,
                         struct error *err)
{
    char value[OUTPUT_SIZE], format[OUTPUT_SIZE];
    bool is_signing =
        get_setting(directory, "--bool", "commit.gpgsign", value) && strcmp(value, "true") == 0;
    int r;

    if (!is_signing && !trust->is_signing)
        return 0;
    if (!get_setting(directory, "--no-type", "gpg.format", format) ||
        strcmp(format, "openpgp") == 0)
        r = check_openpgp_key(directory, err);
    else
        r = strcmp(format, "ssh") == 0 ? check_ssh_key(directory, err) : 0;
    return r == PASS_GIT_KEY_MISSING && trust->is_signing ? PASS_GIT_PASS_KEY_MISSING : r;
}

/* --- hooks ----------------------------------------------------------------------------------- */

/* The hooks that can refuse a commit. */
static bool has_refusing_hook(const char *hooks)
{
    static const char *const names[] = {"pre-commit", "prepare-commit-msg", "commit-msg"};
    CLEANUP_CLOSE int fd = file_open_directory(AT_FDCWD, hooks);

    for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(names); i++)
        if (faccessat(fd, names[i], X_OK, 0) == 0)
            return true;
    return false;
}

/*
 * The directory whose hooks run at a commit, an absolute path; NULL if there is none. Owned by the
 * caller.
 */
static char *find_hooks(const char *directory, const struct pass_git_trust *trust)
{
    const char *own = strchr(trust->hooks_path, '=') + 1;
    char configured[OUTPUT_SIZE], *path = NULL;

    if (trust->verdict == PASS_GIT_TRUSTED) {
        if (get_setting(directory, "--path", "core.hooksPath", configured))
            own = configured;
        else
            return asprintf(&path, "%s/.git/hooks", directory) < 0 ? NULL : path;
    } else if (strcmp(own, "/dev/null") != 0 &&
               get_setting(directory, "--path", "core.hooksPath", configured)) {
        own = configured; /* with "~/" expanded */
    }
    return *own == '/' ? strdup(own) : NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

/* A file with the name of an entry, and the first bytes of an encrypted message. */
static int make_entry(const char *place)
{
    static const char message[] = "\x84\x5e\x03";
    CLEANUP_FREE char *path = NULL;
    CLEANUP_CLOSE int fd = -1;

    if (asprintf(&path, "%s/docker-credential-helpers/ZXhhbXBsZS5jb20=", place) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    *strrchr(path, '/') = '\0';
    if (mkdir(path, 0700) < 0)
        return -errno;
    path[strlen(path)] = '/';
    if (mkdir(path, 0700) < 0)
        return -errno;
    fd = file_open_directory(AT_FDCWD, path);
    return fd < 0 ? fd : file_write_temporary(fd, "user.gpg", 0600, message, sizeof(message));
}

/*
 * Makes a commit that is signed by the program `false`. git runs the hooks first: it exits with 1
 * if one refuses, and with 128 if only the signature is missing.
 */
static int commit(const char *place, const char *hooks, const char *identity,
                  char output[OUTPUT_SIZE])
{
    char path[PATH_MAX + 32], name[OUTPUT_SIZE + 32], mail[OUTPUT_SIZE + 32];
    const char *open = strrchr(identity, '<');

    snprintf(path, sizeof(path), "core.hooksPath=%s", hooks);
    snprintf(name, sizeof(name), "user.name=%.*s", (int)(open - identity), identity);
    snprintf(mail, sizeof(mail), "user.email=%.*s", (int)strcspn(open + 1, ">"), open + 1);
    return run_git(
        place, output,
        (const char *const[]){
            "-c", path, "-c", name, "-c", mail, "-c", "gpg.format=openpgp", "-c",
            "gpg.program=false", "commit", "-q", "-S", "-m",
            "Add given password for docker-credential-helpers/ZXhhbXBsZS5jb20=/user to store.",
            NULL});
}

static int try_hooks_in(const char *place, const char *directory, const char *hooks,
                        struct error *err)
{
    char output[OUTPUT_SIZE], identity[OUTPUT_SIZE];
    int r = make_entry(place);

    if (r < 0 || !get_identity(directory, identity))
        return r;
    r = run_git(place, output, (const char *const[]){"init", "-q", "--template=", NULL});
    if (r == 0)
        r = run_git(place, output,
                    (const char *const[]){"-c", "core.hooksPath=/dev/null", "add", "-A", NULL});
    if (r == 0)
        r = commit(place, hooks, identity, output);
    if (r != HOOK_REFUSED)
        return r < 0 ? r : 0;
    output[strcspn(output, "\n")] = '\0';
    error_set(err, EPERM, "a hook in %s refuses what git would record in %s%s%s", hooks, directory,
              *output ? "; it says: " : "", output);
    return PASS_GIT_HOOK_REFUSES;
}

static int check_hooks(const char *directory, const struct pass_git_trust *trust, struct error *err)
{
    CLEANUP_FREE char *hooks = find_hooks(directory, trust), *place = NULL;
    const char *parent = getenv("TMPDIR");
    int r;

    if (!hooks || !has_refusing_hook(hooks))
        return 0;
    if (asprintf(&place, "%s/docker-credential-pass.XXXXXX",
                 parent && *parent == '/' ? parent : "/tmp") < 0) {
        place = NULL;
        return error_set_oom(err);
    }
    if (!mkdtemp(place))
        return error_set_errno(err, errno, "cannot create a directory to try the hooks in %s",
                               hooks);
    r = try_hooks_in(place, directory, hooks, err);
    nftw(place, remove_one, REMOVE_FDS, FTW_DEPTH | FTW_PHYS);
    return r < 0 ? error_set_errno(err, -r, "cannot try the hooks in %s", hooks) : r;
}

int pass_git_try_commit(const char *directory, const struct pass_git_trust *trust,
                        struct error *err)
{
    int r = check_signing(directory, trust, err);

    return r == 0 ? check_hooks(directory, trust, err) : r;
}
