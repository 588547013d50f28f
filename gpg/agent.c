/*
 * These queries run GnuPG's own small programs. They serve `setup` and `doctor`, not the hot path.
 */
#include "gpg/agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gpg-error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/process.h"
#include "common/secbuf.h"
#include "common/words.h"
#include "gpg/assuan.h"
#include "gpg/home.h"
#include "gpg/patience.h"

enum { OUTPUT_SIZE = 8192, MOST_SECONDS = 10 };
enum { KEY_FILE_MAX = 1 << 16, PROCESS_TEXT_MAX = 1 << 16, SOCKETS_MAX = 16 << 20 };

/* Runs a program for ten seconds at most. 0 with its output, or negative. */
static int ask(const char *const argv[], char *ret_output, struct error *err)
{
    char words[WORDS_SIZE_MAX];
    int most = gpg_patience() < MOST_SECONDS ? gpg_patience() : MOST_SECONDS, status;
    int r = process_run(argv, most, ret_output, OUTPUT_SIZE, &status);

    if (r == -ETIMEDOUT)
        return error_set(err, ETIMEDOUT, "%s did not answer within %s; gpg-agent may hang, then end it with: gpgconf "
                         "--kill gpg-agent", argv[0], words_duration((uint64_t)most, words));
    if (r == -ENOMEM)
        return error_set_oom(err);
    if (r < 0 || status == 127)
        return error_set(err, ENOENT, "%s cannot be run; install GnuPG (packages gpg, gpg-agent and gpgconf)", argv[0]);
    return status == 0 ? 0 : error_set(err, EIO, "%s fails: %.*s", argv[0], (int)strcspn(ret_output, "\n"), ret_output);
}

/* The first line of what gpgconf says; owned by the caller. */
static int ask_gpgconf(const char *name, char **ret, struct error *err)
{
    char output[OUTPUT_SIZE];
    int r = ask((const char *const[]){"gpgconf", "--list-dirs", name, NULL}, output, err);

    if (r < 0)
        return r;
    output[strcspn(output, "\n")] = '\0';
    *ret = strdup(output);
    return *ret ? 0 : error_set_oom(err);
}

int gpg_find_home(char **ret_path, struct error *err)
{
    return ask_gpgconf("homedir", ret_path, err);
}

int gpg_agent_find_socket(char **ret_path, struct error *err)
{
    return ask_gpgconf("agent-socket", ret_path, err);
}

/* --- keys ---------------------------------------------------------------------------------- */

/* "S KEYINFO <grip> <D|T|X> <serial> <id> <1|-> <P|C|-> ..." */
int gpg_agent_parse_keyinfo(const char *output, const char *keygrip, struct gpg_agent_key *ret)
{
    const char *line = strstr(output, "S KEYINFO ");
    char grip[64], type[8], serial[64], id[64], cached[8], protection[8];

    if (!line || sscanf(line, "S KEYINFO %63s %7s %63s %63s %7s %7s", grip, type, serial, id, cached, protection) != 6 ||
        strcmp(grip, keygrip) != 0)
        return GPG_AGENT_NO_KEY;
    *ret = (struct gpg_agent_key){
        .is_on_card = type[0] == 'T',
        .is_protected = protection[0] == 'P',
        .is_cached = cached[0] == '1',
    };
    return 0;
}

/* The code of the first "ERR <code> <words>" in it, or 0. */
static gpg_err_code_t find_refusal(const char *output)
{
    const char *line = strstr(output, "ERR ");

    return line ? gpg_err_code((gpg_error_t)strtoul(line + strlen("ERR "), NULL, 10)) : GPG_ERR_NO_ERROR;
}

/* An agent that is just ending hangs up on us; the next one to ask starts another. */
int gpg_agent_find_key(const char *keygrip, struct gpg_agent_key *ret, struct error *err)
{
    enum { MOST_TRIES = 3 };
    char command[80], output[OUTPUT_SIZE] = "";

    snprintf(command, sizeof(command), "KEYINFO %s", keygrip);
    for (int try = 0; try < MOST_TRIES; try++) {
        int r = ask((const char *const[]){"gpg-connect-agent", command, "/bye", NULL}, output, err);

        if (r < 0)
            return r;
        if (gpg_agent_parse_keyinfo(output, keygrip, ret) == 0)
            return 0;
        if (find_refusal(output) == GPG_ERR_NOT_FOUND)
            return GPG_AGENT_NO_KEY;
    }
    return error_set(err, EIO, "gpg-agent does not say whether it has the key %s (%.*s); end it with: gpgconf --kill gpg-agent",
                     keygrip, (int)strcspn(output, "\n"), output);
}

