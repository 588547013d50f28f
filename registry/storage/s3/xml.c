#include "registry/storage/s3/xml.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "registry/storage/s3/library.h"
#include "registry/storage/s3/wiping-memory.h"

enum { PATH_SIZE = 512 };

#define FUNCTIONS(use) \
    use(ParserCreate_MM) use(ParserFree) use(SetUserData) use(SetElementHandler) \
        use(SetCharacterDataHandler) use(SetStartDoctypeDeclHandler) use(Parse) use(StopParser) \
            use(GetErrorCode) use(ErrorString)
#define MEMBER(name) __typeof__(XML_##name) *name;
#define SYMBOL(name) {"XML_" #name, (void **)&expat.name},

static struct {
    FUNCTIONS(MEMBER)
} expat;

struct reading {
    XML_Parser parser;
    xml_handler *handler;
    void *object;
    char path[PATH_SIZE];
    size_t path_size;
    unsigned depth;
    char text[XML_TEXT_MAX + 1];
    size_t text_size;
    int result;
    const char *problem;
};

int xml_load(struct error *err)
{
    static const char *const files[] = {"libexpat.so.1", NULL};
    static const struct library_symbol symbols[] = {FUNCTIONS(SYMBOL)};

    if (expat.ErrorString)
        return 0;
    return library_load(files, "libexpat (package libexpat1)", symbols, ARRAY_SIZE(symbols), err);
}

/* libexpat may still call handlers afterwards: the one for the end of an empty element. */
static void stop(struct reading *reading, int result, const char *problem)
{
    reading->result = result;
    reading->problem = problem;
    expat.StopParser(reading->parser, XML_FALSE);
}

static void XMLCALL on_start(void *object, const char *name, const char **attributes)
{
    struct reading *reading = object;
    size_t size = strlen(name);

    (void)attributes;
    if (reading->result < 0)
        return;
    if (reading->depth == XML_DEPTH_MAX || reading->path_size + size + 2 > PATH_SIZE) {
        stop(reading, -EBADMSG, "too many levels");
        return;
    }
    if (reading->depth++ > 0)
        reading->path[reading->path_size++] = '/';
    memcpy(reading->path + reading->path_size, name, size + 1);
    reading->path_size += size;
    reading->text_size = 0;
}

static void XMLCALL on_text(void *object, const char *text, int size)
{
    struct reading *reading = object;

    if (reading->result < 0)
        return;
    if (reading->text_size + (size_t)size > XML_TEXT_MAX) {
        stop(reading, -EBADMSG, "a text that is too long");
        return;
    }
    memcpy(reading->text + reading->text_size, text, (size_t)size);
    reading->text_size += (size_t)size;
}

static void XMLCALL on_end(void *object, const char *name)
{
    struct reading *reading = object;
    int r;

    if (reading->result < 0)
        return;
    reading->text[reading->text_size] = '\0';
    r = reading->handler(reading->object, reading->path, reading->text);
    if (r < 0)
        stop(reading, r, NULL);
    reading->path_size -= strlen(name);
    if (--reading->depth > 0)
        reading->path_size--;
    reading->path[reading->path_size] = '\0';
    reading->text_size = 0; /* white space between elements is no text of theirs */
}

static void XMLCALL on_doctype(void *object, const char *name, const char *system,
                               const char *public, int has_subset)
{
    (void)name;
    (void)system;
    (void)public;
    (void)has_subset;
    stop(object, -EBADMSG, "a DOCTYPE");
}

int xml_parse(const void *bytes, size_t size, xml_handler *handler, void *object, struct error *err)
{
    static const XML_Memory_Handling_Suite memory = {wiping_malloc, wiping_realloc, wiping_free};
    struct reading reading = {.handler = handler, .object = object};

    if (size > INT_MAX)
        return error_set(err, EBADMSG, "XML of %zu bytes", size);
    reading.parser = expat.ParserCreate_MM("UTF-8", &memory, NULL);
    if (!reading.parser)
        return error_set_oom(err);
    expat.SetUserData(reading.parser, &reading);
    expat.SetElementHandler(reading.parser, on_start, on_end);
    expat.SetCharacterDataHandler(reading.parser, on_text);
    expat.SetStartDoctypeDeclHandler(reading.parser, on_doctype);
    if (expat.Parse(reading.parser, bytes, (int)size, XML_TRUE) != XML_STATUS_OK &&
        reading.result == 0)
        stop(&reading, -EBADMSG, expat.ErrorString(expat.GetErrorCode(reading.parser)));
    expat.ParserFree(reading.parser);
    explicit_bzero(reading.text, sizeof(reading.text)); /* it may be a key */
    if (reading.problem)
        return error_set(err, EBADMSG, "invalid XML: %s", reading.problem);
    return reading.result;
}
