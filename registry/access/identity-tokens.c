/*
 * A token is "rdi_" and the base64url of three parts: the place of the user and client, random
 * bytes, and an HMAC of both. The place and a digest of the token are the key of its record:
 *
 *     private/identity/<place of the user>/<place of the client>-<digest>
 *
 * So the tokens of a user or client can be listed without an index, which could become wrong.
 */
#include "registry/access/identity-tokens.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/random.h"
#include "common/same-bytes.h"
#include "registry/access/identity-record.h"
#include "registry/access/private-key.h"

#define ROOT STORAGE_PRIVATE "identity/"
#define PREFIX "rdi_"

enum {
    USER_SIZE = 12,
    CLIENT_SIZE = 4,
    RANDOM_SIZE = 32,
    TAG_SIZE = 18,
    DIGEST_SIZE = 20, /* bytes */
    TAGGED_SIZE = USER_SIZE + CLIENT_SIZE + RANDOM_SIZE,
    RAW_SIZE = TAGGED_SIZE + TAG_SIZE,
    PREFIX_SIZE = sizeof(PREFIX) - 1,
    CLIENT_DIGITS = 2 * CLIENT_SIZE,
    NOTE_INTERVAL_S = 600,
    ROOM = 10, /* when a bound is reached, a tenth of the tokens is removed */
};

struct identity_tokens {
    struct storage *storage;
    struct keyed_digest *digest;
};

int identity_tokens_open(struct storage *storage, struct identity_tokens **ret, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf key = {0};
    struct identity_tokens *tokens;
    int r = private_key_load(storage, "identity", KEYED_DIGEST_KEY_SIZE, &key, err);

    if (r < 0)
        return r;
    tokens = calloc(1, sizeof(*tokens));
    if (!tokens || keyed_digest_new(key.data, &tokens->digest) < 0) {
        free(tokens);
        return error_set_oom(err);
    }
    tokens->storage = storage;
    *ret = tokens;
    return 0;
}

void identity_tokens_close(struct identity_tokens *tokens)
{
    if (!tokens)
        return;
    keyed_digest_free(tokens->digest);
    free(tokens);
}

/* --- digests --------------------------------------------------------------------------------- */

/* The label makes digests of different things differ. */
static int compute(const struct identity_tokens *tokens, const char *label, const void *data,
                   size_t size, unsigned char ret[KEYED_DIGEST_SIZE])
{
    const struct keyed_part parts[] = {{label, strlen(label)}, {data, size}};

    return keyed_digest_compute(tokens->digest, parts, ARRAY_SIZE(parts), ret);
}

int identity_tokens_get_credential(const struct identity_tokens *tokens, const unsigned char *stamp,
                                   size_t size, struct identity_credential *ret)
{
    return compute(tokens, "credential", stamp, size, ret->bytes);
}

/* Computes the place of the tokens of a user and client. */
static int compute_place(const struct identity_tokens *tokens, const struct identity_record *login,
                         unsigned char ret[USER_SIZE + CLIENT_SIZE])
{
    unsigned char digest[KEYED_DIGEST_SIZE];
    const struct keyed_part client[] = {
        {"client", 6},
        {login->client, strlen(login->client)},
        {login->address, strlen(login->address)},
    };
    int r = compute(tokens, "user", login->user, strlen(login->user), digest);

    if (r < 0)
        return r;
    memcpy(ret, digest, USER_SIZE);
    r = keyed_digest_compute(tokens->digest, client, ARRAY_SIZE(client), digest);
    memcpy(ret + USER_SIZE, digest, CLIENT_SIZE);
    return r;
}

/* Finds key and id of the record of a token. */
static int find_place(const struct identity_tokens *tokens, const unsigned char *raw,
                      struct identity_record *ret)
{
    char user[2 * USER_SIZE + 1], client[CLIENT_DIGITS + 1], digits[2 * DIGEST_SIZE + 1];
    unsigned char digest[KEYED_DIGEST_SIZE];
    int r = compute(tokens, "token", raw, RAW_SIZE, digest);

    if (r < 0)
        return r;
    identity_format_hex(raw, USER_SIZE, user);
    identity_format_hex(raw + USER_SIZE, CLIENT_SIZE, client);
    identity_format_hex(digest, DIGEST_SIZE, digits);
    snprintf(ret->key, sizeof(ret->key), ROOT "%s/%s-%s", user, client, digits);
    snprintf(ret->id, sizeof(ret->id), "%.*s", IDENTITY_ID_SIZE, digits);
    return 0;
}

