#include "registry/storage/s3/doom.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "registryd/doomed"
#define FIRST_LINE "registryd doomed 1"

enum { TEXT_MAX = 16 << 20, LEAST_CAPACITY = 16 };

void doom_done(struct doom *doom)
{
    for (size_t i = 0; i < doom->count; i++)
        free(doom->keys[i]);
    free(doom->keys);
    *doom = (struct doom){0};
}

static int grow(struct doom *doom)
{
    size_t capacity = doom->count ? doom->count * 2 : LEAST_CAPACITY;
    char **keys;

    if (doom->count != 0 && (doom->count < LEAST_CAPACITY || doom->count & (doom->count - 1)))
        return 0;
    keys = calloc(capacity, sizeof(*keys));
    if (!keys)
        return -ENOMEM;
    if (doom->count > 0)
        memcpy(keys, doom->keys, doom->count * sizeof(*keys));
    free(doom->keys);
    doom->keys = keys;
    return 0;
}

int doom_add(struct doom *doom, const char *key)
{
    char *copy = grow(doom) == 0 ? strdup(key) : NULL;

    if (!copy)
        return -ENOMEM;
    doom->keys[doom->count++] = copy;
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void doom_sort(struct doom *doom)
{
    if (doom->count > 1)
        qsort(doom->keys, doom->count, sizeof(*doom->keys), compare_keys);
}

/* --- the object ------------------------------------------------------------------------------ */

/* A line each: the format, number and collector, and then the keys. 0, -EBADMSG or -ENOMEM. */
static int parse(char *text, struct doom *doom)
{
    int size = 0;

    if (sscanf(text, FIRST_LINE "\n%" SCNu64 " %36s\n%n", &doom->number, doom->collector, &size) !=
            2 ||
        size == 0)
        return -EBADMSG;
    for (char *line = text + size, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        if (doom_add(doom, line) < 0)
            return -ENOMEM;
    }
    doom_sort(doom);
    return 0;
}

int doom_read(struct s3 *s3, struct doom *ret, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    struct storage_object object;
    struct doom doom = {.is_new = true};
    int r = s3_get_dated(s3, KEY, TEXT_MAX, &text, &object, &doom.written_s, err);

    if (r < 0)
        return r;
    if (r == 0) {
        doom.is_new = false;
        doom.version = object.version;
        r = parse(text, &doom);
    }
    if (r < 0) {
        doom_done(&doom);
        return r == -ENOMEM ? error_set_oom(err)
                            : error_set(err, EBADMSG, "%s is not the list of a collector", KEY);
    }
    *ret = doom;
    return 0;
}

int doom_write(struct s3 *s3, struct doom *doom, struct error *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct storage_step step = {.kind = STORAGE_PUT,
                                .key = KEY,
                                .condition =
                                    doom->is_new ? STORAGE_IF_ABSENT : STORAGE_IF_UNCHANGED,
                                .version = doom->version};
    bool has_failed;
    int r;

    if (!out)
        return error_set_oom(err);
    random_uuid(doom->collector);
    fprintf(out, FIRST_LINE "\n%" PRIu64 " %s\n", doom->number, doom->collector);
    for (size_t i = 0; i < doom->count; i++)
        fprintf(out, "%s\n", doom->keys[i]);
    has_failed = ferror(out);
    if (fclose(out) != 0 || has_failed)
        return error_set_oom(err);
    step.data = text;
    step.size = size;
    r = s3_put_versioned(s3, &step, &doom->version, err);
    if (r == 0)
        doom->is_new = false;
    return r;
}

/* --- a key ----------------------------------------------------------------------------------- */

static bool has_part(const struct doom *doom, const char *key, size_t size)
{
    size_t low = 0, high = doom->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strncmp(doom->keys[middle], key, size);

        if (order == 0 && doom->keys[middle][size] == '\0')
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool doom_has(const struct doom *doom, const char *key, int64_t now_s)
{
    if (doom->count == 0 || now_s > doom->written_s + DOOM_S + DOOM_DRIFT_S)
        return false;
    for (const char *slash = strchr(key, '/'); slash; slash = strchr(slash + 1, '/'))
        if (has_part(doom, key, (size_t)(slash + 1 - key)))
            return true;
    return has_part(doom, key, strlen(key));
}
