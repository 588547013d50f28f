/*
 * `registryd htpasswd` creates and changes the password file that `registryd serve` reads. Its
 * options and exit statuses are those of Apache's htpasswd.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "registry/access/ask-password.h"
#include "registry/access/bcrypt.h"
#include "registry/access/htpasswd-edit.h"
#include "registry/access/watched-file.h"
#include "registry/access/htpasswd.h"
#include "registry/cli/htpasswd/options.h"
#include "registry/cli/htpasswd/replace-file.h"
#include "registry/cli/verbs.h"
#include "registry/confine/confine.h"

/*
 * Apache's exit statuses, which scripts check. Functions in this file that return an int return one
 * of these; on failure err is filled.
 */
enum status {
    STATUS_DONE,
    STATUS_FILE,        /* a file cannot be read or written */
    STATUS_SYNTAX,      /* wrong command line */
    STATUS_MISMATCH,    /* a wrong password, or two different ones */
    STATUS_INTERRUPTED,
    STATUS_TOO_LONG,    /* name or password */
    STATUS_USER,        /* an invalid name, or an unknown user */
    STATUS_NO_HTPASSWD, /* not a password file */
};

/*
 * Prints "added USER to FILE" on standard error, because standard output is for requested output.
 */
static void say(const char *action, const char *user, const char *preposition, const char *file)
{
    struct error line; /* error_set() replaces control characters */

    error_set(&line, 0, "%s %s %s %s", action, user, preposition, file);
    fprintf(stderr, "registryd: %s\n", line.text);
}

/* --- the user --------------------------------------------------------------------------- */

/* A user with an invalid name can still be deleted or verified. */
static int check_user(const struct htpasswd_order *order, struct error *err)
{
    bool is_existing = order->task == HTPASSWD_DELETE || order->task == HTPASSWD_VERIFY;
    int r = htpasswd_check_user(order->user, err);

    if (r == -EMSGSIZE)
        return STATUS_TOO_LONG;
    return r < 0 && (!is_existing || strchr(order->user, ':')) ? STATUS_USER : 0;
}

/*
 * Takes the password from the command line, and wipes it there, because other users of the machine
 * see it.
 */
static int take_from_line(char *argument, struct secbuf *ret, struct error *err)
{
    size_t size = strlen(argument);
    int r = secbuf_append(ret, argument, size);

    explicit_bzero(argument, size);
    if (r < 0)
        return error_set_oom(err);
    return size > ASK_PASSWORD_MAX
               ? error_set(err, EMSGSIZE, "the password is longer than %d bytes", ASK_PASSWORD_MAX)
               : 0;
}

/* As in Apache's program, checks a password on the command line before it opens the file. */
static int check_password(const struct htpasswd_order *order, struct error *err)
{
    size_t size = order->password ? strlen(order->password) : 0;

    if (size <= ASK_PASSWORD_MAX)
        return 0;
    explicit_bzero(order->password, size);
    error_set(err, EMSGSIZE, "the password is longer than %d bytes", ASK_PASSWORD_MAX);
    return STATUS_TOO_LONG;
}

static int ask(const struct htpasswd_order *order, struct secbuf *ret, struct error *err)
{
    if (order->password)
        return take_from_line(order->password, ret, err);
    if (order->is_from_input)
        return ask_password_from(STDIN_FILENO, ret, err);
    return order->task == HTPASSWD_VERIFY ? ask_password_once(ret, err)
                                          : ask_password_twice(ret, err);
}

static int get_password(const struct htpasswd_order *order, struct secbuf *ret, struct error *err)
{
    switch (ask(order, ret, err)) {
    case 0:
        return 0;
    case ASK_DIFFERENT:
        error_set(err, EINVAL, "the two passwords differ; nothing was changed");
        return STATUS_MISMATCH;
    case ASK_INTERRUPTED:
        error_set(err, EINTR, "interrupted; nothing was changed");
        return STATUS_INTERRUPTED;
    case -EMSGSIZE:
        return STATUS_TOO_LONG;
    case -EINVAL:
        return STATUS_SYNTAX;
    default:
        return STATUS_FILE;
    }
}

static int make_hash(const struct htpasswd_order *order, char ret_hash[BCRYPT_SIZE + 1],
                     struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf password = {0};
    int r = get_password(order, &password, err);

    if (r != 0)
        return r;
    if (password.size > BCRYPT_PASSWORD_MAX)
        fprintf(stderr, "registryd: bcrypt uses only the first %d bytes of the password\n",
                BCRYPT_PASSWORD_MAX);
    r = bcrypt_make(&password, order->cost, ret_hash);
    if (r == 0)
        return 0;
    error_set_errno(err, -r, "cannot hash the password");
    return STATUS_FILE;
}

