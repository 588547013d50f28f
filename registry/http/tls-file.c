#include "registry/http/tls-file.h"

#include <stdlib.h>
#include <string.h>

#include "common/file.h"

enum { FILE_MAX = 1 << 20 };

int tls_file_read(int fd, struct tls_file *ret)
{
    return file_read_all(fd, FILE_MAX, &ret->text, &ret->size);
}

gnutls_datum_t tls_file_datum(const struct tls_file *file)
{
    return (gnutls_datum_t){.data = (unsigned char *)file->text, .size = (unsigned)file->size};
}

void tls_file_done(struct tls_file *file)
{
    if (file->text)
        explicit_bzero(file->text, file->size);
    free(file->text);
}
