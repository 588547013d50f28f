#include "registry/spec/accept.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A part of a list, without spaces around it. */
struct part {
    const char *text;
    size_t size;
};

/* Takes the next part up to a separator, and moves *at after that; false at the end. */
static bool next_part(const char **at, const char *end, char separator, struct part *ret)
{
    const char *text = *at, *stop;

    if (!text || text > end)
        return false;
    stop = memchr(text, separator, (size_t)(end - text));
    *at = stop ? stop + 1 : end + 1;
    stop = stop ? stop : end;
    while (text < stop && is_blank(*text))
        text++;
    while (stop > text && is_blank(stop[-1]))
        stop--;
    *ret = (struct part){text, (size_t)(stop - text)};
    return true;
}

static bool has_text(const struct part *part, const char *text)
{
    return part->size == strlen(text) && strncasecmp(part->text, text, part->size) == 0;
}

static bool begins_with(const struct part *part, const char *text)
{
    return part->size >= strlen(text) && strncasecmp(part->text, text, strlen(text)) == 0;
}

/* "q=0", "q=0.000" */
static bool is_refusal(const struct part *parameter)
{
    if (!begins_with(parameter, "q=0"))
        return false;
    for (size_t i = 3; i < parameter->size; i++)
        if (parameter->text[i] != '0' && parameter->text[i] != '.')
            return false;
    return true;
}

static bool is_manifest_type(const struct part *type)
{
    return begins_with(type, "application/vnd.docker.distribution.manifest.") ||
           begins_with(type, "application/vnd.oci.image.") ||
           begins_with(type, "application/vnd.oci.artifact.");
}

bool accept_allows(const char *list, const char *media_type)
{
    const char *at = list, *end = list ? list + strlen(list) : NULL;
    bool names_manifests = false, allows = false, allows_any = false, refuses = false;
    struct part item, type, parameter;

    while (list && next_part(&at, end, ',', &item)) {
        const char *inner = item.text, *stop = item.text + item.size;
        bool is_refused = false;

        if (!next_part(&inner, stop, ';', &type))
            continue;
        while (next_part(&inner, stop, ';', &parameter))
            is_refused = is_refused || is_refusal(&parameter);
        names_manifests = names_manifests || is_manifest_type(&type);
        if (has_text(&type, media_type)) {
            allows = !is_refused;
            refuses = is_refused;
        } else if (has_text(&type, "*/*") || has_text(&type, "application/*")) {
            allows_any = !is_refused;
        }
    }
    return allows || (!refuses && (allows_any || !names_manifests));
}

bool accept_names(const char *list, const char *value)
{
    const char *at = list, *end = list + strlen(list);
    struct part item, name, parameter;

    while (next_part(&at, end, ',', &item)) {
        const char *inner = item.text, *stop = item.text + item.size;
        bool is_refused = false;

        if (!next_part(&inner, stop, ';', &name) || !has_text(&name, value))
            continue;
        while (next_part(&inner, stop, ';', &parameter))
            is_refused = is_refused || is_refusal(&parameter);
        return !is_refused;
    }
    return false;
}