/* --- records --------------------------------------------------------------------------------- */

static bool is_over(const struct identity_tokens *tokens, const struct identity_record *record)
{
    int64_t last_s = record->used_s > record->created_s ? record->used_s : record->created_s;
    bool is_of_page = strcmp(record->client, IDENTITY_PAGE_CLIENT) == 0;

    return last_s + (is_of_page ? IDENTITY_PAGE_UNUSED_MAX_S : IDENTITY_UNUSED_MAX_S) <
           storage_now(tokens->storage);
}

/* Reads the record at ret->key. 0, STORAGE_NOT_FOUND, or negative. */
static int read_record(const struct identity_tokens *tokens, struct identity_record *ret,
                       struct error *err)
{
    struct storage_reader *reader;
    struct storage_object object;
    char text[IDENTITY_RECORD_MAX];
    ssize_t size;
    int r = storage_open(tokens->storage, ret->key, STORAGE_MAY_WAIT, &reader, &object, err);

    if (r != 0)
        return r;
    size = storage_reader_read(reader, 0, text, sizeof(text));
    storage_reader_close(reader);
    if (size < 0)
        return error_set_errno(err, (int)-size, "cannot read %s", ret->key);
    ret->version = object.version;
    r = identity_record_parse(text, (size_t)size, ret);
    if (r == -ENOMEM)
        return error_set_oom(err);
    return r < 0 ? error_set(err, EBADMSG,
                             "%s is not a valid record of an identity token; remove it", ret->key)
                 : 0;
}

static int write_record(const struct identity_tokens *tokens, const struct identity_record *record,
                        enum storage_condition condition, struct error *err)
{
    CLEANUP_FREE char *text = identity_record_format(record);
    const struct storage_step step = {
        .kind = STORAGE_PUT,
        .key = record->key,
        .data = text,
        .size = text ? strlen(text) : 0,
        .condition = condition,
        .version = record->version,
    };

    return text ? storage_write(tokens->storage, &step, 1, err) : error_set_oom(err);
}

int identity_tokens_revoke(struct identity_tokens *tokens, const struct identity_record *record,
                           struct error *err)
{
    struct storage_version version = record->version;
    struct storage_object object;
    int r = storage_remove_if_unchanged(tokens->storage, record->key, &version, err);

    while (r == STORAGE_CONFLICT) { /* its use was recorded meanwhile */
        r = storage_head(tokens->storage, record->key, STORAGE_MAY_WAIT, &object, err);
        if (r == 0)
            r = storage_remove_if_unchanged(tokens->storage, record->key, &object.version, err);
    }
    return r == STORAGE_NOT_FOUND ? 0 : r;
}

void identity_tokens_note_use(struct identity_tokens *tokens, const struct identity_record *record,
                              const char *address)
{
    struct identity_record used = *record;
    struct error err = {0};
    int r;

    used.used_s = storage_now(tokens->storage);
    if (used.used_s < record->used_s + NOTE_INTERVAL_S)
        return;
    snprintf(used.address, sizeof(used.address), "%s", address);
    r = write_record(tokens, &used, STORAGE_IF_UNCHANGED, &err);
    (void)r;
}

/* --- listing --------------------------------------------------------------------------------- */

static int visit_user(struct identity_tokens *tokens, const char *prefix, identity_visitor *each,
                      void *context, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    int r = storage_list(tokens->storage, prefix, NULL, SIZE_MAX, &list, err);

    for (size_t i = 0; r == 0 && i < list.count; i++) {
        struct identity_record record = {0};
        const char *name = list.entries[i]->name, *digest = strchr(name, '-');

        if (!digest || (size_t)snprintf(record.key, sizeof(record.key), "%s%s", prefix, name) >=
                           sizeof(record.key))
            continue;
        snprintf(record.id, sizeof(record.id), "%.*s", IDENTITY_ID_SIZE, digest + 1);
        r = read_record(tokens, &record, err);
        record.is_damaged = r == -EBADMSG;
        if (r == 0 || record.is_damaged)
            r = each(context, &record, err);
        else if (r == STORAGE_NOT_FOUND)
            r = 0;
    }
    return r;
}

