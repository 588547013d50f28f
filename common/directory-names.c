/*
 * Reads a directory with as few system calls as possible: `list` opens one directory for each
 * server, and the type that the kernel returns with a name saves a stat() for nearly all names.
 */
#include "common/directory-names.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

static int add_name(struct directory_names *list, const struct dirent64 *entry)
{
    size_t length = strlen(entry->d_name);
    struct directory_name **grown, *name;

    if ((list->count & (list->count - 1)) == 0) { /* the array is full at each power of two */
        grown = reallocarray(list->names, list->count ? list->count * 2 : 1, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        list->names = grown;
    }
    name = malloc(sizeof(*name) + length + 1);
    if (!name)
        return -ENOMEM;
    name->type = entry->d_type;
    memcpy(name->text, entry->d_name, length + 1);
    list->names[list->count++] = name;
    return 0;
}

/* The records of getdents64(), which have different lengths and follow each other. */
union records {
    struct dirent64 first;
    char bytes[8192];
};

static int add_names(struct directory_names *list, const union records *records, size_t size)
{
    int r = 0;

    for (size_t at = 0; at < size && r == 0;) {
        const struct dirent64 *entry = (const void *)(records->bytes + at);

        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            r = add_name(list, entry);
        at += entry->d_reclen;
    }
    return r;
}

static int compare_names(const void *a, const void *b)
{
    const struct directory_name *const *left = a, *const *right = b;

    return strcmp((*left)->text, (*right)->text);
}

int directory_names_read(int fd, struct directory_names *ret)
{
    CLEANUP(directory_names_done) struct directory_names list = {0};
    union records records;
    ssize_t n;

    while ((n = getdents64(fd, (void *)&records, sizeof(records))) > 0) {
        int r = add_names(&list, &records, (size_t)n);

        if (r < 0)
            return r;
    }
    if (n < 0 && errno != ENOENT) /* it was removed after it was opened, so it is empty */
        return -errno;
    if (list.count > 1)
        qsort(list.names, list.count, sizeof(*list.names), compare_names);
    *ret = list;
    list = (struct directory_names){0};
    return 0;
}

void directory_names_done(struct directory_names *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct directory_names){0};
}

mode_t directory_names_get_kind(const struct directory_names *list, size_t i, int fd)
{
    const struct directory_name *name = list->names[i];
    struct stat st;

    if (name->type == DT_REG)
        return S_IFREG;
    if (name->type == DT_DIR)
        return S_IFDIR;
    if ((name->type != DT_LNK && name->type != DT_UNKNOWN) || fstatat(fd, name->text, &st, 0) < 0)
        return 0;
    return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? st.st_mode & S_IFMT : 0;
}
