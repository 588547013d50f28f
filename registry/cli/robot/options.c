#include "registry/cli/robot/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "common/macros.h"
#include "registry/access/age.h"

enum { USUAL_DAYS = 90, DAY_S = 24 * 60 * 60 };

#define SEE "; see registryd help robot"

static const struct option switches[] = {
    {"allow", required_argument, NULL, 'a'},   {"config", required_argument, NULL, 'c'},
    {"expires", required_argument, NULL, 'e'}, {"file", required_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'},          {"host", required_argument, NULL, 'o'},
    {"quiet", no_argument, NULL, 'q'},         {0},
};

static int add_allow(struct robot_order *order, const char *text, struct error *err)
{
    const char *fault = robot_find_fault(text, strlen(text));

    if (fault)
        return error_set(err, EINVAL, "--allow: \"%s\" %s", text, fault);
    if (strpbrk(text, " \t\r\n"))
        return error_set(err, EINVAL,
                         "--allow: \"%s\" contains a space; give --allow once for each pattern",
                         text);
    if (order->allow_count == ROBOT_ALLOWS_MAX)
        return error_set(err, EINVAL, "--allow can be given %d times at most", ROBOT_ALLOWS_MAX);
    order->allows[order->allow_count++] = text;
    return 0;
}

static int set_expiry(struct robot_order *order, const char *text, int64_t now_s, struct error *err)
{
    uint64_t age_s;

    if (strcmp(text, "never") == 0)
        order->expires_s = ROBOT_NEVER;
    else if (age_parse(text, strlen(text), &age_s) == 0)
        order->expires_s = now_s + (int64_t)age_s;
    else
        return error_set(err, EINVAL,
                         "--expires: \"%s\" is not \"never\" or a time such as 90d, 12h or 2w",
                         text);
    return 0;
}

static int take_switch(struct robot_order *order, int letter, int64_t now_s, struct error *err)
{
    switch (letter) {
    case 'a':
        return add_allow(order, optarg, err);
    case 'e':
        return set_expiry(order, optarg, now_s, err);
    case 'c':
        order->config = optarg;
        return 0;
    case 'f':
        order->file = optarg;
        return 0;
    case 'o':
        order->host = optarg;
        return 0;
    case 'q':
        order->is_quiet = true;
        return 0;
    default:
        return error_set(err, EINVAL, "robot: unknown option, or an option without a value" SEE);
    }
}

static int find_task(const char *word, enum robot_task *ret)
{
    static const char *const names[] = {
        [ROBOT_CREATE] = "create", [ROBOT_LIST] = "list", [ROBOT_REVOKE] = "revoke"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(word, names[i]) == 0) {
            *ret = (enum robot_task)i;
            return 0;
        }
    return -EINVAL;
}

static int check_order(int count, char **words, struct robot_order *order, struct error *err)
{
    bool has_name = order->task != ROBOT_LIST;

    if (count != (has_name ? 2 : 1))
        return error_set(err, EINVAL, "robot %s takes %s" SEE, words[0],
                         has_name ? "the name of one robot" : "no name");
    order->name = has_name ? words[1] : NULL;
    if (has_name && strncmp(order->name, ROBOT_USER_PREFIX, strlen(ROBOT_USER_PREFIX)) == 0)
        order->name += strlen(ROBOT_USER_PREFIX);
    if (has_name && !robot_is_name(order->name, strlen(order->name)))
        return error_set(
            err, EINVAL,
            "\"%s\" is not the name of a robot: 1 to %d of a-z, 0-9, and between them . _ -",
            order->name, ROBOT_NAME_MAX);
    if (order->task == ROBOT_CREATE && order->host && strpbrk(order->host, "/ \t\r\n\"'\\"))
        return error_set(
            err, EINVAL,
            "--host: \"%s\" is not a name as in docker login, such as registry.example.com:5000",
            order->host);
    return 0;
}

int robot_order_parse(int argc, char **argv, int64_t now_s, struct robot_order *ret,
                      struct error *err)
{
    int letter, r = 0;

    *ret = (struct robot_order){.expires_s = now_s + (int64_t)USUAL_DAYS * DAY_S};
    optind = 1;
    opterr = 0;
    while (r == 0 && (letter = getopt_long(argc, argv, ":a:c:e:f:hq", switches, NULL)) != -1) {
        if (letter == 'h')
            return ROBOT_HELP;
        r = take_switch(ret, letter, now_s, err);
    }
    if (r < 0)
        return r;
    if (optind == argc || find_task(argv[optind], &ret->task) < 0)
        return error_set(err, EINVAL, "robot has the commands create, list and revoke" SEE);
    return check_order(argc - optind, argv + optind, ret, err);
}
