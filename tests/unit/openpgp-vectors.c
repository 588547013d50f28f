#include "tests/unit/openpgp-vectors.h"

#include <fcntl.h>
#include <stdio.h>

#include "common/file.h"
#include "tests/unit/check.h"

const char *const vector_keys[] = {"cv25519", "nistp256", "nistp384", "nistp521", "rsa2048", NULL};

unsigned char *read_vector(const char *name, const char *suffix, size_t *ret_size)
{
    CLEANUP_CLOSE int fd = -1;
    char path[512], *text = NULL;

    snprintf(path, sizeof(path), "%s/%s%s%s", OPENPGP_VECTORS, name, suffix ? "." : "", suffix ? suffix : "");
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || file_read_all(fd, 1 << 20, &text, ret_size) < 0)
        fail_msg("%s cannot be read", path);
    return (unsigned char *)text;
}