int identity_tokens_for_each(struct identity_tokens *tokens, identity_visitor *each, void *context,
                             struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    int r = storage_list(tokens->storage, ROOT, NULL, SIZE_MAX, &list, err);
    char prefix[sizeof(((struct identity_record *)0)->key)];

    for (size_t i = 0; r == 0 && i < list.count; i++)
        if ((size_t)snprintf(prefix, sizeof(prefix), ROOT "%s/", list.entries[i]->name) <
            sizeof(prefix))
            r = visit_user(tokens, prefix, each, context, err);
    return r;
}

/* --- pruning --------------------------------------------------------------------------------- */

struct pruning {
    struct identity_tokens *tokens;
    int (*pace)(void *object, struct error *err);
    void *object;
    size_t count;
};

static int prune_record(void *context, const struct identity_record *record, struct error *err)
{
    struct pruning *pruning = context;
    struct storage_version version = record->version;
    int r = pruning->pace(pruning->object, err);

    if (r < 0 || record->is_damaged || !is_over(pruning->tokens, record))
        return r;
    r = storage_remove_if_unchanged(pruning->tokens->storage, record->key, &version, err);
    pruning->count += r == 0;
    return r < 0 ? r : 0;
}

int identity_tokens_prune(struct identity_tokens *tokens,
                          int (*pace)(void *object, struct error *err), void *object,
                          size_t *ret_count, struct error *err)
{
    struct pruning pruning = {.tokens = tokens, .pace = pace, .object = object};
    int r = identity_tokens_for_each(tokens, prune_record, &pruning, err);

    *ret_count = pruning.count;
    return r;
}

/* --- bounds ---------------------------------------------------------------------------------- */

struct candidates {
    struct identity_record *items;
    size_t count, capacity;
    const char *client; /* hexadecimal digits of the client's place; NULL: any client */
};

static int add_candidate(void *context, const struct identity_record *record, struct error *err)
{
    struct candidates *candidates = context;
    const char *name = strrchr(record->key, '/') + 1;

    if (candidates->client && strncmp(name, candidates->client, CLIENT_DIGITS) != 0)
        return 0;
    (void)err;
    if (candidates->count <
        candidates->capacity) /* another request that adds a token removes others itself */
        candidates->items[candidates->count++] = *record;
    return 0;
}

/*
 * Sorts damaged records first, then tokens that were never used, then the others by the time of
 * their use or creation.
 */
static int compare_worth(const void *a, const void *b)
{
    const struct identity_record *one = a, *other = b;

    if (one->is_damaged != other->is_damaged)
        return one->is_damaged ? -1 : 1;
    if (one->used_s != other->used_s)
        return one->used_s < other->used_s ? -1 : 1;
    return one->created_s < other->created_s ? -1 : one->created_s > other->created_s;
}

/*
 * Removes the first `count` tokens in the order of compare_worth(). `total` is how many there are
 * below the prefix.
 */
static int remove_least(struct identity_tokens *tokens, const char *prefix, const char *client,
                        size_t total, size_t count, struct error *err)
{
    struct candidates candidates = {.client = client, .capacity = total};
    int r;

    candidates.items = calloc(total, sizeof(*candidates.items));
    r = candidates.items ? visit_user(tokens, prefix, add_candidate, &candidates, err)
                         : error_set_oom(err);
    if (r == 0 && candidates.count > 0)
        qsort(candidates.items, candidates.count, sizeof(*candidates.items), compare_worth);
    for (size_t i = 0; r == 0 && i < candidates.count && i < count; i++)
        r = identity_tokens_revoke(tokens, &candidates.items[i], err);
    free(candidates.items);
    return r;
}

/*
 * Makes room for a new token with this key. Removes tokens of the same client if there are too
 * many, otherwise of the same user.
 */
static int make_room(struct identity_tokens *tokens, const char *key, struct error *err)
{
    CLEANUP(storage_list_done) struct storage_list list = {0};
    const char *name = strrchr(key, '/') + 1;
    char prefix[sizeof(((struct identity_record *)0)->key)], client[CLIENT_DIGITS + 1];
    size_t of_client = 0;
    int r;

    snprintf(prefix, sizeof(prefix), "%.*s", (int)(name - key), key);
    snprintf(client, sizeof(client), "%.*s", CLIENT_DIGITS, name);
    r = storage_list(tokens->storage, prefix, NULL, SIZE_MAX, &list, err);
    for (size_t i = 0; r == 0 && i < list.count; i++)
        of_client += strncmp(list.entries[i]->name, client, CLIENT_DIGITS) == 0;
    if (r == 0 && of_client >= IDENTITY_PER_CLIENT)
        return remove_least(tokens, prefix, client, list.count,
                            of_client - IDENTITY_PER_CLIENT + IDENTITY_PER_CLIENT / ROOM, err);
    if (r == 0 && list.count >= IDENTITY_PER_USER)
        return remove_least(tokens, prefix, NULL, list.count,
                            list.count - IDENTITY_PER_USER + IDENTITY_PER_USER / ROOM, err);
    return r;
}

