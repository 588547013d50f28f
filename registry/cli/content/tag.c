/* `registryd tag` gives a manifest another tag. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "registry/cli/content/content.h"
#include "registry/cli/content/image.h"
#include "registry/cli/json-out.h"

/*
 * Puts the manifest again with its new tag. This is atomic, so a concurrent delete cannot leave a
 * tag without its manifest.
 */
static int put_tag(struct content_job *job, const struct digest *digest, const char *tag,
                   struct error *err)
{
    const char *name = job->reference.name;
    bool is_immutable = job->rules && rules_is_tag_immutable(job->rules, name, tag);
    struct image image;
    int r = image_read(job->store, name, digest, &image, err);
    struct store_manifest manifest = {
        .digest = *digest, .tags = &tag, .tag_count = 1, .protected_tags = &is_immutable};

    if (r != 0)
        return r < 0 ? r
                     : error_set(err, ENOENT, "%s was removed in the meantime", job->operands[0]);
    manifest.media_type = image.content.media_type;
    manifest.bytes = image.content.bytes;
    manifest.size = image.content.size;
    manifest.subject =
        image.is_known && image.manifest.has_subject ? &image.manifest.subject : NULL;
    r = store_put_manifest(job->store, name, &manifest, err);
    image_done(&image);
    if (r == STORE_TAG_EXISTS)
        r = error_set(err, EEXIST,
                      "the access file says that %s:%s is immutable, and it refers to another "
                      "manifest; use --force to move it anyway",
                      name, tag);
    return r;
}

/* former: what the tag referred to before; NULL: it is new, or the same. */
static int tell(const struct content_job *job, const struct digest *digest,
                const struct digest *former, struct error *err)
{
    const char *name = job->reference.name, *tag = job->operands[1];
    char text[DIGEST_TEXT_SIZE], before[DIGEST_TEXT_SIZE] = "";
    struct json_out out = {0};

    digest_format(digest, text);
    if (former)
        digest_format(former, before);
    if (!job->is_json) {
        printf("%s:%s refers to %s%s%s\n", name, tag, text, former ? ", and no longer " : "",
               before);
        return 0;
    }
    json_out_open(&out, NULL, '{');
    json_out_text(&out, "name", name);
    json_out_text(&out, "tag", tag);
    json_out_text(&out, "digest", text);
    if (former)
        json_out_text(&out, "former", before);
    json_out_close(&out, '}');
    return json_out_end(&out, err);
}

static int tag_manifest(struct content_job *job, struct error *err)
{
    const char *name = job->reference.name, *tag = job->operands[1];
    struct digest digest, former;
    int r, found;

    if (!reference_is_manifest(&job->reference))
        return error_set(err, EINVAL,
                         "tag takes REPOSITORY:TAG or REPOSITORY@DIGEST, and then the new tag");
    if (!name_is_tag(tag, strlen(tag)))
        return error_set(
            err, EINVAL,
            "the second word must be a tag of letters, digits and ._- alone, such as stable: "
            "a tag stays in its repository");
    r = reference_resolve(job->store, &job->reference, &digest, err);
    if (r < 0)
        return r;
    found = store_resolve_tag(job->store, name, tag, STORE_MAY_WAIT, &former, err);
    if (found >= 0)
        r = put_tag(job, &digest, tag, err);
    if (found < 0 || r < 0)
        return -1;
    return tell(job, &digest, found == 0 && !digest_is_equal(&former, &digest) ? &former : NULL,
                err);
}

static int run_tag(int argc, char **argv)
{
    static const struct content_verb tag = {
        &verb_tag,
        CONTENT_JSON | CONTENT_RULES,
        2,
        2,
        "REPOSITORY:TAG or REPOSITORY@DIGEST, and then the new tag",
        tag_manifest};

    return content_run(argc, argv, &tag);
}

const struct verb verb_tag = {
    .name = "tag",
    .function = run_tag,
    .help = "Usage: registryd tag REPOSITORY:TAG NEW-TAG [OPTIONS]\n"
            "       registryd tag REPOSITORY@DIGEST NEW-TAG [OPTIONS]\n"
            "\n"
            "Gives a manifest another tag in its repository. If the tag exists, it is moved,\n"
            "and its old digest is printed. A tag that is immutable by the access file is not\n"
            "moved without --force; rights of users do not matter. Works on the storage,\n"
            "whether servers run or not.\n"
            "\n"
            "  -f, --force          move an immutable tag, too\n"
            "  -j, --json           JSON for scripts\n"
            "  -c, --config CONFIG  the server's configuration; without it, the file that\n"
            "                       serve reads\n"
            "  -h, --help           this text\n"
            "\n"
            "Example:\n"
            "  registryd tag team/app:1.4 stable\n"
            "\n"
            "Exit status: 0; 1 on failure and for a wrong command line: standard error says\n"
            "why.\n",
};