bool gpg_agent_parse_locked(const char *output)
{
    char type[8], cached[8], protection[8];
    bool has_key = false;

    for (const char *line = strstr(output, "S KEYINFO "); line; line = strstr(line + 1, "S KEYINFO ")) {
        if (sscanf(line, "S KEYINFO %*s %7s %*s %*s %7s %7s", type, cached, protection) != 3)
            return true;
        has_key = true;
        if (type[0] == 'T' || (protection[0] != 'C' && cached[0] != '1'))
            return true;
    }
    return !has_key;
}

bool gpg_agent_may_have_locked_key(void)
{
    char output[OUTPUT_SIZE] = "";
    struct error err;

    return ask((const char *const[]){"gpg-connect-agent", "KEYINFO --list", "/bye", NULL}, output, &err) < 0 ||
           gpg_agent_parse_locked(output);
}

/* Decimal digits at *at, up to end; *at is left behind them. */
static bool read_number(const unsigned char **at, const unsigned char *end, uint64_t *ret)
{
    const unsigned char *begin = *at;

    for (*ret = 0; *at < end && **at >= '0' && **at <= '9' && *at - begin < 18; ++*at)
        *ret = *ret * 10 + (uint64_t)(**at - '0');
    return *at > begin;
}

/* The end of the quoted string that begins here. */
static const unsigned char *skip_quoted(const unsigned char *at, const unsigned char *end)
{
    for (at++; at < end && *at != '"'; at++)
        at += *at == '\\' && at + 1 < end;
    return at < end ? at + 1 : end;
}

/*
 * Behind "sha1": " #<salt>#\n \"<count>\"", as gpg-agent writes it since 2.2.12. One salt in fourteen consists of bytes that
 * it takes for a text, and is quoted, too.
 */
static bool read_text_count(const unsigned char *at, const unsigned char *end, uint64_t *ret)
{
    if (at < end && *at == '"')
        at = skip_quoted(at, end);
    at = memchr(at, '"', (size_t)(end - at));
    return at && ++at < end && read_number(&at, end, ret) && at < end && *at == '"';
}

/* Behind "sha1": "<size>:<salt><size>:<count>", as it did before. */
static bool read_canonical_count(const unsigned char *at, const unsigned char *end, uint64_t *ret)
{
    uint64_t salt_size, size;

    if (!read_number(&at, end, &salt_size) || at >= end || *at != ':' || salt_size >= (uint64_t)(end - at))
        return false;
    at += 1 + salt_size;
    if (!read_number(&at, end, &size) || at >= end || *at != ':' || size >= (uint64_t)(end - at))
        return false;
    at++;
    return read_number(&at, at + size, ret);
}

bool gpg_agent_parse_s2k_count(const void *key_file, size_t size, uint64_t *ret)
{
    const unsigned char *end = (const unsigned char *)key_file + size, *at;

    if (!memmem(key_file, size, "protected-private-key", 21))
        return false;
    at = memmem(key_file, size, "(4:sha1", 7);
    if (at)
        return read_canonical_count(at + 7, end, ret);
    at = memmem(key_file, size, "(sha1 ", 6);
    return at && read_text_count(at + 6, end, ret);
}

int gpg_agent_get_s2k_count(const char *keygrip, uint64_t *ret, struct error *err)
{
    CLEANUP_FREE char *home = NULL, *path = NULL;
    CLEANUP(secbuf_done) struct secbuf text = {0};
    CLEANUP_CLOSE int fd = -1;
    ssize_t n;
    int r = gpg_find_home(&home, err);

    if (r < 0)
        return r;
    if (asprintf(&path, "%s/private-keys-v1.d/%s.key", home, keygrip) < 0 || secbuf_reserve(&text, KEY_FILE_MAX) < 0)
        return error_set_oom(err);
    fd = file_open_regular(AT_FDCWD, path, NULL);
    n = fd < 0 ? fd : read(fd, text.data, KEY_FILE_MAX);
    if (fd >= 0 && n < 0)
        n = -errno;
    if (n < 0)
        return n == -ENOENT ? GPG_AGENT_NO_KEY : error_set_errno(err, (int)-n, "cannot read %s", path);
    text.size = (size_t)n;
    return gpg_agent_parse_s2k_count(text.data, text.size, ret) ? 0 : GPG_AGENT_NO_KEY;
}