/* --- tokens ---------------------------------------------------------------------------------- */

static int compute_tag(const struct identity_tokens *tokens, const unsigned char *raw,
                       unsigned char ret[KEYED_DIGEST_SIZE])
{
    return compute(tokens, "tag", raw, TAGGED_SIZE, ret);
}

static int make_raw(const struct identity_tokens *tokens, const struct identity_record *login,
                    unsigned char *ret_raw)
{
    unsigned char tag[KEYED_DIGEST_SIZE];
    int r = compute_place(tokens, login, ret_raw);

    random_bytes(ret_raw + USER_SIZE + CLIENT_SIZE, RANDOM_SIZE);
    if (r == 0)
        r = compute_tag(tokens, ret_raw, tag);
    memcpy(ret_raw + TAGGED_SIZE, tag, TAG_SIZE);
    return r;
}

static int append_token(const unsigned char *raw, struct secbuf *ret_token)
{
    int r = secbuf_reserve(ret_token, IDENTITY_TOKEN_SIZE + 1);

    if (r == 0)
        r = secbuf_append(ret_token, PREFIX, PREFIX_SIZE);
    if (r < 0)
        return r;
    base64url_encode(raw, RAW_SIZE, (char *)ret_token->data + ret_token->size);
    ret_token->size += base64url_encoded_size(RAW_SIZE);
    return 0;
}

int identity_tokens_create(struct identity_tokens *tokens, const struct identity_record *login,
                           struct secbuf *ret_token, struct error *err)
{
    struct identity_record record = *login;
    unsigned char *raw = secure_malloc(RAW_SIZE);
    int r = raw ? make_raw(tokens, login, raw) : -ENOMEM;

    if (r == 0)
        r = find_place(tokens, raw, &record);
    if (r == 0)
        r = append_token(raw, ret_token);
    secure_free(raw);
    if (r < 0)
        return error_set_oom(err);
    record.created_s = storage_now(tokens->storage);
    record.used_s = 0;
    r = make_room(tokens, record.key, err);
    return r < 0 ? r : write_record(tokens, &record, STORAGE_ALWAYS, err);
}

bool identity_token_has_form(const struct secbuf *token)
{
    return token->size == IDENTITY_TOKEN_SIZE && memcmp(token->data, PREFIX, PREFIX_SIZE) == 0;
}

/* 0, IDENTITY_TOKEN_INVALID or -ENOMEM. */
static int decode(const struct identity_tokens *tokens, const struct secbuf *token,
                  unsigned char *ret_raw)
{
    unsigned char tag[KEYED_DIGEST_SIZE];
    size_t size = 0;

    if (!identity_token_has_form(token) ||
        base64url_decode((const char *)token->data + PREFIX_SIZE, token->size - PREFIX_SIZE,
                         ret_raw, &size) < 0 ||
        size != RAW_SIZE)
        return IDENTITY_TOKEN_INVALID;
    if (compute_tag(tokens, ret_raw, tag) < 0)
        return -ENOMEM;
    return same_bytes(ret_raw + TAGGED_SIZE, tag, TAG_SIZE) ? 0 : IDENTITY_TOKEN_INVALID;
}

int identity_tokens_find(struct identity_tokens *tokens, const struct secbuf *token,
                         struct identity_record *ret, struct error *err)
{
    unsigned char *raw = secure_malloc(RAW_SIZE + 3);
    int r = raw ? decode(tokens, token, raw) : -ENOMEM;

    *ret = (struct identity_record){0};
    if (r == 0)
        r = find_place(tokens, raw, ret);
    secure_free(raw);
    if (r != 0)
        return r < 0 ? error_set_oom(err) : r;
    r = read_record(tokens, ret, err);
    if (r == STORAGE_NOT_FOUND || (r == 0 && is_over(tokens, ret)))
        return IDENTITY_TOKEN_INVALID;
    return r;
}
