/*
 * `registryd htpasswd`: makes a line for the file that `registryd serve` reads, by the switches of
 * Apache's program of that name, so that what is written about registry:2 works with ours in its place.
 *
 * The cost is 10 where Apache's is 5, which whoever has got hold of the file breaks 32 times as fast.
 * Apache chose it because it pays for each request; this registry pays once in five minutes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "registry/auth/ask-password.h"
#include "registry/auth/bcrypt.h"
#include "registry/verbs.h"

enum { COST_DEFAULT = 10, COST_MIN = 4, COST_MAX = 17, USER_MAX = 255 };

#define USAGE "usage: registryd htpasswd -n [-B] [-C COST] [-i] USER, or -nb [-B] [-C COST] USER PASSWORD"

/* What the command line says. */
struct order {
    bool is_for_output;  /* -n */
    bool is_on_line;     /* -b */
    bool is_from_input;  /* -i */
    unsigned cost;
    char *user;     /* borrowed from argv */
    char *password; /* likewise; NULL: ask, or read */
};

static int refuse(struct error *err, const char *why)
{
    return error_set(err, EINVAL, "%s (" USAGE ")", why);
}

static int refuse_switch(int letter, struct error *err)
{
    switch (letter) {
    case 'm': case 'd': case 's': case 'p': case '2': case '5':
        return error_set(err, EINVAL, "-%c: registries check bcrypt hashes alone; leave the switch out, or say -B", letter);
    case 'c': case 'D': case 'v':
        return error_set(err, EINVAL, "-%c: files are not changed by this program; say -n, and redirect its output", letter);
    case 'r':
        return refuse(err, "-r: the rounds of bcrypt are set by -C");
    case 'C':
        return error_set(err, EINVAL, "-C: the cost of bcrypt is a number from %d to %d", COST_MIN, COST_MAX);
    default:
        return error_set(err, EINVAL, "no such switch: -%c (" USAGE ")", letter);
    }
}

static int parse_cost(const char *text, unsigned *ret, struct error *err)
{
    char *end;
    long cost = strtol(text, &end, 10);

    if (end == text || *end || cost < COST_MIN || cost > COST_MAX)
        return refuse_switch('C', err);
    *ret = (unsigned)cost;
    return 0;
}

/* What the letters of getopt stand for. */
static int take_switch(struct order *order, int letter, struct error *err)
{
    switch (letter) {
    case 'n':
        order->is_for_output = true;
        return 0;
    case 'b':
        order->is_on_line = true;
        return 0;
    case 'i':
        order->is_from_input = true;
        return 0;
    case 'B': /* nothing else is made */
        return 0;
    case 'C':
        return parse_cost(optarg, &order->cost, err);
    case '?':
    case ':':
        return refuse_switch(optopt, err);
    default:
        return refuse_switch(letter, err);
    }
}

static int take_operands(struct order *order, int count, char **operands, struct error *err)
{
    int wanted = order->is_on_line ? 2 : 1;

    if (order->is_on_line && order->is_from_input)
        return refuse(err, "-b and -i exclude each other");
    if (!order->is_for_output)
        return refuse(err, "files are not changed by this program: say -n, and redirect its output");
    if (count != wanted)
        return refuse(err, order->is_on_line ? "-b takes a user and a password" : "a user is wanted, and nothing else");
    order->user = operands[0];
    order->password = order->is_on_line ? operands[1] : NULL;
    return 0;
}

/* Switches end at the first operand, as in Apache's: a password may begin with '-'. */
static int parse(struct order *order, int argc, char **argv, struct error *err)
{
    int letter, r = 0;

    optind = 1;
    opterr = 0;
    while (r == 0 && (letter = getopt(argc, argv, "+:nbiBC:mdsp25cDvr")) != -1)
        r = take_switch(order, letter, err);
    return r < 0 ? r : take_operands(order, argc - optind, argv + optind, err);
}

/* What would be another line, user or comment in the file. */
static int check_user(const char *user, struct error *err)
{
    size_t size = strlen(user);

    if (size == 0 || size > USER_MAX)
        return error_set(err, EINVAL, "the user's name must have 1 to %d bytes", USER_MAX);
    if (strchr(user, ':'))
        return error_set(err, EINVAL, "the user's name must not have a ':' in it, which ends it in the file");
    for (const char *c = user; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return error_set(err, EINVAL, "the user's name must not have control characters in it");
    if (user[0] == '#' || user[0] == ' ' || user[size - 1] == ' ')
        return error_set(err, EINVAL, "the user's name must not begin with '#', nor begin or end with a blank, which mean "
                         "something else in the file");
    return 0;
}

/* Others see the command line for as long as we leave it there. */
static int take_from_line(char *argument, struct secbuf *ret, struct error *err)
{
    size_t size = strlen(argument);
    int r = secbuf_append(ret, argument, size);

    explicit_bzero(argument, size);
    if (r < 0)
        return error_set_oom(err);
    return size > ASK_PASSWORD_MAX ? error_set(err, EMSGSIZE, "the password is longer than %d bytes", ASK_PASSWORD_MAX) : 0;
}

static int get_password(const struct order *order, struct secbuf *ret, struct error *err)
{
    if (order->password)
        return take_from_line(order->password, ret, err);
    if (order->is_from_input)
        return ask_password_from(STDIN_FILENO, ret, err);
    switch (ask_password_twice(ret, err)) {
    case 0:
        return 0;
    case ASK_DIFFERENT:
        return error_set(err, EINVAL, "the two passwords are not the same; nothing was made");
    case ASK_INTERRUPTED:
        return error_set(err, EINTR, "interrupted; nothing was made");
    default:
        return -EIO;
    }
}

/* "user:hash" and an empty line, as Apache's program prints it. */
static int print_line(const char *user, const char *hash, struct error *err)
{
    char line[USER_MAX + BCRYPT_SIZE + 4];
    int size = snprintf(line, sizeof(line), "%s:%s\n\n", user, hash);
    int r = file_write_all(STDOUT_FILENO, line, (size_t)size);

    return r < 0 ? error_set_errno(err, -r, "cannot write to standard output") : 0;
}

static int run(int argc, char **argv, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf password = {0};
    struct order order = {.cost = COST_DEFAULT};
    char hash[BCRYPT_SIZE + 1];
    int r = parse(&order, argc, argv, err);

    if (r == 0)
        r = check_user(order.user, err);
    if (r == 0)
        r = get_password(&order, &password, err);
    if (r < 0)
        return r;
    if (password.size > BCRYPT_PASSWORD_MAX)
        fprintf(stderr, "registryd: bcrypt looks at the first %d bytes of the password alone\n", BCRYPT_PASSWORD_MAX);
    r = bcrypt_make(&password, order.cost, hash);
    if (r < 0)
        return error_set_errno(err, -r, "cannot hash the password");
    return print_line(order.user, hash, err);
}

int verb_htpasswd(int argc, char **argv)
{
    struct error err;

    if (run(argc, argv, &err) == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "registryd: %s\n", err.text);
    return EXIT_FAILURE;
}
