/*
 * A server's directory and the entry in it cannot be created in one step, so a crash between the
 * two leaves an empty directory. The temporary file still exists then, and tells the next writer.
 */
#include "helper/pass/recover.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/directory-names.h"
#include "common/file.h"
#include "helper/pass/path.h"
#include "helper/pass/store.h"

enum { DEEPEST = 64 };

/*
 * Whether the name is that of a server's directory. Others are left alone, because
 * docker-credential-helpers may be a link to another place.
 */
static bool is_server(const char *name)
{
    unsigned char url[256];
    size_t size;

    return pass_path_parse_directory(name, url, &size) == 0;
}

static void remove_empty_directories(int fd, int depth)
{
    CLEANUP(directory_names_done) struct directory_names names = {0};

    if (depth > DEEPEST || directory_names_read(fd, &names) < 0)
        return;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP_CLOSE int sub_fd = -1;
        const char *name = names.names[i]->text;

        if (directory_names_get_kind(&names, i, fd) != S_IFDIR ||
            (depth == 0 && !is_server(name)) || unlinkat(fd, name, AT_REMOVEDIR) == 0)
            continue;
        sub_fd = file_open_real_directory(fd, name);
        if (sub_fd < 0)
            continue;
        remove_empty_directories(sub_fd, depth + 1);
        unlinkat(fd, name, AT_REMOVEDIR);
    }
}

void pass_recover(int directory_fd)
{
    CLEANUP_CLOSE int fd = -1;

    if (unlinkat(directory_fd, PASS_TEMPORARY, 0) < 0)
        return;
    fd = file_open_directory(directory_fd, "."); /* reading a directory moves its fd's position */
    if (fd >= 0)
        remove_empty_directories(fd, 0);
}
