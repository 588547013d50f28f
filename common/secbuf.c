/*
 * Secrets need memory that is not swapped out, not left behind and not copied by realloc().
 * libgcrypt has such a pool, which only this file uses.
 */
#include "common/secbuf.h"

#include <errno.h>
#include <gcrypt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/same-bytes.h"

enum {
    /* Enough for any usual credential several times over, and within the 64 KiB that a user
     * may lock on systems with the old default of RLIMIT_MEMLOCK. */
    LOCKED_POOL_SIZE = 64 << 10,
    /* A pool for outsize secrets; taken from the system (and not locked) only when needed. */
    OVERFLOW_POOL_SIZE = 64 << 20,
    SMALLEST_CAPACITY = 256, /* of a name, a password; freeing wipes all of it several times */
};

static void (*last_resort)(const char *line);

void secure_set_last_resort(void (*function)(const char *line))
{
    last_resort = function;
}

static void on_fatal_error(void *opaque, int code, const char *text)
{
    (void)opaque;
    (void)code;
    (void)text;
    if (last_resort)
        last_resort("out of memory");
}

/*
 * libgcrypt prints errors that it also returns; stderr must stay empty. Only fatal errors are
 * printed.
 */
static PRINTF_LIKE(3, 0) void on_log(void *unused, int level, const char *format, va_list arguments)
{
    (void)unused;
    if (level >= GCRY_LOG_FATAL && level < GCRY_LOG_DEBUG)
        vfprintf(stderr, format, arguments);
}

/*
 * libgcrypt 1.11 and newer declare the handler deprecated. They still call it, and there is no
 * other way to silence it.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void set_log_handler(void)
{
    gcry_set_log_handler(on_log, NULL);
}
#pragma GCC diagnostic pop

static void set_up(void)
{
    gcry_set_fatalerror_handler(on_fatal_error, NULL);
    set_log_handler();
    /* Where locking is not allowed the pool works unlocked; a warning on stderr would end up
     * in the output of programs that merge the two streams. */
    gcry_control(GCRYCTL_DISABLE_SECMEM_WARN);
    gcry_check_version(NULL);
    gcry_control(GCRYCTL_INIT_SECMEM, LOCKED_POOL_SIZE, 0);
    gcry_control(GCRYCTL_AUTO_EXPAND_SECMEM, OVERFLOW_POOL_SIZE, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

void *secure_malloc(size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, set_up);
    return gcry_malloc_secure(size ? size : 1);
}

void secure_free(void *memory)
{
    gcry_free(memory); /* wipes */
}

int secbuf_reserve(struct secbuf *buf, size_t more)
{
    size_t capacity = buf->capacity ? buf->capacity : SMALLEST_CAPACITY;
    unsigned char *data;

    if (more > SECBUF_MAX - buf->size)
        return -ENOMEM;
    if (buf->data && more <= buf->capacity - buf->size)
        return 0;
    while (capacity < buf->size + more)
        capacity *= 2;
    data = secure_malloc(capacity);
    if (!data)
        return -ENOMEM;
    if (buf->size)
        memcpy(data, buf->data, buf->size);
    secure_free(buf->data);
    buf->data = data;
    buf->capacity = capacity;
    return 0;
}

int secbuf_append(struct secbuf *buf, const void *data, size_t size)
{
    int r = secbuf_reserve(buf, size);

    if (r < 0)
        return r;
    if (size)
        memcpy(buf->data + buf->size, data, size);
    buf->size += size;
    return 0;
}

void secbuf_truncate(struct secbuf *buf, size_t size)
{
    if (size >= buf->size)
        return;
    explicit_bzero(buf->data + size, buf->size - size);
    buf->size = size;
}

void secbuf_done(struct secbuf *buf)
{
    if (!buf)
        return;
    secure_free(buf->data);
    *buf = (struct secbuf){0};
}

bool secbuf_is_equal(const struct secbuf *a, const struct secbuf *b)
{
    return a->size == b->size && same_bytes(a->data, b->data, a->size);
}
