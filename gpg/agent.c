/*
 * What gpg-agent knows of its keys, for `setup` and `doctor`; `get` talks to the agent itself
 * (agent-client.c).
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
#include "common/secbuf.h"
#include "gpg/assuan.h"
#include "gpg/home.h"
#include "gpg/patience.h"
#include "gpg/query.h"

enum { KEY_FILE_MAX = 1 << 16, PROCESS_TEXT_MAX = 1 << 16, SOCKETS_MAX = 16 << 20 };

/* --- keys ------------------------------------------------------------------------------------ */

/* "S KEYINFO <grip> <D|T|X> <serial> <id> <1|-> <P|C|-> ..." */
int gpg_agent_parse_keyinfo(const char *output, const char *keygrip, struct gpg_agent_key *ret)
{
    const char *line = strstr(output, "S KEYINFO ");
    char grip[64], type[8], serial[64], id[64], cached[8], protection[8];

    if (!line ||
        sscanf(line, "S KEYINFO %63s %7s %63s %63s %7s %7s", grip, type, serial, id, cached,
               protection) != 6 ||
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

    return line ? gpg_err_code((gpg_error_t)strtoul(line + strlen("ERR "), NULL, 10))
                : GPG_ERR_NO_ERROR;
}

/* An agent that is about to exit closes the connection; the next request starts another agent. */
int gpg_agent_find_key(const char *keygrip, struct gpg_agent_key *ret, struct error *err)
{
    enum { MOST_TRIES = 3 };
    char command[80], output[GPG_QUERY_SIZE] = "";

    snprintf(command, sizeof(command), "KEYINFO %s", keygrip);
    for (int try = 0; try < MOST_TRIES; try++) {
        int r = gpg_query((const char *const[]){"gpg-connect-agent", command, "/bye", NULL}, output,
                          err);

        if (r < 0)
            return r;
        if (gpg_agent_parse_keyinfo(output, keygrip, ret) == 0)
            return 0;
        if (find_refusal(output) == GPG_ERR_NOT_FOUND)
            return GPG_AGENT_NO_KEY;
    }
    return error_set(err, EIO,
                     "gpg-agent does not say whether it has the key %s (%.*s); end it with: "
                     "gpgconf --kill gpg-agent",
                     keygrip, (int)strcspn(output, "\n"), output);
}

bool gpg_agent_parse_locked(const char *output)
{
    char type[8], cached[8], protection[8];
    bool has_key = false;

    for (const char *line = strstr(output, "S KEYINFO "); line;
         line = strstr(line + 1, "S KEYINFO ")) {
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
    char output[GPG_QUERY_SIZE] = "";
    struct error err;

    return gpg_query((const char *const[]){"gpg-connect-agent", "KEYINFO --list", "/bye", NULL},
                     output, &err) < 0 ||
           gpg_agent_parse_locked(output);
}

/* Reads decimal digits at *at, up to end, and moves *at past them. */
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
 * After "sha1": " #<salt>#\n \"<count>\"", as gpg-agent writes it since 2.2.12. One salt in
 * fourteen consists of printable bytes only, and is quoted as well.
 */
static bool read_text_count(const unsigned char *at, const unsigned char *end, uint64_t *ret)
{
    if (at < end && *at == '"')
        at = skip_quoted(at, end);
    at = memchr(at, '"', (size_t)(end - at));
    return at && ++at < end && read_number(&at, end, ret) && at < end && *at == '"';
}

/* After "sha1": "<size>:<salt><size>:<count>", as older versions write it. */
static bool read_canonical_count(const unsigned char *at, const unsigned char *end, uint64_t *ret)
{
    uint64_t salt_size, size;

    if (!read_number(&at, end, &salt_size) || at >= end || *at != ':' ||
        salt_size >= (uint64_t)(end - at))
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
    if (asprintf(&path, "%s/private-keys-v1.d/%s.key", home, keygrip) < 0 ||
        secbuf_reserve(&text, KEY_FILE_MAX) < 0)
        return error_set_oom(err);
    fd = file_open_regular(AT_FDCWD, path, NULL);
    n = fd < 0 ? fd : read(fd, text.data, KEY_FILE_MAX);
    if (fd >= 0 && n < 0)
        n = -errno;
    if (n < 0)
        return n == -ENOENT ? GPG_AGENT_NO_KEY
                            : error_set_errno(err, (int)-n, "cannot read %s", path);
    text.size = (size_t)n;
    return gpg_agent_parse_s2k_count(text.data, text.size, ret) ? 0 : GPG_AGENT_NO_KEY;
}

/* --- an agent that hangs --------------------------------------------------------------------- */

/*
 * The inode of the socket that listens at path, from the text of /proc/net/unix; 0 if no socket
 * does.
 */
static unsigned long find_listener(const char *text, const char *path)
{
    unsigned long inode, flags;
    char name[128];

    for (; *text; text += *text == '\n') {
        if (sscanf(text, "%*x: %*x %*x %lx %*x %*x %lu %127s", &flags, &inode, name) == 3 &&
            flags & 0x10000 && strcmp(name, path) == 0)
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

    if (read_process(pid, "status", &status, &size) < 0 ||
        strncmp(status, "Name:\tgpg-agent\n", 16) != 0)
        return false;
    line = strstr(status, "\nUid:");
    return line && sscanf(line, "\nUid: %*u %u", &uid) == 1 && uid == geteuid();
}

/*
 * gpg starts an agent with --homedir. One without this option, as systemd starts it, serves the
 * default directory.
 */
static bool is_started_for(const char *pid, const struct gpg_home *home)
{
    CLEANUP_FREE char *words = NULL;
    size_t size;

    if (read_process(pid, "cmdline", &words, &size) < 0)
        return false;
    for (const char *word = words; word < words + size; word += strlen(word) + 1) {
        if (strcmp(word, "--homedir") == 0)
            return word + strlen(word) + 1 < words + size &&
                   strcmp(word + strlen(word) + 1, home->path) == 0;
    }
    return home->is_default;
}

/*
 * Only root sees the open files of an agent, because it leaves no core. Others can only compare the
 * home directory.
 */
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

/*
 * SO_PEERCRED would name the process that called listen(), which has ended: gpg-agent forks after
 * that.
 */
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

    if (fd < 0 || file_read_all(fd, SOCKETS_MAX, &text, &size) < 0 ||
        gpg_home_find(NULL, &home) < 0)
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
    assuan_set_timeout(
        &agent,
        (int64_t)1000 * (gpg_patience() < GPG_QUERY_SECONDS ? gpg_patience() : GPG_QUERY_SECONDS));
    return assuan_receive(&agent, &line) == -ETIMEDOUT ? find_process(socket_path) : 0;
}
