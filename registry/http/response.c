/*
 * Answers are plain data, so that endpoints can run on any thread and be tested without a server. A
 * body is a list of segments: texts, and ranges of a source. The headers of the parts of
 * multipart/byteranges are formatted when they are sent, so that an answer with a thousand parts to
 * a slow client needs little memory.
 */
#include "registry/http/response.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/random.h"

enum { PART_TYPE_SIZE = 128, PART_HEADER_SIZE = 512 };

struct response_header {
    struct response_header *next;
    char *value; /* in the same block as the name */
    char name[];
};

struct response_segment {
    char *text; /* NULL: a range of the source */
    uint64_t first, size;
    size_t header_size; /* of the part's header before the range; 0: none */
};

/* The values that the headers of all parts share. */
struct response_parts {
    char boundary[RANDOM_UUID_SIZE];
    char content_type[PART_TYPE_SIZE];
    uint64_t total;
};

static void drop_body(struct response *response)
{
    for (size_t i = 0; i < response->segment_count; i++)
        free(response->segments[i].text);
    free(response->segments);
    free(response->parts);
    response->segments = NULL;
    response->parts = NULL;
    response->segment_count = 0;
    response->size = 0;
    response->read_segment = response->read_segment_begin = 0;
    if (response->source.close)
        response->source.close(response->source.object);
    response->source = (struct response_source){0};
}

void response_drop_headers(struct response *response)
{
    while (response->headers) {
        struct response_header *header = response->headers;

        response->headers = header->next;
        free(header);
    }
}

void response_done(struct response *response)
{
    drop_body(response);
    response_drop_headers(response);
    free(response->failure);
    *response = (struct response){0};
}

/* Replaces the response by a plain 503, because memory is exhausted. */
static void give_up(struct response *response)
{
    drop_body(response);
    response_drop_headers(response);
    response->status = 503;
    response->is_given_up = true;
}

static void drop_control_characters(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++)
        if ((unsigned char)*from >= ' ' && *from != 0x7F)
            *to++ = *from;
    *to = '\0';
}

/* Allocates a header with room for a value of that many bytes. NULL: out of memory. */
static struct response_header *make_header(const char *name, size_t value_size)
{
    size_t name_size = strlen(name) + 1;
    struct response_header *header = malloc(sizeof(*header) + name_size + value_size);

    if (!header)
        return NULL;
    header->next = NULL;
    header->value = header->name + name_size;
    memcpy(header->name, name, name_size);
    return header;
}

/* Allocates a header with a formatted value. NULL: out of memory. */
static struct response_header *format_header(const char *name, const char *format,
                                             va_list arguments) PRINTF_LIKE(2, 0);

static struct response_header *format_header(const char *name, const char *format,
                                             va_list arguments)
{
    struct response_header *header = NULL;
    va_list again;
    char text[256]; /* nearly all values fit, and are formatted only once */
    int length;

    va_copy(again, arguments);
    length = vsnprintf(text, sizeof(text), format, arguments);
    if (length >= 0)
        header = make_header(name, (size_t)length + 1);
    if (header && (size_t)length < sizeof(text))
        memcpy(header->value, text, (size_t)length + 1);
    else if (header)
        vsnprintf(header->value, (size_t)length + 1, format, again);
    va_end(again);
    return header;
}

static struct response_header *copy_header(const char *name, const char *value)
{
    size_t size = strlen(value) + 1;
    struct response_header *header = make_header(name, size);

    if (header)
        memcpy(header->value, value, size);
    return header;
}

void response_add_header(struct response *response, const char *name, const char *format, ...)
{
    struct response_header *header, **last;
    va_list arguments;

    if (response->is_given_up)
        return;
    va_start(arguments, format);
    if (!strchr(format, '%')) /* most values need no formatting, which is slow */
        header = copy_header(name, format);
    else if (strcmp(format, "%s") == 0)
        header = copy_header(name, va_arg(arguments, const char *));
    else
        header = format_header(name, format, arguments);
    va_end(arguments);
    if (!header) {
        give_up(response);
        return;
    }
    drop_control_characters(header->value);
    for (last = &response->headers; *last; last = &(*last)->next)
        continue;
    *last = header;
}

bool response_has_header(const struct response *response, const char *name)
{
    for (const struct response_header *header = response->headers; header; header = header->next)
        if (strcasecmp(header->name, name) == 0)
            return true;
    return false;
}

void response_for_each_header(const struct response *response,
                              void (*each)(void *context, const char *name, const char *value),
                              void *context)
{
    for (const struct response_header *header = response->headers; header; header = header->next)
        each(context, header->name, header->value);
}

/* Takes ownership of text. */
static void add_segment(struct response *response, const struct response_segment *segment)
{
    struct response_segment *more = NULL;

    if (!response->is_given_up)
        more = reallocarray(response->segments, response->segment_count + 1, sizeof(*more));
    if (!more) {
        free(segment->text);
        give_up(response);
        return;
    }
    response->segments = more;
    more[response->segment_count++] = *segment;
    response->size += segment->header_size + segment->size;
}

void response_set_empty(struct response *response, unsigned status)
{
    drop_body(response);
    if (!response->is_given_up)
        response->status = status;
}

void response_set_body(struct response *response, unsigned status, const char *content_type,
                       char *text, size_t size)
{
    response_set_empty(response, status);
    if (!text) {
        give_up(response);
        return;
    }
    response_add_header(response, "Content-Type", "%s", content_type);
    add_segment(response, &(struct response_segment){.text = text, .size = size});
}

