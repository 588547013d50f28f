/*
 * Reads auth.token, for tokens from another server: the settings of registry:2 and those that
 * registry 3 added.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/config/place.h"
#include "registry/config/settings-private.h"

static const struct yaml_tree *find_group(const struct reader *reader)
{
    return yaml_tree_find(yaml_tree_find(reader->tree, "auth"), "token");
}

static const char path_of_algorithms[] = "auth.token.signingalgorithms";

static int refuse_algorithms(const struct reader *reader, const struct yaml_tree *node)
{
    return place_refuse(node, path_of_algorithms, reader->err,
                        "must be a list of public-key algorithms, such as [ES256, RS256, EdDSA]");
}

static bool is_word(const struct yaml_tree *node)
{
    return node->kind == YAML_SCALAR && node->size > 0 && strlen(node->text) == node->size;
}

static int read_algorithms(const struct reader *reader, struct settings_token *token)
{
    const struct yaml_tree *node = reader_find(reader, path_of_algorithms);

    if (!node || (node->kind == YAML_SEQUENCE && node->count == 0))
        return 0;
    if (node->kind != YAML_SEQUENCE && !is_word(node))
        return refuse_algorithms(reader, node);
    token->algorithms =
        calloc(node->kind == YAML_SEQUENCE ? node->count : 1, sizeof(*token->algorithms));
    if (!token->algorithms)
        return error_set_oom(reader->err);
    if (node->kind != YAML_SEQUENCE)
        token->algorithms[token->algorithm_count++] = node->text;
    for (size_t i = 0; node->kind == YAML_SEQUENCE && i < node->count; i++) {
        if (!is_word(node->members[i].value))
            return refuse_algorithms(reader, node->members[i].value);
        token->algorithms[token->algorithm_count++] = node->members[i].value->text;
    }
    return 0;
}

static int read_redirect(const struct reader *reader, struct settings_token *token)
{
    const char *path = "/auth/token";
    bool is_enabled = false;
    int r = reader_get_bool(reader, "auth.token.autoredirect", &is_enabled);

    if (r == 0)
        r = reader_get_text(reader, "auth.token.autoredirectpath", &path);
    if (r == 0 && (path[0] != '/' || strpbrk(path, "\"\\ ")))
        return reader_refuse(reader, "auth.token.autoredirectpath",
                             "must be a path that begins with a slash");
    if (r == 0 && is_enabled)
        token->redirect_path = path;
    return r;
}

/* Reads a text that becomes part of the WWW-Authenticate header. */
static int read_word(const struct reader *reader, const char *name, const char *meaning,
                     const char **ret)
{
    char path[PLACE_SIZE];
    int r;

    snprintf(path, sizeof(path), "auth.token.%s", name);
    r = reader_get_text(reader, path, ret);
    if (r == 0 && !*ret)
        return place_refuse(find_group(reader), "auth.token", reader->err, "%s is missing: %s",
                            name, meaning);
    if (r == 0 && strpbrk(*ret, "\"\\"))
        return reader_refuse(
            reader, path, "must not contain quotes or backslashes: clients parse them differently");
    return r;
}

static int read_keys(const struct reader *reader, struct settings_token *token)
{
    int r = reader_get_text(reader, "auth.token.rootcertbundle", &token->certificates);

    if (r == 0)
        r = reader_get_text(reader, "auth.token.jwks", &token->key_set);
    if (r == 0 && !token->certificates && !token->key_set)
        return place_refuse(
            find_group(reader), "auth.token", reader->err,
            "rootcertbundle or jwks is missing: the file with the token server's certificates or "
             "keys");
    return r;
}

int settings_read_token(const struct reader *reader, struct settings_token *token)
{
    int r;

    if (!find_group(reader))
        return 0;
    r = read_word(reader, "realm", "the URL at which clients fetch tokens", &token->realm);
    if (r == 0)
        r = read_word(reader, "service", "the name of this registry, the audience of its tokens",
                      &token->service);
    if (r == 0)
        r = read_word(reader, "issuer", "the name of the token server", &token->issuer);
    if (r == 0)
        r = read_keys(reader, token);
    if (r == 0)
        r = read_algorithms(reader, token);
    token->is_enabled = true;
    return r < 0 ? r : read_redirect(reader, token);
}
