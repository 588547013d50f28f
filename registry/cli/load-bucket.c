#include "registry/cli/load-bucket.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "registryd-s3.so"

/* Beside the program, where a build has it. */
static bool find_beside(char ret_path[PATH_MAX])
{
    ssize_t size = readlink("/proc/self/exe", ret_path, PATH_MAX - sizeof(FILE_NAME) - 1);
    char *slash;

    if (size < 0)
        return false;
    ret_path[size] = '\0';
    slash = strrchr(ret_path, '/');
    if (!slash)
        return false;
    memcpy(slash + 1, FILE_NAME, sizeof(FILE_NAME));
    return access(ret_path, F_OK) == 0;
}

int load_bucket(const struct bucket_module **ret, struct error *err)
{
    const struct bucket_module *module;
    char path[PATH_MAX];
    void *library;

    if (!find_beside(path))
        snprintf(path, sizeof(path), "%s", MODULE_DIRECTORY "/" FILE_NAME);
    /* All functions are bound at once: later the system calls for that are not allowed. */
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return error_set(err, ENOENT, "storage.s3 needs a module that cannot be loaded: %s",
                         dlerror());
    module = dlsym(library, BUCKET_MODULE);
    if (!module || strcmp(module->version, PACKAGE_VERSION) != 0)
        return error_set(err, ENOTSUP, "%s is not of this version of registryd; install both again",
                         path);
    *ret = module;
    return 0;
}
