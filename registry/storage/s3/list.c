/*
 * A store lists by key, where the prefix "a/" comes after "a-b/"; the contract lists by name, where
 * "a" comes first. A name with a character below '/' is therefore held back until the shorter one
 * can no longer follow.
 */
#include "registry/storage/s3/s3-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry/storage/s3/delete-many.h"
#include "registry/storage/s3/xml.h"

enum { PAGE_MAX = 1000, ANSWER_MAX = 16 << 20, TOKEN_SIZE = 4096 };

/* One listing, over all of its pages. An answer has objects and prefixes apart, so each page is
 * sorted. */
struct listing {
    struct s3 *s3;
    char *prefix; /* in the bucket */
    size_t prefix_size;
    const char *delimiter;  /* "/" or NULL */
    char *start_after;      /* in the bucket; NULL: from the first */
    char token[TOKEN_SIZE]; /* of the next page */
    bool is_truncated;
    struct storage_list page;
    int64_t newest_s; /* when an object was written last; 0: there is none */
    /* 0, or negative to end it. Names are below the prefix, in the order of their keys. */
    int (*take)(struct listing *listing, const char *name, size_t size, bool is_prefix);
    void *object;
};

int64_t s3_parse_stamp(const char *text)
{
    struct tm tm = {0};

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec) != 6)
        return INT64_MAX; /* counts as used */
    tm.tm_year -= 1900;
    tm.tm_mon--;
    return (int64_t)timegm(&tm);
}

static int on_element(void *object, const char *path, const char *text)
{
    struct listing *listing = object;
    bool is_prefix = strcmp(path, "ListBucketResult/CommonPrefixes/Prefix") == 0;
    size_t size = strlen(text);

    if (strcmp(path, "ListBucketResult/IsTruncated") == 0) {
        listing->is_truncated = strcmp(text, "true") == 0;
        return 0;
    }
    if (strcmp(path, "ListBucketResult/NextContinuationToken") == 0) {
        snprintf(listing->token, sizeof(listing->token), "%s", text);
        return 0;
    }
    if (strcmp(path, "ListBucketResult/Contents/LastModified") == 0) {
        int64_t written_s = s3_time_of(listing->s3, s3_parse_stamp(text));

        listing->newest_s = written_s > listing->newest_s ? written_s : listing->newest_s;
        return 0;
    }
    if (!is_prefix && strcmp(path, "ListBucketResult/Contents/Key") != 0)
        return 0;
    if (size <= listing->prefix_size || strncmp(text, listing->prefix, listing->prefix_size) != 0)
        return 0; /* an object whose key is the prefix marks a directory */
    size -= listing->prefix_size;
    if (is_prefix && text[listing->prefix_size + size - 1] == '/')
        size--;
    return storage_list_add(&listing->page, text + listing->prefix_size, size, is_prefix);
}

/* By key, where the name of a prefix has a slash at its end. */
static int compare_entries(const void *a, const void *b)
{
    const struct storage_entry *one = *(const struct storage_entry *const *)a;
    const struct storage_entry *two = *(const struct storage_entry *const *)b;
    size_t same = 0;

    while (one->name[same] && one->name[same] == two->name[same])
        same++;
    return (unsigned char)(one->name[same] || !one->is_prefix ? one->name[same] : '/') -
           (unsigned char)(two->name[same] || !two->is_prefix ? two->name[same] : '/');
}

static int take_page(struct listing *listing)
{
    int r = 0;

    if (listing->page.count > 0)
        qsort(listing->page.entries, listing->page.count, sizeof(*listing->page.entries),
              compare_entries);
    for (size_t i = 0; r == 0 && i < listing->page.count; i++) {
        const struct storage_entry *entry = listing->page.entries[i];

        r = listing->take(listing, entry->name, strlen(entry->name), entry->is_prefix);
    }
    return r;
}

static int parse_page(struct listing *listing, const struct s3_answer *answer, struct error *err)
{
    int r;

    listing->is_truncated = false;
    listing->token[0] = '\0';
    r = xml_parse(answer->bytes, answer->size, on_element, listing, err);
    if (r == 0 && listing->is_truncated && !*listing->token)
        r = error_set(err, EBADMSG, "the store's list has more pages, but does not say where");
    if (r == 0)
        r = take_page(listing);
    storage_list_done(&listing->page);
    return r == -ENOMEM ? error_set_oom(err) : r;
}

