#include "registry/cli/init/user.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/random.h"
#include "registry/access/ask-password.h"
#include "registry/access/bcrypt.h"
#include "registry/cli/init/layout.h"

enum { COST = 10, GENERATED_SIZE = 24, USER_MAX = 255 };

int init_user_check(const char *user, struct error *err)
{
    size_t size = strlen(user);

    if (size == 0 || size > USER_MAX || *user == '#' || strchr(user, ':') || *user == ' ' ||
        user[size - 1] == ' ')
        return error_set(
            err, EINVAL,
            "--user: invalid name: it must have 1 to %d bytes, contain no ':', not begin with '#', "
            "and not begin or end with a space",
            USER_MAX);
    for (const char *c = user; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return error_set(err, EINVAL, "--user: invalid name: it contains a control character");
    return 0;
}

/* Generates 120 random bits, in characters that people do not confuse with each other. */
static int generate(struct secbuf *ret)
{
    static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char random[GENERATED_SIZE];
    int r;

    random_bytes(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (unsigned char)alphabet[random[i] % (sizeof(alphabet) - 1)];
    r = secbuf_append(ret, random, sizeof(random));
    explicit_bzero(random, sizeof(random));
    return r;
}

int init_user_get_password(bool is_from_input, struct secbuf *ret, bool *ret_is_generated,
                           struct error *err)
{
    *ret_is_generated = false;
    if (is_from_input)
        return ask_password_from(STDIN_FILENO, ret, err);
    if (!isatty(STDIN_FILENO)) {
        *ret_is_generated = true;
        return generate(ret) < 0 ? error_set_oom(err) : 0;
    }
    switch (ask_password_twice(ret, err)) {
    case 0:
        return 0;
    case ASK_DIFFERENT:
        return error_set(err, EINVAL, "the two passwords differ; nothing was created");
    case ASK_INTERRUPTED:
        return error_set(err, EINTR, "interrupted; nothing was created");
    default:
        return -err->code;
    }
}

int init_user_add(struct init_directory *directory, const char *user, const struct secbuf *password,
                  struct error *err)
{
    char hash[BCRYPT_SIZE + 1], line[USER_MAX + BCRYPT_SIZE + 4];
    int size, r = bcrypt_make(password, COST, hash);

    if (r < 0)
        return error_set_errno(err, -r, "cannot hash the password");
    size = snprintf(line, sizeof(line), "%s:%s\n", user, hash);
    r = init_directory_add_file(directory, LAYOUT_USERS, 0600, line, (size_t)size, err);
    explicit_bzero(line, sizeof(line));
    return r;
}
