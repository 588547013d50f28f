/*
 * A table of GPGME's functions, filled from the library by name. All of them are bound at once:
 * lazy binding would leave registers, and with them pieces of secrets, on the stack at each
 * function's first call.
 *
 * GPGME 1 (libgpgme.so.11) and GPGME 2 (libgpgme.so.45) differ only in what GPGME 2 removed: trust
 * items and functions that return attributes. This project uses neither. The members of structs
 * that it reads have the same offsets in both, so one binary works with either. The one that it was
 * built with is tried first.
 */
#include "gpg/gpgme.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

struct gpgme_functions gpgme;

#define FIND(name) {"gpgme_" #name, (void **)&gpgme.name},

/* Stores the open library and its file name. 0 or negative. */
static int open_library(void **ret_library, const char **ret_name, struct error *err)
{
    static const char *const names[] = {GPGME_LIBRARY, OTHER_GPGME_LIBRARY};
    char problem[512] = "";

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        void *library;

        errno = 0;
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library) {
            *ret_library = library;
            *ret_name = names[i];
            return 0;
        }
        if (errno == ENOMEM) /* not all of its messages say so */
            return error_set_oom(err);
        if (i == 0)
            snprintf(problem, sizeof(problem), "%s", dlerror());
    }
    return error_set(
        err, ENOENT,
        "GPGME cannot be loaded; install it (package libgpgme11, libgpgme11t64 or libgpgme45): %s",
        problem);
}

int gpgme_load(struct error *err)
{
    static const struct {
        const char *name;
        void **place;
    } functions[] = {GPGME_FUNCTIONS(FIND)};
    static bool is_loaded;
    const char *name;
    void *library;

    if (is_loaded)
        return 0;
    if (open_library(&library, &name, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        *functions[i].place = dlsym(library, functions[i].name);
        if (!*functions[i].place)
            return error_set(err, ENOTSUP, "GPGME (%s) has no %s: this version is not supported",
                             name, functions[i].name);
    }
    is_loaded = true;
    return 0;
}
