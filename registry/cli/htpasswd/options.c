/*
 * Parses the options of Apache's htpasswd, so that instructions for registry:2 work.
 *
 * The default cost is 10. Apache's default is 5, because Apache computes the hash for each request;
 * registryd computes it once in five minutes. With a cost of 5, an attacker who has the file tests
 * passwords 32 times as fast.
 */
#include "registry/cli/htpasswd/options.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/macros.h"

enum { COST_DEFAULT = 10, COST_MIN = 4, COST_MAX = 17 };

#define USAGE                                                                                      \
    "usage: registryd htpasswd [-c] [-B] [-i|-b] [-C COST] FILE USER [PASSWORD], the same with "   \
    "-n and without FILE, -D FILE USER, or -v [-i|-b] FILE USER [PASSWORD]"

struct switches {
    bool is_on_line; /* -b */
    unsigned tasks;  /* how many of -c -n -D -v */
};

static int refuse(struct error *err, const char *why)
{
    return error_set(err, EINVAL, "%s (" USAGE ")", why);
}

static int refuse_switch(int letter, struct error *err)
{
    switch (letter) {
    case 'm': case 'd': case 's': case 'p': case '2': case '5':
        return error_set(
            err, EINVAL,
            "-%c: registries accept only bcrypt hashes; leave the option out, or use -B", letter);
    case 'r':
        return refuse(err, "-r: the rounds of bcrypt are set by -C");
    case 'C':
        return error_set(err, EINVAL, "-C: the cost of bcrypt is a number from %d to %d", COST_MIN,
                         COST_MAX);
    default:
        return error_set(err, EINVAL, "unknown option: -%c (" USAGE ")", letter);
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

static int take_task(struct htpasswd_order *order, struct switches *switches, int letter)
{
    order->task = letter == 'c' ? HTPASSWD_CREATE : letter == 'n' ? HTPASSWD_PRINT :
                  letter == 'D' ? HTPASSWD_DELETE : HTPASSWD_VERIFY;
    switches->tasks++;
    return 0;
}

static int take_switch(struct htpasswd_order *order, struct switches *switches, int letter,
                       struct error *err)
{
    switch (letter) {
    case 'c': case 'n': case 'D': case 'v':
        return take_task(order, switches, letter);
    case 'b':
        switches->is_on_line = true;
        return 0;
    case 'i':
        order->is_from_input = true;
        return 0;
    case 'B': /* the only kind of hash */
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

static int take_operands(struct htpasswd_order *order, const struct switches *switches, int count,
                         char **operands, struct error *err)
{
    int files = order->task == HTPASSWD_PRINT ? 0 : 1;

    if (switches->tasks > 1)
        return refuse(err, "-c, -n, -D and -v cannot be combined");
    if (switches->is_on_line && order->is_from_input)
        return refuse(err, "-b and -i cannot be combined");
    if (count != files + 1 + switches->is_on_line && files == 0)
        return refuse(err, switches->is_on_line ? "-nb takes a user and a password"
                                                : "-n takes a user, and nothing else");
    if (count != files + 1 + switches->is_on_line)
        return refuse(err, switches->is_on_line ? "-b takes a file, a user and a password" :
                      "a file and a user are required, or -n and a user");
    order->file = files ? operands[0] : NULL;
    order->user = operands[files];
    order->password = switches->is_on_line ? operands[files + 1] : NULL;
    return 0;
}

/*
 * Options end at the first operand, as in Apache's program, because a password may begin with '-'.
 */
int htpasswd_order_parse(int argc, char **argv, struct htpasswd_order *ret, struct error *err)
{
    struct switches switches = {0};
    int letter, r = 0;

    *ret = (struct htpasswd_order){.task = HTPASSWD_CHANGE, .cost = COST_DEFAULT};
    optind = 1;
    opterr = 0;
    while (r == 0 && (letter = getopt(argc, argv, "+:nbiBC:mdsp25cDvr")) != -1)
        r = take_switch(ret, &switches, letter, err);
    return r < 0 ? r : take_operands(ret, &switches, argc - optind, argv + optind, err);
}
