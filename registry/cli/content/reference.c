#include "registry/cli/content/reference.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/printable.h"

/* The message quotes the word, so that its end and special characters are visible. */
static int refuse(const char *text, const char *why, struct error *err)
{
    char shown[300];

    snprintf(shown, sizeof(shown), "%s", text);
    printable_clean(shown);
    return error_set(err, EINVAL, "\"%s\" %s", shown, why);
}

int reference_parse(const char *text, struct reference *ret, struct error *err)
{
    size_t name_size = strcspn(text, ":@");
    const char *rest = text + name_size;

    *ret = (struct reference){0};
    if (!name_is_repository(text, name_size))
        return refuse(text, "does not begin with the name of a repository, such as team/app", err);
    memcpy(ret->name, text, name_size);
    if (*rest == '@') {
        ret->has_digest = digest_parse(rest + 1, strlen(rest + 1), &ret->digest) == 0;
        return ret->has_digest
                   ? 0
                   : refuse(text, "does not end with a digest, such as sha256: and 64 digits", err);
    }
    if (*rest == ':' && !name_is_tag(rest + 1, strlen(rest + 1)))
        return refuse(text, "does not end with a valid tag; a reference here has no host and port",
                      err);
    if (*rest == ':')
        snprintf(ret->tag, sizeof(ret->tag), "%s", rest + 1);
    return 0;
}

int reference_list_tags(struct store *store, const char *name, struct store_names *ret,
                        struct error *err)
{
    int r = store_list_tags(store, name, NULL, SIZE_MAX, ret, err);

    if (r != STORE_NOT_FOUND)
        return r;
    return error_set(err, ENOENT, "there is no repository %s; registryd ls lists the repositories",
                     name);
}

static int say_missing(struct store *store, const struct reference *reference, struct error *err)
{
    CLEANUP(store_names_done) struct store_names tags = {0};
    int r = reference_list_tags(store, reference->name, &tags, err);

    if (r < 0)
        return r;
    return error_set(err, ENOENT, "%s has no %s %s; registryd ls %s shows its tags",
                     reference->name, reference->has_digest ? "manifest" : "tag",
                     reference->has_digest ? "of that digest" : reference->tag, reference->name);
}

int reference_resolve(struct store *store, const struct reference *reference, struct digest *ret,
                      struct error *err)
{
    int r = 0;

    if (reference->has_digest)
        *ret = reference->digest;
    else
        r = store_resolve_tag(store, reference->name, reference->tag, STORE_MAY_WAIT, ret, err);
    if (r == 0)
        r = store_has_manifest(store, reference->name, ret, STORE_MAY_WAIT, err);
    return r == STORE_NOT_FOUND ? say_missing(store, reference, err) : r;
}
