#include "registry/storage/s3/library.h"

#include <dlfcn.h>
#include <errno.h>

int library_load(const char *const *files, const char *package,
                 const struct library_symbol *symbols, size_t count, struct error *err)
{
    const char *problem = NULL;
    void *library = NULL;

    /* All functions are bound at once: lazy binding would happen behind the filter of system calls.
     */
    for (; !library && *files; files++) {
        library = dlopen(*files, RTLD_NOW | RTLD_LOCAL);
        if (!library && !problem)
            problem = dlerror();
    }
    if (!library)
        return error_set(err, ENOENT,
                         "storage.s3 needs a library that cannot be loaded; install %s: %s",
                         package, problem);
    for (size_t i = 0; i < count; i++) {
        *symbols[i].place = dlsym(library, symbols[i].name);
        if (!*symbols[i].place)
            return error_set(err, ENOTSUP, "storage.s3: the library of %s is too old: it has no %s",
                             package, symbols[i].name);
    }
    return 0;
}