static int fetch_page(struct listing *listing, size_t most, struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    char text[32];
    struct s3_pair query[6] = {{"list-type", "2"}, {"prefix", listing->prefix}, {"max-keys", text}};
    size_t count = 3;
    struct s3_request request = {.method = "GET", .key = "", .query = query, .limit = ANSWER_MAX};
    int r;

    snprintf(text, sizeof(text), "%zu", most < PAGE_MAX ? most : PAGE_MAX);
    if (listing->delimiter)
        query[count++] = (struct s3_pair){"delimiter", listing->delimiter};
    if (*listing->token)
        query[count++] = (struct s3_pair){"continuation-token", listing->token};
    else if (listing->start_after)
        query[count++] = (struct s3_pair){"start-after", listing->start_after};
    request.query_count = count;
    r = s3_call(listing->s3->client, &request, &answer, err);
    if (r < 0)
        return r;
    return answer.status == 200 ? parse_page(listing, &answer, err)
                                : s3_answer_fail(&answer, &request, err);
}

/* All pages, each of at most that many names, until take() answers -ECANCELED. 0 or negative. */
static int run_listing(struct listing *listing, size_t most, struct error *err)
{
    int r;

    do
        r = fetch_page(listing, most, err);
    while (r == 0 && listing->is_truncated);
    return r == -ECANCELED ? 0 : r;
}

static void listing_done(struct listing *listing)
{
    free(listing->prefix);
    free(listing->start_after);
}

static int listing_init(struct listing *listing, struct s3 *s3, const char *prefix,
                        const char *after, struct error *err)
{
    *listing = (struct listing){.s3 = s3, .prefix = s3_full_key(s3, prefix)};
    if (!listing->prefix)
        return error_set_oom(err);
    listing->prefix_size = strlen(listing->prefix);
    if (after && asprintf(&listing->start_after, "%s%s", listing->prefix, after) < 0) {
        listing->start_after = NULL;
        return error_set_oom(err);
    }
    return 0;
}

/* --- by name --------------------------------------------------------------------------------- */

/* A list whose first entries are final, while the rest, sorted too, may still get others before
 * them. */
struct collecting {
    struct storage_list *list;
    const char *after; /* NULL: from the first */
    size_t limit, final;
};

/*
 * Whether all names before this one have come, after a key that begins with name and, for a prefix,
 * '/'. A name that could still come before "a-b" is "a", as "a/"; the shortest one comes last.
 */
static bool is_final(const char *entry, const char *name, bool is_prefix)
{
    size_t size = 1;
    int order;

    while (entry[size] && entry[size] >= '/')
        size++;
    if (!entry[size])
        return true;
    order = strncmp(name, entry, size); /* with what would be the shorter name */
    if (order != 0)
        return order > 0;
    return name[size] ? name[size] >= '/' : is_prefix;
}

static void sort_in(struct collecting *collecting)
{
    struct storage_entry **entries = collecting->list->entries;
    size_t place = collecting->list->count - 1;
    struct storage_entry *last = entries[place];

    for (; place > collecting->final && strcmp(entries[place - 1]->name, last->name) > 0; place--)
        entries[place] = entries[place - 1];
    entries[place] = last;
}

static int collect(struct listing *listing, const char *name, size_t size, bool is_prefix)
{
    struct collecting *collecting = listing->object;
    struct storage_list *list = collecting->list;
    const struct storage_entry *added;

    if (storage_list_add(list, name, size, is_prefix) < 0)
        return -ENOMEM;
    added = list->entries[list->count - 1];
    sort_in(collecting);
    while (collecting->final < list->count &&
           is_final(list->entries[collecting->final]->name, added->name, is_prefix))
        collecting->final++;
    return collecting->final > collecting->limit ? -ECANCELED : 0;
}

/* What does not come after the name where the page begins is not part of it. */
static int collect_after(struct listing *listing, const char *name, size_t size, bool is_prefix)
{
    const struct collecting *collecting = listing->object;
    const char *after = collecting->after;

    if (after) {
        size_t after_size = strlen(after), shorter = size < after_size ? size : after_size;
        int order = memcmp(name, after, shorter);

        if (order < 0 || (order == 0 && size <= after_size))
            return 0;
    }
    return collect(listing, name, size, is_prefix);
}

static void cut(struct storage_list *list, size_t limit)
{
    if (list->count <= limit)
        return;
    for (size_t i = limit; i < list->count; i++)
        free(list->entries[i]);
    list->count = limit;
    list->has_more = true;
}

int s3_list(struct storage *storage, const char *prefix, const char *after, size_t limit,
            struct storage_list *ret, struct error *err)
{
    CLEANUP(listing_done) struct listing listing;
    struct storage_list list = {0};
    struct collecting collecting = {.list = &list, .after = after, .limit = limit};
    int r = listing_init(&listing, (struct s3 *)storage, prefix, after, err);

