#include "tests/unit/registry-access/authenticator-fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "registry/access/bcrypt.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

char warnings[8192];

static void collect(void *context, const char *text)
{
    char *all = context;
    size_t used = strlen(all);

    snprintf(all + used, sizeof(warnings) - used, "%s\n", text);
}

struct secbuf secret(const char *text)
{
    struct secbuf buf = {0};

    assert_int_equal(secbuf_append(&buf, text, strlen(text)), 0);
    return buf;
}

void append_user(char *text, size_t size, const char *user, const char *password, unsigned cost)
{
    CLEANUP(secbuf_done) struct secbuf buf = secret(password);
    char hash[BCRYPT_SIZE + 1];
    size_t used = strlen(text);

    assert_int_equal(bcrypt_make(&buf, cost, hash), 0);
    snprintf(text + used, size - used, "%s:%s\n", user, hash);
}

void write_users(const char *lines, ...)
{
    char text[4096], password[64];
    const char *user;
    va_list users;

    snprintf(text, sizeof(text), "%s", lines);
    va_start(users, lines);
    while ((user = va_arg(users, const char *)) != NULL) {
        snprintf(password, sizeof(password), "%s's", user);
        append_user(text, sizeof(text), user, password, 4);
    }
    va_end(users);
    make_file("new", text);
    assert_int_equal(chmod("new", 0600), 0);
    assert_int_equal(rename("new", "htpasswd"), 0);
}

void authenticator_closep(struct authenticator **a)
{
    authenticator_close(*a);
}

struct authenticator *open_with(struct authenticator_options options)
{
    struct authenticator *a = NULL;
    struct error err = {0};

    warnings[0] = '\0';
    options.path = "htpasswd";
    options.warn = collect;
    options.context = warnings;
    if (authenticator_open(&options, &a, &err) < 0)
        fail_msg("%s", err.text);
    return a;
}

struct authenticator *open_users(void)
{
    return open_with((struct authenticator_options){0});
}

enum auth_verdict look_up(struct authenticator *a, const char *user, const char *password)
{
    CLEANUP(secbuf_done) struct secbuf name = secret(user), word = secret(password);

    return authenticator_look_up(a, &name, &word);
}

enum auth_verdict verify(struct authenticator *a, const char *user, const char *password)
{
    CLEANUP(secbuf_done) struct secbuf name = secret(user), word = secret(password);

    return authenticator_verify(a, &name, &word);
}

struct authenticator_counters counters_of(const struct authenticator *a)
{
    struct authenticator_counters counters;

    authenticator_get_counters(a, &counters);
    return counters;
}

unsigned count_warnings(const char *part)
{
    unsigned count = 0;

    for (const char *at = warnings; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}
