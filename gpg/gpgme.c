/*
 * A table of GPGME's functions, filled from the library by their names. Bound all at once: what the linker would do at each
 * function's first call leaves registers on the stack, and with them pieces of secrets.
 */
#include "gpg/gpgme.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

struct gpgme_functions gpgme;

#define FIND(name) \
    {"gpgme_" #name, (void **)&gpgme.name},

int gpgme_load(struct error *err)
{
    static const struct { const char *name; void **place; } functions[] = {GPGME_FUNCTIONS(FIND)};
    static bool is_loaded;
    void *library;

    if (is_loaded)
        return 0;
    errno = 0;
    library = dlopen(GPGME_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library && errno == ENOMEM) /* not all of its messages say so */
        return error_set_oom(err);
    if (!library)
        return error_set(err, ENOENT, "GPGME cannot be loaded; install it (package libgpgme11): %s", dlerror());
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        *functions[i].place = dlsym(library, functions[i].name);
        if (!*functions[i].place)
            return error_set(err, ENOTSUP, "GPGME (%s) has no %s: it is not the one that this was built with", GPGME_LIBRARY,
                             functions[i].name);
    }
    is_loaded = true;
    return 0;
}