/* --- files ------------------------------------------------------------------------------ */

/* Reads the file that is to be changed. */
static int read_text(const struct replacement *file, struct htpasswd_text *ret, struct error *err)
{
    size_t line;

    if (!file->exists) {
        error_set(err, ENOENT, "%s does not exist; -c creates it", file->path);
        return STATUS_FILE;
    }
    if (replacement_read(file, WATCHED_FILE_MAX, &ret->text, &ret->size, err) < 0)
        return STATUS_FILE;
    line = htpasswd_text_find_stranger(ret);
    if (line == 0)
        return 0;
    error_set(err, EBADMSG,
              "%s:%zu: no ':' between user and hash; correct the line, or name an htpasswd file",
              file->path, line);
    return STATUS_NO_HTPASSWD;
}

/* Reports a problem with the file before the user types a password. */
static int check_file(const struct htpasswd_order *order, struct error *err)
{
    CLEANUP(replacement_done) struct replacement file = REPLACEMENT_NONE;
    CLEANUP(htpasswd_text_done) struct htpasswd_text text = {0};

    if (replacement_open(order->file, &file, err) < 0)
        return STATUS_FILE;
    return order->task == HTPASSWD_CREATE ? 0 : read_text(&file, &text, err);
}

static int write_text(const struct replacement *file, const struct htpasswd_text *text,
                      struct error *err)
{
    return replacement_write(file, 0600, text->text, text->size, err) < 0 ? STATUS_FILE : 0;
}

static int put_user(const struct htpasswd_order *order, const char *hash, struct error *err)
{
    CLEANUP(replacement_done) struct replacement file = REPLACEMENT_NONE;
    CLEANUP(htpasswd_text_done) struct htpasswd_text before = {0}, after = {0};
    int r, changed;

    if (replacement_open(order->file, &file, err) < 0)
        return STATUS_FILE;
    r = order->task == HTPASSWD_CREATE ? 0 : read_text(&file, &before, err);
    if (r != 0)
        return r;
    changed = htpasswd_text_set(&before, order->user, hash, &after);
    if (changed < 0) {
        error_set_oom(err);
        return STATUS_FILE;
    }
    r = write_text(&file, &after, err);
    if (r == 0 && changed == HTPASSWD_NO_SUCH_USER)
        say("added", order->user, "to", order->file);
    else if (r == 0)
        say("changed the password of", order->user, "in", order->file);
    return r;
}

static int change_file(const struct htpasswd_order *order, struct error *err)
{
    char hash[BCRYPT_SIZE + 1];
    int r = check_file(order, err);

    if (r == 0)
        r = make_hash(order, hash, err);
    return r == 0 ? put_user(order, hash, err) : r;
}

/* If the user does not exist, that is not an error, as in Apache's program. */
static int delete_user(const struct htpasswd_order *order, struct error *err)
{
    CLEANUP(replacement_done) struct replacement file = REPLACEMENT_NONE;
    CLEANUP(htpasswd_text_done) struct htpasswd_text before = {0}, after = {0};
    int r;

    if (replacement_open(order->file, &file, err) < 0)
        return STATUS_FILE;
    r = read_text(&file, &before, err);
    if (r != 0)
        return r;
    switch (htpasswd_text_remove(&before, order->user, &after)) {
    case 0:
        r = write_text(&file, &after, err);
        if (r == 0)
            say("removed", order->user, "from", order->file);
        return r;
    case HTPASSWD_NO_SUCH_USER:
        say("there is no user", order->user, "in", order->file);
        return 0;
    default:
        error_set_oom(err);
        return STATUS_FILE;
    }
}

/* --- verification ----------------------------------------------------------------------- */

/* Finds the user as the server would; the table is owned by the caller. */
static int find_user(const struct htpasswd_order *order, struct htpasswd **ret_table,
                     const struct htpasswd_user **ret, struct error *err)
{
    CLEANUP(htpasswd_text_done) struct htpasswd_text text = {0};
    struct file_content content;
    size_t line;

    if (watched_file_read(order->file, &content, err) < 0)
        return STATUS_FILE;
    text = (struct htpasswd_text){.text = content.text, .size = content.size};
    line = htpasswd_text_find_stranger(&text);
    if (line > 0) {
        error_set(err, EBADMSG, "%s:%zu: no ':' between user and hash", order->file, line);
        return STATUS_NO_HTPASSWD;
    }
    if (htpasswd_parse(text.text, text.size, ret_table) < 0) {
        error_set(err, E2BIG, "%s has too many users", order->file);
        return STATUS_FILE;
    }
    text = (struct htpasswd_text){0};
    *ret = htpasswd_find(*ret_table, order->user, strlen(order->user));
    if (*ret)
        return 0;
    error_set(err, ENOENT, "there is no user %s in %s", order->user, order->file);
    return STATUS_USER;
}

