/*
 * The logins in docker's or podman's file: each has a host and either a problem or a secret; a removed login is gone, and
 * the others are unchanged.
 */
#include <string.h>

#include "common/json-edit.h"
#include "helper/client/config.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static void list(const struct client_config *config, struct client_logins *ret)
{
    struct error err;

    REQUIRE(client_config_list_logins(config, ret, &err) == 0);
    for (size_t i = 0; i < ret->count; i++) {
        const struct client_login *login = &ret->items[i];

        REQUIRE(login->host && (login->problem || login->username.size > 0));
        REQUIRE(!login->problem || login->secret.size == 0);
    }
}

static const struct client_login *find(const struct client_logins *logins, const char *host)
{
    for (size_t i = 0; i < logins->count; i++)
        if (strcmp(logins->items[i].host, host) == 0)
            return &logins->items[i];
    return NULL;
}

/* Hosts with a NUL in their names cannot be distinguished; docker has no such hosts. */
static void check_removal(struct client_config *config, const struct client_logins *before, const char *host)
{
    CLEANUP(client_logins_done) struct client_logins after = {0};
    struct error err;

    if (client_config_remove_secret(config, host, &err) < 0)
        return;
    list(config, &after);
    REQUIRE(!find(&after, host) || find(&after, host)->problem);
    for (size_t i = 0; i < before->count; i++) {
        const struct client_login *login = &before->items[i], *now = find(&after, login->host);

        if (strcmp(login->host, host) == 0)
            continue;
        REQUIRE(now && secbuf_is_equal(&now->secret, &login->secret) && secbuf_is_equal(&now->username, &login->username));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(client_config_done) struct client_config config = {0};
    CLEANUP(client_logins_done) struct client_logins logins = {0};
    bool has_nul = size > 0 && memmem(data, size, "\\u0000", 6);

    REQUIRE(secbuf_append(&config.text, data, size) == 0);
    config.path = strdup("config.json");
    fuzz_was_accepted = json_edit_check(&config.text) == 0 && json_parse(data, size, &config.json) == 0;
    if (!fuzz_was_accepted)
        return 0;
    list(&config, &logins);
    if (logins.count > 0 && !has_nul)
        check_removal(&config, &logins, logins.items[logins.count / 2].host);
    return 0;
}
