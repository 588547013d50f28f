#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/cli/json-out.h"
#include "registry/cli/content/show.h"

static void write_digest(struct json_out *out, const char *name, const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE];

    digest_format(digest, text);
    json_out_text(out, name, text);
}

/* Writes a parsed value unchanged, but without white space. */
static int write_value(struct json_out *out, const char *name, const struct json *value,
                       struct error *err)
{
    size_t size = json_format(value, NULL);
    CLEANUP_FREE char *text = malloc(size + 1);

    if (!text)
        return error_set_oom(err);
    text[json_format(value, text)] = '\0';
    json_out_raw(out, name, text);
    return 0;
}

static void write_referrers(struct json_out *out, const struct shown *shown)
{
    json_out_open(out, "referrers", '[');
    for (size_t i = 0; i < shown->referrer_count; i++) {
        json_out_open(out, NULL, '{');
        write_digest(out, "digest", &shown->referrers[i].digest);
        json_out_text(out, "artifactType", show_referrer_type(&shown->referrers[i]));
        json_out_close(out, '}');
    }
    json_out_close(out, ']');
}

/* Writes the whole manifest and configuration, with the member names of the specification. */
int show_json(const struct shown *shown, struct error *err)
{
    const struct image *image = shown->image;
    struct json_out out = {0};
    int r = 0;

    json_out_open(&out, NULL, '{');
    json_out_text(&out, "name", image->name);
    if (*shown->tag)
        json_out_text(&out, "tag", shown->tag);
    write_digest(&out, "digest", &image->digest);
    json_out_text(&out, "mediaType", image->content.media_type);
    if (shown->pushed_s != 0)
        json_out_time(&out, "pushed", shown->pushed_s);
    if (image->document)
        r = write_value(&out, "manifest", image->document, err);
    if (r == 0 && shown->config)
        r = write_value(&out, "config", shown->config, err);
    write_referrers(&out, shown);
    json_out_close(&out, '}');
    return r < 0 ? r : json_out_end(&out, err);
}
