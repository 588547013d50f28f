#pragma once

#include <string.h>
#include <strings.h>

#include "registry/config/settings.h"
#include "tests/fuzz/fuzz.h"

/* Checks the properties of all accepted settings, from any source. */

static inline void require_text(const char *text)
{
    for (; *text; text++)
        REQUIRE((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static inline void require_settings(const struct settings *settings)
{
    const struct settings_http *http = &settings->http;

    REQUIRE(settings->auth.is_htpasswd == (settings->auth.realm && *settings->auth.realm));
    REQUIRE(settings->auth.is_htpasswd == (settings->auth.path && *settings->auth.path));
    REQUIRE((http->tls.certificate == NULL) == (http->tls.key == NULL));
    REQUIRE(*settings->storage.root_directory && settings->storage.max_threads >= 25);
    REQUIRE(*http->address && (strcmp(http->net, "tcp") == 0 || strcmp(http->net, "unix") == 0));
    REQUIRE(!*http->prefix || (http->prefix[0] == '/' && http->prefix[strlen(http->prefix) - 1] != '/'));
    REQUIRE(!http->host || strncasecmp(http->host, "http", 4) == 0);
    REQUIRE(settings->catalog_max > 0);
    require_text(http->address);
    require_text(settings->storage.root_directory);
    for (size_t i = 0; i < http->headers.count; i++) {
        REQUIRE(*http->headers.items[i].name && !strpbrk(http->headers.items[i].name, ": \r\n"));
        require_text(http->headers.items[i].name);
        require_text(http->headers.items[i].value);
    }
    for (size_t i = 0; i < settings->warning_count; i++)
        require_text(settings->warnings[i]);
}

/* Loads, checks and frees settings; returns whether they were accepted. */
static inline bool load_and_check(const char *path, char *const *environment)
{
    CLEANUP(settings_freep) struct settings *settings = NULL;
    struct error err = {0};

    if (settings_load(path, environment, &settings, &err) < 0) {
        REQUIRE(!settings && *err.text);
        require_text(err.text);
        return false;
    }
    require_settings(settings);
    return true;
}
