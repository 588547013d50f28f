/*
 * The table has one slot for each hash of a key, and a new entry replaces the old one. Keys are not
 * stored: a wrong key could match only if it had the same hash and led to the same file.
 */
#include "registry/storage/filesystem/known-files.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/filesystem/key-hash.h"

/* Half a megabyte; the kernel provides only the pages that are used. */
enum { PARTS = 16, PLACES = 512 };

struct file {
    uint64_t hash;
    uint64_t device, inode;
    struct timespec changed; /* differs after any change of the inode, its reuse included */
};

struct part {
    pthread_mutex_t mutex;
    struct file places[PLACES];
};

struct known_files {
    struct part parts[PARTS];
};

struct known_files *known_files_new(void)
{
    struct known_files *known = calloc(1, sizeof(*known));

    for (int i = 0; known && i < PARTS; i++)
        pthread_mutex_init(&known->parts[i].mutex, NULL);
    return known;
}

void known_files_free(struct known_files *known)
{
    for (int i = 0; known && i < PARTS; i++)
        pthread_mutex_destroy(&known->parts[i].mutex);
    free(known);
}

static struct file file_of(const char *key, const struct look *look)
{
    return (struct file){
        .hash = key_hash(key),
        .device = look->device,
        .inode = look->inode,
        .changed = look->changed,
    };
}

static bool is_same(const struct file *a, const struct file *b)
{
    return a->hash == b->hash && a->device == b->device && a->inode == b->inode &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static struct part *part_of(struct known_files *known, const struct file *file)
{
    return &known->parts[file->hash % PARTS];
}

static struct file *place_of(struct part *part, const struct file *file)
{
    return &part->places[file->hash / PARTS % PLACES];
}

bool known_files_has(struct known_files *known, const char *key, const struct look *look)
{
    struct file file = file_of(key, look);
    struct part *part = part_of(known, &file);
    bool has;

    pthread_mutex_lock(&part->mutex);
    has = is_same(place_of(part, &file), &file);
    pthread_mutex_unlock(&part->mutex);
    return has;
}

void known_files_add(struct known_files *known, const char *key, const struct look *look)
{
    struct file file = file_of(key, look);
    struct part *part = part_of(known, &file);

    pthread_mutex_lock(&part->mutex);
    *place_of(part, &file) = file;
    pthread_mutex_unlock(&part->mutex);
}
