/*
 * Reads http.trustedproxies: the proxies whose X-Forwarded-For header is trusted. registry:2 trusts
 * that header from every client.
 */
#include <stdlib.h>
#include <string.h>

#include "registry/config/place.h"
#include "registry/config/settings-private.h"

static const char path[] = "http.trustedproxies";

static int add_proxy(const struct reader *reader, const struct yaml_tree *node,
                     struct settings_http *http)
{
    if (node->kind != YAML_SCALAR || strlen(node->text) != node->size ||
        network_parse(node->text, &http->trusted_proxies[http->trusted_proxy_count]) < 0)
        return place_refuse(node, path, reader->err,
                            "must be a list of addresses and networks, such as "
                            "[127.0.0.1, 10.0.0.0/8, 'fd00::/8', unix]");
    http->trusted_proxy_count++;
    return 0;
}

int settings_read_proxies(const struct reader *reader, struct settings_http *http)
{
    const struct yaml_tree *node = reader_find(reader, path);
    size_t count;
    int r = 0;

    if (!node || yaml_tree_is_null(node))
        return 0;
    count = node->kind == YAML_SEQUENCE ? node->count : 1;
    http->trusted_proxies = calloc(count + 1, sizeof(*http->trusted_proxies));
    if (!http->trusted_proxies)
        return error_set_oom(reader->err);
    if (node->kind != YAML_SEQUENCE)
        return add_proxy(reader, node, http);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = add_proxy(reader, node->members[i].value, http);
    return r;
}
