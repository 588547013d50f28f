/*
 * XML of a store: each element that is reported has a path and a text within the limits, and nothing
 * is reported after the handler has ended the reading, which it does for the text "stop".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/s3/xml.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static int note_element(void *object, const char *path, const char *text)
{
    bool *has_stopped = object;
    size_t levels = 1;

    REQUIRE(!*has_stopped);
    REQUIRE(*path && strlen(text) <= XML_TEXT_MAX);
    for (const char *slash = path; (slash = strchr(slash, '/')); slash++)
        levels++;
    REQUIRE(levels <= XML_DEPTH_MAX);
    *has_stopped = strcmp(text, "stop") == 0;
    return *has_stopped ? -ECANCELED : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool has_stopped = false;
    struct error err = {0};
    int r;

    REQUIRE(xml_load(&err) == 0);
    r = xml_parse(data, size, note_element, &has_stopped, &err);
    REQUIRE(r == 0 || has_stopped || (r == -EBADMSG && err.code == EBADMSG));
    REQUIRE(has_stopped == (r == -ECANCELED));
    fuzz_was_accepted = r == 0;
    return 0;
}
