#include "tests/unit/store-fixture.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

int store_set_up(void **state)
{
    static const char *const unset[] = {
        "PASSWORD_STORE_UMASK", "PASSWORD_STORE_KEY", "PASSWORD_STORE_SIGNING_KEY", "PASSWORD_STORE_GPG_OPTS",
    };
    char path[128];

    if (scratch_set_up(state) != 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(unset); i++)
        unsetenv(unset[i]);
    snprintf(path, sizeof(path), "%s/home", scratch_directory());
    setenv("HOME", path, 1);
    snprintf(path, sizeof(path), "%s/store", scratch_directory());
    return setenv("PASSWORD_STORE_DIR", path, 1);
}

struct pass_store open_store(void)
{
    struct pass_store store = PASS_STORE_INIT;
    struct error err;

    assert_int_equal(pass_store_open(&store, &err), 0);
    return store;
}

struct pass_store lock_store(void)
{
    struct pass_store store = open_store();
    struct error err;

    assert_int_equal(pass_store_lock(&store, &err), 0);
    return store;
}

struct pass_path path_of(const char *url, const char *username)
{
    struct pass_path path;

    assert_int_equal(pass_path_set_url(&path, url, strlen(url)), 0);
    if (username)
        assert_int_equal(pass_path_set_username(&path, username, strlen(username)), 0);
    return path;
}

const char *longest_username(void)
{
    static char username[PASS_USERNAME_MAX + 1];

    fill(username, 'x', PASS_USERNAME_MAX);
    for (size_t i = 200; i < PASS_USERNAME_MAX; i += 200)
        username[i] = '/';
    return username;
}

const char *deepest_username(void)
{
    static char username[2 * PASS_USERNAME_SLASHES_MAX + 2];

    for (size_t i = 0; i <= 2 * PASS_USERNAME_SLASHES_MAX; i++)
        username[i] = i % 2 ? '/' : 'd';
    return username;
}
