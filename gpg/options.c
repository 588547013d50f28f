/*
 * pass hands PASSWORD_STORE_GPG_OPTS to gpg as it is; GPGME takes no options for gpg, so each
 * one that it has another way for is translated here.
 */
#include "gpg/options.h"

#include <errno.h>
#include <string.h>

struct words {
    char *rest; /* for strtok_r */
};

/* Options that ask for what the store or GPGME does in any case. */
static bool is_no_op(const char *word)
{
    static const char *const words[] = {
        "--batch",      "--yes",          "--quiet",         "-q",           "--no-tty",
        "--use-agent",  "--no-greeting",  "--no-encrypt-to", "--no-verbose", "--no-auto-check-trustdb",
        "--no-secmem-warning", "--no-permission-warning", "--compress-algo=none", "--no-auto-key-locate",
        "--disable-dirmngr",
    };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

/* The value of "--name=value" or "--name value"; NULL where word is another option, or has none or an empty one. */
static const char *match_value(struct words *words, const char *word, const char *name)
{
    size_t length = strlen(name);

    if (strncmp(word, name, length) != 0)
        return NULL;
    if (word[length] == '=')
        return word[length + 1] ? word + length + 1 : NULL;
    return word[length] == '\0' ? strtok_r(NULL, " \t\n", &words->rest) : NULL;
}

static int replace(char **target, const char *value)
{
    char *copy = strdup(value);

    if (!copy)
        return -ENOMEM;
    free(*target);
    *target = copy;
    return 0;
}

static int set_pinentry_mode(const char *mode, struct gpg_options *options)
{
    static const struct { const char *name; enum gpg_pinentry_mode mode; } modes[] = {
        {"default", GPG_PINENTRY_DEFAULT}, {"ask", GPG_PINENTRY_ASK},
        {"cancel", GPG_PINENTRY_CANCEL}, {"error", GPG_PINENTRY_ERROR},
    };

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (strcmp(mode, modes[i].name) == 0) {
            options->pinentry_mode = modes[i].mode;
            return 0;
        }
    return -EINVAL;
}

/* 0, -EINVAL for an option we cannot honour, or -ENOMEM. */
static int apply_word(struct words *words, const char *word, struct gpg_options *options)
{
    const char *value;

    if (is_no_op(word))
        return 0;
    if (strcmp(word, "--always-trust") == 0)
        return replace(&options->trust_model, "always");
    if (strcmp(word, "-a") == 0 || strcmp(word, "--armor") == 0 || strcmp(word, "--armour") == 0) {
        options->has_armor = true;
        return 0;
    }
    if (strcmp(word, "--throw-keyids") == 0) {
        options->has_hidden_recipients = true;
        return 0;
    }
    if ((value = match_value(words, word, "--homedir")))
        return replace(&options->homedir, value);
    if ((value = match_value(words, word, "--trust-model")))
        return replace(&options->trust_model, value);
    if ((value = match_value(words, word, "--pinentry-mode")))
        return set_pinentry_mode(value, options);
    if ((value = match_value(words, word, "--compress-algo")))
        return strcmp(value, "none") == 0 ? 0 : -EINVAL;
    return -EINVAL;
}

int gpg_options_parse(const char *text, struct gpg_options *ret, struct error *err)
{
    CLEANUP(gpg_options_done) struct gpg_options options = {0};
    CLEANUP_FREE char *copy = strdup(text ? text : "");
    struct words words = {0};
    int r;

    if (!copy)
        return error_set_oom(err);
    for (char *word = strtok_r(copy, " \t\n", &words.rest); word; word = strtok_r(NULL, " \t\n", &words.rest)) {
        r = apply_word(&words, word, &options);
        if (r == -ENOMEM)
            return error_set_oom(err);
        if (r < 0)
            return error_set(err, EINVAL, "PASSWORD_STORE_GPG_OPTS: the option %s is not supported here; "
                             "take it out, or set it in gpg.conf", word);
    }
    *ret = options;
    options = (struct gpg_options){0};
    return 0;
}

void gpg_options_done(struct gpg_options *options)
{
    free(options->homedir);
    free(options->trust_model);
    *options = (struct gpg_options){0};
}
