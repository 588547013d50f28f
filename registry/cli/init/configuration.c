#include "registry/cli/init/configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json-quote.h"
#include "common/macros.h"
#include "registry/cli/init/layout.h"

/* Writes a path as a YAML scalar in double quotes, which is also a JSON string. */
static void put_path(FILE *stream, const char *directory, const char *name)
{
    CLEANUP_FREE char *path = NULL, *quoted = NULL;
    size_t size;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        return;
    size = json_quote(path, strlen(path), NULL);
    quoted = malloc(size);
    if (!quoted)
        return;
    json_quote(path, strlen(path), quoted);
    fwrite(quoted, 1, size, stream);
    fputc('\n', stream);
}

static void put_configuration(FILE *stream, const char *directory, unsigned port)
{
    fprintf(stream, "# Created by registryd init. All settings: man 5 registryd-config\n"
                    "version: 0.1\n"
                    "log:\n"
                    "  level: info\n"
                    "storage:\n"
                    "  filesystem:\n"
                    "    rootdirectory: ");
    put_path(stream, directory, LAYOUT_STORAGE);
    fprintf(stream,
            "  delete:\n"
            "    enabled: true\n"
            "auth:\n"
            "  htpasswd:\n"
            "    realm: Registry Realm\n"
            "    # To add a user: registryd htpasswd, or Apache's htpasswd -B. No restart needed.\n"
            "    path: ");
    put_path(stream, directory, LAYOUT_USERS);
    fprintf(stream, "http:\n"
                    "  addr: :%u\n"
                    "  tls:\n"
                    "    # To replace the certificate before it expires: registryd init --renew\n"
                    "    certificate: ", port);
    put_path(stream, directory, LAYOUT_CERTIFICATE);
    fprintf(stream, "    key: ");
    put_path(stream, directory, LAYOUT_KEY);
}

int init_configuration_add(struct init_directory *directory, unsigned port, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    if (!stream)
        return error_set_oom(err);
    put_configuration(stream, directory->path, port);
    if (fclose(stream) != 0)
        return error_set_oom(err);
    return init_directory_add_file(directory, LAYOUT_CONFIGURATION, 0644, text, size, err);
}