static int verify_password(const struct htpasswd_order *order, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf password = {0};
    CLEANUP(htpasswd_unrefp) struct htpasswd *table = NULL;
    const struct htpasswd_user *user;
    int r = find_user(order, &table, &user, err);

    if (r == 0)
        r = get_password(order, &password, err);
    if (r != 0)
        return r;
    if (!user->hash) {
        error_set(err, EINVAL,
                  "the hash of %s in %s is not bcrypt, so that no password matches; set one with "
                  "registryd htpasswd",
                  order->user, order->file);
        return STATUS_MISMATCH;
    }
    r = bcrypt_check(&password, user->hash);
    if (r == 0) {
        say("this is the password of", order->user, "in", order->file);
        return 0;
    }
    if (r < 0) {
        error_set_oom(err);
        return STATUS_FILE;
    }
    error_set(err, EACCES, "this is not the password of %s in %s", order->user, order->file);
    return STATUS_MISMATCH;
}

/* --- the verb --------------------------------------------------------------------------- */

/* "user:hash" and an empty line, as Apache's program prints it. */
static int print_line(const struct htpasswd_order *order, struct error *err)
{
    char hash[BCRYPT_SIZE + 1], line[HTPASSWD_USER_MAX + BCRYPT_SIZE + 4];
    int size, r = make_hash(order, hash, err);

    if (r != 0)
        return r;
    size = snprintf(line, sizeof(line), "%s:%s\n\n", order->user, hash);
    r = file_write_all(STDOUT_FILENO, line, (size_t)size);
    if (r == 0)
        return 0;
    error_set_errno(err, -r, "cannot write to standard output");
    return STATUS_FILE;
}

static int run(int argc, char **argv, struct error *err)
{
    struct htpasswd_order order;
    int r;

    if (htpasswd_order_parse(argc, argv, &order, err) < 0)
        return STATUS_SYNTAX;
    if (confine_tool(err) < 0)
        return STATUS_FILE;
    r = bcrypt_test(err) < 0 ? STATUS_FILE : check_user(&order, err);
    if (r == 0)
        r = check_password(&order, err);
    if (r != 0)
        return r;
    switch (order.task) {
    case HTPASSWD_PRINT:
        return print_line(&order, err);
    case HTPASSWD_DELETE:
        return delete_user(&order, err);
    case HTPASSWD_VERIFY:
        return verify_password(&order, err);
    default:
        return change_file(&order, err);
    }
}

static int run_htpasswd(int argc, char **argv)
{
    struct error err;
    int status = run(argc, argv, &err);

    if (status != 0)
        fprintf(stderr, "registryd: %s\n", err.text);
    return status;
}

const struct verb verb_htpasswd = {
    .name = "htpasswd",
    .function = run_htpasswd,
    .help = "Usage: registryd htpasswd [-c] [-B] [-i|-b] [-C COST] FILE USER [PASSWORD]\n"
            "       registryd htpasswd -n [-B] [-i|-b] [-C COST] USER [PASSWORD]\n"
            "       registryd htpasswd -D FILE USER\n"
            "       registryd htpasswd -v [-i|-b] FILE USER [PASSWORD]\n"
            "\n"
            "Adds a user to the password file, or changes a password. A running registryd\n"
            "reads the change. The options are those of Apache's htpasswd.\n"
            "\n"
            "  -c        create the file, or empty the existing one first\n"
            "  -n        print the line on standard output instead\n"
            "  -D        delete the user\n"
            "  -v        verify a password\n"
            "  -i        read the password from standard input\n"
            "  -b        the password is the last word; other users of the machine see it\n"
            "  -B        bcrypt, which is always used\n"
            "  -C COST   the cost of bcrypt, 4 to 17 (default: 10)\n"
            "  --help    this text\n"
            "\n"
            "Without -i and -b the password is asked for on the terminal.\n"
            "\n"
            "Example:\n"
            "  registryd htpasswd /srv/registry/auth/htpasswd bob\n"
            "\n"
            "Exit status: 0 on success; 1 a file cannot be read or written; 2 wrong command\n"
            "line; 3 wrong password, or two different ones; 4 interrupted; 5 name or\n"
            "password too long; 6 invalid or unknown user; 7 not a password file.\n",
};