/* --- pinentry -------------------------------------------------------------------------------- */

/* A value as GnuPG reads it: without blanks around it, and without quotes. */
static char *copy_value(const char *text, size_t size)
{
    while (size > 0 && strchr(" \t\r", text[size - 1]))
        size--;
    if (size > 0 && text[0] == '"') {
        text++;
        size--;
        if (size > 0 && text[size - 1] == '"')
            size--;
    }
    return strndup(text, size);
}

char *gpg_agent_parse_option(const char *text, const char *name)
{
    size_t size = strlen(name);

    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        line += strspn(line, " \t");
        if (strncmp(line, name, size) == 0 && strchr(" \t\r\n", line[size])) {
            line += size + strspn(line + size, " \t");
            return copy_value(line, strcspn(line, "\n"));
        }
    }
    return NULL;
}

/* The option in one file; NULL where it is not there. */
static char *find_in_file(const char *path, const char *name)
{
    CLEANUP_CLOSE int fd = file_open_regular(AT_FDCWD, path, NULL);
    CLEANUP_FREE char *text = NULL;
    size_t size;

    return fd >= 0 && file_read_all(fd, KEY_FILE_MAX, &text, &size) == 0 ? gpg_agent_parse_option(text, name) : NULL;
}

static char *find_in_own_conf(const char *name)
{
    CLEANUP_FREE char *home = NULL, *path = NULL;
    struct error err;

    if (gpg_find_home(&home, &err) < 0 || asprintf(&path, "%s/gpg-agent.conf", home) < 0)
        return NULL;
    return find_in_file(path, name);
}

/* The user's file wins over the system's. */
static char *find_in_agent_conf(const char *name)
{
    char *value = find_in_own_conf(name);

    return value ? value : find_in_file("/etc/gnupg/gpg-agent.conf", name);
}

bool gpg_agent_is_own_option(const char *name)
{
    CLEANUP_FREE char *value = find_in_own_conf(name);

    return value != NULL;
}

bool gpg_agent_has_option(const char *name)
{
    CLEANUP_FREE char *value = find_in_agent_conf(name);

    return value != NULL;
}

/* The path of one of GnuPG's programs: the third field of its line in `gpgconf --list-components`. */
static int find_component(const char *name, char **ret_path, struct error *err)
{
    char output[OUTPUT_SIZE], *line;
    size_t size = strlen(name);
    int r = ask((const char *const[]){"gpgconf", "--list-components", NULL}, output, err);

    if (r < 0)
        return r;
    for (line = output; *line && !(strncmp(line, name, size) == 0 && line[size] == ':'); line += *line == '\n')
        line += strcspn(line, "\n");
    line = *line ? strchr(line + size + 1, ':') : NULL;
    if (!line)
        return error_set(err, ENOENT, "gpgconf does not know of %s; install it", name);
    *ret_path = strndup(line + 1, strcspn(line + 1, ":\n"));
    return *ret_path ? 0 : error_set_oom(err);
}

int gpg_agent_find_program(char **ret_path, struct error *err)
{
    return find_component("gpg-agent", ret_path, err);
}

int gpg_agent_find_standard_pinentry(char **ret_path, struct error *err)
{
    return find_component("pinentry", ret_path, err);
}

int gpg_agent_find_pinentry(char **ret_path, struct error *err)
{
    *ret_path = find_in_agent_conf("pinentry-program");
    if (*ret_path && **ret_path)
        return 0;
    free(*ret_path);
    *ret_path = NULL;
    return gpg_agent_find_standard_pinentry(ret_path, err);
}

/* --- an agent that hangs --------------------------------------------------------------------- */

/* The inode of the socket that listens at path, from the text of /proc/net/unix; 0 if no socket does. */
static unsigned long find_listener(const char *text, const char *path)
{
    unsigned long inode, flags;
    char name[128];

    for (; *text; text += *text == '\n') {
        if (sscanf(text, "%*x: %*x %*x %lx %*x %*x %lu %127s", &flags, &inode, name) == 3 && flags & 0x10000 &&
            strcmp(name, path) == 0)
            return inode;
        text += strcspn(text, "\n");
    }
    return 0;
}