static void PRINTF_LIKE(2, 3) add_text(struct response *response, const char *format, ...)
{
    char *text;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        give_up(response);
    else
        add_segment(response, &(struct response_segment){.text = text, .size = (uint64_t)length});
}

static void add_range(struct response *response, const struct response_range *range)
{
    add_segment(response, &(struct response_segment){.first = range->first, .size = range->size});
}

/* The size of the header of the part that a segment is; it fits into PART_HEADER_SIZE bytes. */
static size_t format_part(const struct response_parts *parts,
                          const struct response_segment *segment, bool is_first,
                          char ret_text[PART_HEADER_SIZE])
{
    return (size_t)snprintf(
        ret_text, PART_HEADER_SIZE,
        "%s--%s\r\nContent-Range: bytes %ju-%ju/%ju\r\nContent-Type: %s\r\n\r\n",
        is_first ? "" : "\r\n", parts->boundary, (uintmax_t)segment->first,
        (uintmax_t)(segment->first + segment->size - 1), (uintmax_t)parts->total,
        parts->content_type);
}

static void add_part(struct response *response, const struct response_range *range)
{
    struct response_segment segment = {.first = range->first, .size = range->size};
    char text[PART_HEADER_SIZE];

    if (response->is_given_up)
        return;
    segment.header_size =
        format_part(response->parts, &segment, response->segment_count == 0, text);
    add_segment(response, &segment);
}

/* multipart/byteranges (RFC 9110 section 14.6). */
static void set_multipart(struct response *response, uint64_t total, const char *content_type,
                          const struct response_range *ranges, size_t count)
{
    struct response_parts *parts = calloc(1, sizeof(*parts));

    if (!parts) {
        give_up(response);
        return;
    }
    response->parts = parts;
    random_uuid(parts->boundary);
    snprintf(parts->content_type, sizeof(parts->content_type), "%s", content_type);
    parts->total = total;
    response_add_header(response, "Content-Type", "multipart/byteranges; boundary=%s",
                        parts->boundary);
    for (size_t i = 0; i < count; i++)
        add_part(response, &ranges[i]);
    if (!response->is_given_up)
        add_text(response, "\r\n--%s--\r\n", parts->boundary);
}

void response_set_source(struct response *response, const struct response_source *source,
                         uint64_t total, const char *content_type,
                         const struct response_range *ranges, size_t count)
{
    const struct response_range whole = {.size = total};

    response_set_empty(response, count == 0 ? 200 : 206);
    response->source = *source;
    if (response->is_given_up) {
        drop_body(response);
        return;
    }
    if (count > 1) {
        set_multipart(response, total, content_type, ranges, count);
        return;
    }
    response_add_header(response, "Content-Type", "%s", content_type);
    if (count == 1)
        response_add_header(response, "Content-Range", "bytes %ju-%ju/%ju",
                            (uintmax_t)ranges->first, (uintmax_t)(ranges->first + ranges->size - 1),
                            (uintmax_t)total);
    add_range(response, count == 1 ? ranges : &whole);
}

char *response_take_text(struct response *response)
{
    return response->segment_count == 1 ? steal_ptr(&response->segments[0].text) : NULL;
}

bool response_get_range(const struct response *response, struct response_range *ret)
{
    const struct response_segment *segment = response->segments;

    if (response->segment_count != 1 || segment->text || !response->source.read)
        return false;
    *ret = (struct response_range){.first = segment->first, .size = segment->size};
    return true;
}

static ssize_t read_part_header(const struct response *response,
                                const struct response_segment *segment, size_t offset,
                                void *ret_data, size_t size)
{
    char text[PART_HEADER_SIZE];
    size_t left =
        format_part(response->parts, segment, segment == response->segments, text) - offset;

    if (size > left)
        size = left;
    memcpy(ret_data, text + offset, size);
    return (ssize_t)size;
}

static ssize_t read_segment(const struct response *response, const struct response_segment *segment,
                            uint64_t offset, void *ret_data, size_t size)
{
    if (offset < segment->header_size)
        return read_part_header(response, segment, (size_t)offset, ret_data, size);
    offset -= segment->header_size;
    if (size > segment->size - offset)
        size = (size_t)(segment->size - offset);
    if (!segment->text)
        return response->source.read(response->source.object, segment->first + offset, ret_data,
                                     size);
    memcpy(ret_data, segment->text + offset, size);
    return (ssize_t)size;
}

ssize_t response_read(struct response *response, uint64_t offset, void *ret_data, size_t size)
{
    if (offset < response->read_segment_begin)
        response->read_segment = response->read_segment_begin = 0;
    for (; response->read_segment < response->segment_count; response->read_segment++) {
        const struct response_segment *segment = &response->segments[response->read_segment];
        uint64_t segment_size = segment->header_size + segment->size;

        if (offset - response->read_segment_begin < segment_size)
            return read_segment(response, segment, offset - response->read_segment_begin, ret_data,
                                size);
        response->read_segment_begin += segment_size;
    }
    return 0;
}

ssize_t response_borrow(struct response *response, uint64_t offset, size_t size,
                        const void **ret_data)
{
    const struct response_source *source = &response->source;
    struct response_range range;

    if (!source->borrow || !response_get_range(response, &range))
        return -EOPNOTSUPP;
    if (size > range.size - offset)
        size = (size_t)(range.size - offset);
    return source->borrow(source->object, range.first + offset, size, ret_data);
}