    if (r < 0)
        return r;
    listing.delimiter = "/";
    listing.take = collect_after;
    listing.object = &collecting;
    r = run_listing(&listing, limit < PAGE_MAX ? limit + 2 : PAGE_MAX, err);
    if (r < 0) {
        storage_list_done(&list);
        return r;
    }
    cut(&list, limit);
    *ret = list;
    return 0;
}

/* --- all keys -------------------------------------------------------------------------------- */

static void keys_free(char **keys)
{
    for (char **key = keys; key && *key; key++)
        free(*key);
    free(keys);
}

static void keys_freep(char ***keys)
{
    keys_free(*keys);
}

static int keep_name(struct listing *listing, const char *name, size_t size, bool is_prefix)
{
    (void)is_prefix;
    return storage_list_add(listing->object, name, size, false);
}

int s3_list_keys(struct storage *storage, const char *prefix, const char *after, size_t limit,
                 struct storage_list *ret, struct error *err)
{
    CLEANUP(listing_done) struct listing listing;
    CLEANUP(storage_list_done) struct storage_list keys = {0};
    int r = listing_init(&listing, (struct s3 *)storage, prefix, after, err);

    if (r < 0)
        return r;
    listing.take = keep_name;
    listing.object = &keys;
    do
        r = fetch_page(&listing, limit, err);
    while (r == 0 && keys.count == 0 && listing.is_truncated);
    if (r < 0)
        return r;
    *ret = keys;
    ret->has_more = listing.is_truncated;
    keys = (struct storage_list){0};
    return 0;
}

/* The keys of all names, below a prefix. Free with keys_free(). NULL if memory is out. */
static char **format_keys(const char *prefix, const struct storage_list *names)
{
    char **keys = calloc(names->count + 1, sizeof(*keys));

    for (size_t i = 0; keys && i < names->count; i++) {
        if (asprintf(&keys[i], "%s%s", prefix, names->entries[i]->name) < 0) {
            keys[i] = NULL;
            keys_free(keys);
            return NULL;
        }
    }
    return keys;
}

int s3_for_each_page_below(struct s3 *s3, const char *prefix, s3_page_function *each, void *object,
                           struct error *err)
{
    CLEANUP(listing_done) struct listing listing;
    int r = listing_init(&listing, s3, prefix, NULL, err);

    if (r < 0)
        return r;
    listing.take = keep_name;
    do {
        CLEANUP(storage_list_done) struct storage_list names = {0};
        CLEANUP(keys_freep) char **keys = NULL;

        listing.object = &names;
        r = fetch_page(&listing, PAGE_MAX, err);
        if (r < 0)
            return r;
        keys = format_keys(prefix, &names);
        r = keys ? each(object, (const char *const *)keys, names.count, err) : error_set_oom(err);
    } while (r == 0 && listing.is_truncated);
    return r;
}

/* A function that is called for each key. */
struct key_visit {
    s3_key_function *each;
    void *object;
};

static int visit_keys(void *object, const char *const *keys, size_t count, struct error *err)
{
    const struct key_visit *visit = object;
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++)
        r = visit->each(visit->object, keys[i], err);
    return r;
}

int s3_for_each_below(struct s3 *s3, const char *prefix, s3_key_function *each, void *object,
                      struct error *err)
{
    struct key_visit visit = {.each = each, .object = object};

    return s3_for_each_page_below(s3, prefix, visit_keys, &visit, err);
}

static int delete_page(void *object, const char *const *keys, size_t count, struct error *err)
{
    return s3_delete_many(object, keys, count, err);
}

int s3_delete_below(struct s3 *s3, const char *prefix, struct error *err)
{
    return s3_for_each_page_below(s3, prefix, delete_page, s3, err);
}

static int skip_name(struct listing *listing, const char *name, size_t size, bool is_prefix)
{
    (void)listing;
    (void)name;
    (void)size;
    (void)is_prefix;
    return 0;
}

int s3_find_newest(struct s3 *s3, const char *prefix, int64_t *ret_s, struct error *err)
{
    CLEANUP(listing_done) struct listing listing;
    int r = listing_init(&listing, s3, prefix, NULL, err);

    if (r < 0)
        return r;
    listing.take = skip_name;
    r = run_listing(&listing, PAGE_MAX, err);
    if (r == 0 && listing.newest_s == 0)
        return STORAGE_NOT_FOUND;
    *ret_s = listing.newest_s;
    return r;
}
