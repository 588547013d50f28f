#pragma once

#include <string.h>

#include "registry/config/settings.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

/* Shared by the tests of settings. The file is c.yml in the scratch directory. */

#define HEAD "version: 0.1\n"

/* Variables, for settings_load(). */
#define ENVIRONMENT(...) ((char *const *)(const char *const[]){__VA_ARGS__, NULL})
#define NO_ENVIRONMENT ((char *const *)(const char *const[]){NULL})

/* Settings from text (NULL: no file) and variables; the test ends if they are refused. */
static inline struct settings *load(const char *text, char *const *environment)
{
    struct settings *settings = NULL;
    struct error err = {0};

    if (text)
        make_file("c.yml", text);
    if (settings_load(text ? "c.yml" : NULL, environment, &settings, &err) < 0)
        fail_msg("refused: %s", err.text);
    return settings;
}

/* They are refused with an error that starts with this text. */
static inline void check_refusal(const char *text, char *const *environment, const char *says)
{
    struct settings *settings = NULL;
    struct error err = {0};

    if (text)
        make_file("c.yml", text);
    assert_case(says, settings_load(text ? "c.yml" : NULL, environment, &settings, &err) < 0);
    assert_null(settings);
    if (strncmp(err.text, says, strlen(says)) != 0)
        fail_msg("\"%s\" does not start with \"%s\"", err.text, says);
}

static inline size_t count_warnings(const struct settings *settings, const char *says)
{
    size_t count = 0;

    for (size_t i = 0; i < settings->warning_count; i++)
        count += strstr(settings->warnings[i], says) != NULL;
    return count;
}

/* One warning has this text. */
static inline void assert_warns(const struct settings *settings, const char *says)
{
    if (count_warnings(settings, says) != 1)
        fail_msg("%zu warnings of %zu say \"%s\"", count_warnings(settings, says),
                 settings->warning_count, says);
}
