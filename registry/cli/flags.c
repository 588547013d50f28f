#include "registry/cli/flags.h"

#include <errno.h>
#include <string.h>

#include "common/macros.h"

/* Parses command lines by the rules of Go's pflag, which registry:2 uses. */
struct parser {
    char **argv; /* argv[0] is the verb */
    int next; /* index of the next word in argv */
    const struct flag *flags;
    bool is_help;
    const char *operand;
    struct error *err;
};

static int refuse(const struct parser *parser, const char *word, const char *why)
{
    const char *verb = parser->argv[0];

    return error_set(parser->err, EINVAL, "%s: %s: %s; see registryd help %s", verb, word, why,
                     verb);
}

/* Other verbs take the configuration as an option, so people try that here, too. */
static int refuse_unknown(const struct parser *parser, const char *word)
{
    bool is_config = strncmp(word, "-c", 2) == 0 || strncmp(word, "--config", 8) == 0;

    return refuse(parser, word,
                  is_config ? "name the configuration file without an option" : "unknown option");
}

/* The texts that Go's strconv.ParseBool accepts. */
static int parse_bool(const char *text, bool *ret)
{
    static const char *const words[] = {"1", "t", "T", "true",  "TRUE",  "True",
                                        "0", "f", "F", "false", "FALSE", "False"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(text, words[i]) == 0) {
            *ret = i < ARRAY_SIZE(words) / 2;
            return 0;
        }
    return -EINVAL;
}

static int set_bool(const struct parser *parser, const char *word, const char *value, bool *ret)
{
    if (!value) {
        *ret = true;
        return 0;
    }
    return parse_bool(value, ret) < 0 ? refuse(parser, word, "the value must be true or false") : 0;
}

/* value is the text after the option in the same word, or NULL. */
static int set_flag(struct parser *parser, const struct flag *flag, const char *word,
                    const char *value)
{
    if (flag->is_set)
        return set_bool(parser, word, value, flag->is_set);
    if (!value)
        value = parser->argv[parser->next];
    if (!value)
        return refuse(parser, word, "the value is missing");
    if (value == parser->argv[parser->next])
        parser->next++;
    *flag->text = value;
    return 0;
}

/* "--name" or "--name=value". */
static int parse_long(struct parser *parser, const char *word)
{
    const char *name = word + 2;
    size_t size = strcspn(name, "=");
    const char *value = name[size] ? name + size + 1 : NULL;

    if (size == 4 && strncmp(name, "help", size) == 0)
        return set_bool(parser, word, value, &parser->is_help);
    for (const struct flag *flag = parser->flags; flag->name; flag++)
        if (strlen(flag->name) == size && strncmp(flag->name, name, size) == 0)
            return set_flag(parser, flag, word, value);
    return refuse_unknown(parser, word);
}

static const struct flag *find_letter(const struct parser *parser, char letter)
{
    for (const struct flag *flag = parser->flags; flag->name; flag++)
        if (flag->letter && flag->letter == letter)
            return flag;
    return NULL;
}

static bool is_name(const struct parser *parser, const char *word)
{
    size_t size = strcspn(word, "=");

    for (const struct flag *flag = parser->flags; flag->name; flag++)
        if (strlen(flag->name) == size && strncmp(flag->name, word, size) == 0)
            return true;
    return false;
}

/* "-d", "-md", "-d=false", "-g24h", "-g=24h", "-g" before "24h". */
static int parse_letters(struct parser *parser, const char *word)
{
    int r = 0;

    if (is_name(parser, word + 1))
        return refuse(parser, word, "long options begin with two hyphens");
    for (const char *at = word + 1; r == 0 && *at; at++) {
        const struct flag *flag = find_letter(parser, *at);
        const char *value = at[1] == '=' ? at + 2 : NULL;

        if (!flag && *at == 'h')
            r = set_bool(parser, word, value, &parser->is_help);
        else if (!flag)
            return refuse_unknown(parser, word);
        else
            r = set_flag(parser, flag, word, !value && flag->text && at[1] ? at + 1 : value);
        if (value || (flag && flag->text))
            break;
    }
    return r;
}

static int take_operand(struct parser *parser, const char *word)
{
    if (parser->operand)
        return error_set(parser->err, EINVAL, "%s takes one configuration file at most",
                         parser->argv[0]);
    parser->operand = word;
    return 0;
}

int flags_parse(char **argv, const struct flag *flags, const char **ret, struct error *err)
{
    struct parser parser = {.argv = argv, .next = 1, .flags = flags, .err = err};
    bool is_ended = false;
    int r = 0;

    while (r == 0 && argv[parser.next]) {
        const char *word = argv[parser.next++];

        if (!is_ended && strcmp(word, "--") == 0)
            is_ended = true;
        else if (is_ended || *word != '-' || !word[1])
            r = take_operand(&parser, word);
        else
            r = word[1] == '-' ? parse_long(&parser, word) : parse_letters(&parser, word);
    }
    if (r < 0)
        return r;
    *ret = parser.operand;
    return parser.is_help ? FLAGS_HELP : 0;
}