/* Reads a text of this process from /proc, with a NUL at its end. -errno on failure. */
static int read_process(const char *pid, const char *name, char **ret_text, size_t *ret_size)
{
    CLEANUP_CLOSE int fd = -1;
    char path[300];

    snprintf(path, sizeof(path), "/proc/%.200s/%s", pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : file_read_all(fd, PROCESS_TEXT_MAX, ret_text, ret_size);
}

/* By the "Uid:" line: the owner of an agent's files in /proc is root, because it leaves no core. */
static bool is_own_agent(const char *pid)
{
    CLEANUP_FREE char *status = NULL;
    const char *line;
    unsigned uid;
    size_t size;

    if (read_process(pid, "status", &status, &size) < 0 || strncmp(status, "Name:\tgpg-agent\n", 16) != 0)
        return false;
    line = strstr(status, "\nUid:");
    return line && sscanf(line, "\nUid: %*u %u", &uid) == 1 && uid == geteuid();
}

/* gpg starts an agent with --homedir. One without this option, as systemd starts it, serves the default directory. */
static bool is_started_for(const char *pid, const struct gpg_home *home)
{
    CLEANUP_FREE char *words = NULL;
    size_t size;

    if (read_process(pid, "cmdline", &words, &size) < 0)
        return false;
    for (const char *word = words; word < words + size; word += strlen(word) + 1) {
        if (strcmp(word, "--homedir") == 0)
            return word + strlen(word) + 1 < words + size && strcmp(word + strlen(word) + 1, home->path) == 0;
    }
    return home->is_default;
}

/* Only root sees the open files of an agent, because it leaves no core. Others can only compare the home directory. */
static bool may_serve(const char *pid, unsigned long inode, const struct gpg_home *home)
{
    char directory[256], wanted[64], link[64], path[sizeof(directory) + 256];
    const struct dirent *entry;
    bool is_open = false;
    DIR *fds;

    snprintf(directory, sizeof(directory), "/proc/%.200s/fd", pid);
    fds = opendir(directory);
    if (!fds)
        return errno == EACCES && is_started_for(pid, home);
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    while (!is_open && (entry = readdir(fds))) {
        ssize_t size;

        snprintf(path, sizeof(path), "%s/%.255s", directory, entry->d_name);
        size = readlink(path, link, sizeof(link) - 1);
        link[size > 0 ? size : 0] = '\0';
        is_open = strcmp(link, wanted) == 0;
    }
    closedir(fds);
    return is_open;
}

/* SO_PEERCRED would name the process that called listen(), which has ended: gpg-agent forks after that. */
static pid_t find_process(const char *socket_path)
{
    CLEANUP_CLOSE int fd = open("/proc/net/unix", O_RDONLY | O_CLOEXEC);
    CLEANUP_FREE char *text = NULL;
    const struct dirent *entry;
    struct gpg_home home;
    unsigned long inode;
    size_t size;
    long found = 0;
    DIR *processes;

    if (fd < 0 || file_read_all(fd, SOCKETS_MAX, &text, &size) < 0 || gpg_home_find(NULL, &home) < 0)
        return 0;
    inode = find_listener(text, socket_path);
    processes = inode ? opendir("/proc") : NULL;
    while (processes && !found && (entry = readdir(processes))) {
        if (strtol(entry->d_name, NULL, 10) > 0 && is_own_agent(entry->d_name) &&
            may_serve(entry->d_name, inode, &home))
            found = strtol(entry->d_name, NULL, 10);
    }
    if (processes)
        closedir(processes);
    return (pid_t)found;
}

pid_t gpg_agent_find_hung(const char *socket_path)
{
    CLEANUP(assuan_done) struct assuan agent = ASSUAN_INIT;
    struct assuan_line line;

    if (assuan_connect(socket_path, &agent) < 0)
        return 0;
    assuan_set_timeout(&agent, (int64_t)1000 * (gpg_patience() < MOST_SECONDS ? gpg_patience() : MOST_SECONDS));
    return assuan_receive(&agent, &line) == -ETIMEDOUT ? find_process(socket_path) : 0;
}
