/*
 * pass passes PASSWORD_STORE_GPG_OPTS to gpg unchanged. GPGME takes no options for gpg, so each
 * option that GPGME supports in another way is translated here.
 */
#include "gpg/options.h"

#include <errno.h>
#include <string.h>

#include "gpg/option-table.h"

struct words {
    char *rest; /* for strtok_r */
};

/*
 * The value of "--name=value" or "--name value"; NULL if word is another option, or if the value is
 * missing or empty.
 */
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
    static const struct {
        const char *name;
        enum gpg_pinentry_mode mode;
    } modes[] = {
        {"default", GPG_PINENTRY_DEFAULT},
        {"ask", GPG_PINENTRY_ASK},
        {"cancel", GPG_PINENTRY_CANCEL},
        {"error", GPG_PINENTRY_ERROR},
    };

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (strcmp(mode, modes[i].name) == 0) {
            options->pinentry_mode = modes[i].mode;
            return 0;
        }
    return -EINVAL;
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || (b && strcmp(word, b) == 0) || (c && strcmp(word, c) == 0);
}

/* An option without effect here. Its value is the next word, unless "=" joins them. */
static int pass_over(struct words *words, const char *word)
{
    switch (gpg_option_classify(word)) {
    case GPG_OPTION_IDLE:
        return 0;
    case GPG_OPTION_IDLE_VALUE:
        return strchr(word, '=') || strtok_r(NULL, " \t\n", &words->rest) ? 0 : -EINVAL;
    default:
        return -EINVAL;
    }
}

/* 0, -EINVAL for an option that is not supported, or -ENOMEM. */
static int apply_word(struct words *words, const char *word, struct gpg_options *options)
{
    const char *value;

    if (is_one_of(word, "--always-trust", NULL, NULL))
        return replace(&options->trust_model, "always");
    if (is_one_of(word, "-a", "--armor", "--armour") ||
        is_one_of(word, "--no-armor", "--no-armour", NULL)) {
        options->has_armor = word[2] != 'n';
        return 0;
    }
    if (is_one_of(word, "--throw-keyids", "--no-throw-keyids", NULL)) {
        options->has_hidden_recipients = word[2] != 'n';
        return 0;
    }
    if ((value = match_value(words, word, "--homedir")))
        return replace(&options->homedir, value);
    if ((value = match_value(words, word, "--trust-model")))
        return replace(&options->trust_model, value);
    if ((value = match_value(words, word, "--pinentry-mode")))
        return set_pinentry_mode(value, options);
    return pass_over(words, word);
}

static const char *explain_refusal(const char *word)
{
    if (strncmp(word, "--pinentry-mode", strlen("--pinentry-mode")) == 0)
        return "must be default, ask, cancel or error here, because only pinentry can ask for a "
               "passphrase";
    if (strcmp(word, "--homedir") == 0 || strcmp(word, "--trust-model") == 0 ||
        gpg_option_classify(word) == GPG_OPTION_IDLE_VALUE)
        return "lacks its value";
    return gpg_option_refusal(gpg_option_classify(word));
}

int gpg_options_parse(const char *text, struct gpg_options *ret, struct error *err)
{
    CLEANUP(gpg_options_done) struct gpg_options options = {0};
    CLEANUP_FREE char *copy = strdup(text ? text : "");
    struct words words = {0};
    int r;

    if (!copy)
        return error_set_oom(err);
    for (char *word = strtok_r(copy, " \t\n", &words.rest); word;
         word = strtok_r(NULL, " \t\n", &words.rest)) {
        r = apply_word(&words, word, &options);
        if (r == -ENOMEM)
            return error_set_oom(err);
        if (r < 0)
            return error_set(err, EINVAL, "PASSWORD_STORE_GPG_OPTS: %s %s", word,
                             explain_refusal(word));
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
