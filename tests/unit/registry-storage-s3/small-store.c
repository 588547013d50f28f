#include "tests/unit/registry-storage-s3/small-store.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/digest.h"
#include "tests/unit/check.h"

enum { HEAD_MAX = 16 << 10, ETAG_SIZE = 48, META_SIZE = 256, TIME_SIZE = 32, PARTS_MAX = 10000 };
enum { CONNECTIONS_MAX = 256 };

struct object {
    char *key;
    char *bytes;
    size_t size;
    char etag[ETAG_SIZE], meta[META_SIZE], written[TIME_SIZE];
    time_t written_s;
    struct object *next; /* sorted by key */
};

struct multipart {
    char *key;
    unsigned id;
    time_t started_s;
    struct object *parts; /* the key is the number, in five digits */
    struct multipart *next;
};

/* A connection and the thread that serves it. Its place is used again once the thread is joined. */
struct connection {
    struct small_store *store;
    int socket; /* -1: closed */
    pthread_t thread;
    bool has_thread; /* the thread must be joined; used by the accepting thread only */
};

struct small_store {
    int listener;
    char endpoint[64];
    pthread_t thread;
    pthread_mutex_t mutex; /* protects the rest */
    struct connection connections[CONNECTIONS_MAX];
    struct object *objects;
    struct multipart *multiparts;
    unsigned last_id;
    char *log;
    size_t log_size;
    FILE *log_file;
    char held[64]; /* GET of a key that contains it gets no answer; "": none is held */
    pthread_cond_t released;
    char cut_key[64];
    unsigned cut_after;
    time_t passed_s;
    bool is_over;
};

struct request {
    struct small_store *store;
    int socket;
    char *head, *method, *key, *query; /* key: after "/bucket/", decoded */
    char *body;
    size_t size;
    char *answer; /* sent without the mutex: a client may read it slowly */
    size_t answer_size;
};

static time_t now_of(const struct small_store *store)
{
    return time(NULL) + store->passed_s;
}

/* --- texts ------------------------------------------------------------------------------------ */

static void decode(const char *text, size_t size, char *ret)
{
    for (size_t i = 0; i < size; i++) {
        unsigned value;

        if (text[i] == '%' && i + 2 < size && sscanf(text + i + 1, "%2x", &value) == 1) {
            *ret++ = (char)value;
            i += 2;
        } else {
            *ret++ = text[i];
        }
    }
    *ret = '\0';
}

/* A parameter of the query; NULL if it is missing. Free with free(). */
static char *parameter(const struct request *request, const char *name)
{
    size_t size = strlen(name);

    for (const char *at = request->query; at && *at;) {
        size_t length = strcspn(at, "&");

        if (length > size && strncmp(at, name, size) == 0 && at[size] == '=') {
            char *value = malloc(length - size);

            decode(at + size + 1, length - size - 1, value);
            return value;
        }
        at += length + (at[length] == '&');
    }
    return NULL;
}

static bool has_parameter(const struct request *request, const char *name)
{
    char *value = parameter(request, name);

    free(value);
    return value;
}

/* A header's value, up to the end of its line, without quotes; "" if it is missing. */
static const char *header(const struct request *request, const char *name, char ret[1024])
{
    char line[128];
    const char *found;

    snprintf(line, sizeof(line), "\r\n%s: ", name);
    found = strcasestr(request->head, line);
    snprintf(ret, 1024, "%.*s", found ? (int)strcspn(found + strlen(line), "\r") : 0,
             found ? found + strlen(line) : "");
    if (*ret == '"' && strlen(ret) > 1) {
        memmove(ret, ret + 1, strlen(ret));
        ret[strlen(ret) - 1] = '\0';
    }
    return ret;
}

/* As headers have it. */
static void format_date(time_t time, char ret[TIME_SIZE])
{
    struct tm tm;

    gmtime_r(&time, &tm);
    strftime(ret, TIME_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* As lists have it. */
static void format_stamp(time_t time, char ret[TIME_SIZE])
{
    struct tm tm;

    gmtime_r(&time, &tm);
    strftime(ret, TIME_SIZE, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
}

/* --- answers ---------------------------------------------------------------------------------- */

static bool send_all(int socket, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(socket, bytes, size, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

/* Fills in the answer. Always true, for handlers to return. */
static bool say(struct request *request, const char *status, const char *headers, const char *body,
                size_t size)
{
    bool has_body = strcmp(request->method, "HEAD") != 0 && strncmp(status, "204", 3) != 0;
    FILE *out = open_memstream(&request->answer, &request->answer_size);
    char date[TIME_SIZE];

    format_date(now_of(request->store), date);
    fprintf(out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nDate: %s\r\n%s\r\n", status, size, date,
            headers);
    if (has_body && size > 0)
        fwrite(body, 1, size, out);
    return fclose(out) == 0;
}

static bool say_text(struct request *request, const char *status, const char *text)
{
    return say(request, status, "", text, strlen(text));
}

static bool say_etag(struct request *request, const char *etag)
{
    char line[ETAG_SIZE + 16];

    snprintf(line, sizeof(line), "ETag: \"%s\"\r\n", etag);
    return say(request, "200 OK", line, "", 0);
}

/* --- objects ---------------------------------------------------------------------------------- */

static struct object **find_place(struct object **list, const char *key)
{
    while (*list && strcmp((*list)->key, key) < 0)
        list = &(*list)->next;
    return list;
}

static struct object *find(struct object **list, const char *key)
{
    struct object *object = *find_place(list, key);

    return object && strcmp(object->key, key) == 0 ? object : NULL;
}

static void remove_object(struct object **list, const char *key)
{
    struct object **place = find_place(list, key), *object = *place;

    if (!object || strcmp(object->key, key) != 0)
        return;
    *place = object->next;
    free(object->key);
    free(object->bytes);
    free(object);
}

/* Takes ownership of bytes. */
static struct object *put_object(const struct small_store *store, struct object **list,
                                 const char *key, char *bytes, size_t size)
{
    struct object *object = calloc(1, sizeof(*object)), **place;
    struct digest digest;

    remove_object(list, key);
    place = find_place(list, key);
    *object = (struct object){.key = strdup(key),
                              .bytes = bytes,
                              .size = size,
                              .written_s = now_of(store),
                              .next = *place};
    assert_int_equal(digest_of(DIGEST_SHA256, bytes ? bytes : "", size, &digest), 0);
    snprintf(object->etag, sizeof(object->etag), "%.32s", digest.hex);
    *place = object;
    return object;
}

static void remove_all(struct object **list)
{
    while (*list)
        remove_object(list, (*list)->key);
}

static void note_meta(const struct request *request, struct object *object)
{
    static const char *const names[] = {"x-amz-meta-registryd-write",
                                        "x-amz-meta-registryd-removed"};
    char value[1024];

    for (size_t i = 0; i < 2; i++)
        if (*header(request, names[i], value))
            snprintf(object->meta + strlen(object->meta), META_SIZE - strlen(object->meta),
                     "%s: %.100s\r\n", names[i], value);
}

static bool holds(const struct request *request, const struct object *object)
{
    char match[1024];

    if (*header(request, "if-none-match", match))
        return !object;
    return !*header(request, "if-match", match) || (object && strcmp(object->etag, match) == 0);
}

static bool refuse(struct request *request)
{
    return say_text(request, "412 Precondition Failed",
                    "<Error><Code>PreconditionFailed</Code></Error>");
}

static bool answer_put(struct request *request)
{
    struct object **list = &request->store->objects, *object = find(list, request->key), *source;
    char value[1024];

    if (!holds(request, object))
        return refuse(request);
    if (*header(request, "x-amz-copy-source", value)) {
        char *from = strchr(value + 1, '/') + 1;

        decode(from, strlen(from), from);
        source = find(list, from);
        if (!source)
            return say_text(request, "404 Not Found", "<Error><Code>NoSuchKey</Code></Error>");
        free(request->body);
        request->body = malloc(source->size + 1);
        memcpy(request->body, source->bytes, source->size);
        request->size = source->size;
    }
    object = put_object(request->store, list, request->key, request->body, request->size);
    request->body = NULL;
    note_meta(request, object);
    return say_etag(request, object->etag);
}

static bool answer_get(struct request *request)
{
    const struct object *object = find(&request->store->objects, request->key);
    char headers[512], written[TIME_SIZE], value[1024];
    size_t first = 0, last;

    if (!object)
        return say_text(request, "404 Not Found", "<Error><Code>NoSuchKey</Code></Error>");
    if (!holds(request, object))
        return refuse(request);
    last = object->size;
    if (sscanf(header(request, "range", value), "bytes=%zu-%zu", &first, &last) == 2)
        last++;
    last = last < object->size ? last : object->size;
    format_date(object->written_s, written);
    snprintf(headers, sizeof(headers), "ETag: \"%s\"\r\nLast-Modified: %s\r\n%s", object->etag,
             written, object->meta);
    return say(request, *value ? "206 Partial Content" : "200 OK", headers, object->bytes + first,
               last - first);
}

/* --- the bucket ------------------------------------------------------------------------------- */

/* Writes an entry for a key, and skips those with the same prefix up to the delimiter. */
static const struct object *list_entry(FILE *out, const struct object *object, size_t prefix_size,
                                       bool has_delimiter)
{
    const char *first = object->key;
    const char *slash = has_delimiter ? strchr(first + prefix_size, '/') : NULL;
    char written[TIME_SIZE];
    size_t size;

    if (!slash) {
        format_stamp(object->written_s, written);
        fprintf(out, "<Contents><Key>%s</Key><LastModified>%s</LastModified></Contents>",
                object->key, written);
        return object->next;
    }
    size = (size_t)(slash + 1 - first);
    fprintf(out, "<CommonPrefixes><Prefix>%.*s</Prefix></CommonPrefixes>", (int)size, first);
    while (object && strncmp(object->key, first, size) == 0)
        object = object->next;
    return object;
}

static bool answer_list(struct request *request)
{
    char *prefix = parameter(request, "prefix"), *after = parameter(request, "start-after"),
         *token = parameter(request, "continuation-token"), *most = parameter(request, "max-keys"),
         *body;
    bool has_delimiter = has_parameter(request, "delimiter");
    size_t left = most ? strtoul(most, NULL, 10) : 1000, size;
    FILE *out = open_memstream(&body, &size);
    const struct object *object = request->store->objects;

    fputs("<ListBucketResult>", out);
    while (object && (strncmp(object->key, prefix, strlen(prefix)) != 0 ||
                      (token && strcmp(object->key, token) < 0) ||
                      (!token && after && strcmp(object->key, after) <= 0)))
        object = object->next;
    for (; left > 0 && object && strncmp(object->key, prefix, strlen(prefix)) == 0; left--)
        object = list_entry(out, object, strlen(prefix), has_delimiter);
    if (object && strncmp(object->key, prefix, strlen(prefix)) == 0)
        fprintf(out,
                "<IsTruncated>true</IsTruncated><NextContinuationToken>%s</NextContinuationToken>",
                object->key);
    fputs("</ListBucketResult>", out);
    fclose(out);
    say(request, "200 OK", "", body, size);
    free(body);
    free(prefix);
    free(after);
    free(token);
    free(most);
    return true;
}

static bool answer_delete_many(struct request *request)
{
    char *body;
    size_t size;
    FILE *out = open_memstream(&body, &size);

    fputs("<DeleteResult>", out);
    for (char *at = request->body; (at = strstr(at, "<Key>"));) {
        char *key = at + 5, *end = strstr(key, "</Key>");

        *end = '\0';
        remove_object(&request->store->objects, key);
        fprintf(out, "<Deleted><Key>%s</Key></Deleted>", key);
        at = end + 1;
    }
    fputs("</DeleteResult>", out);
    fclose(out);
    say(request, "200 OK", "", body, size);
    free(body);
    return true;
}

/* --- multipart uploads -------------------------------------------------------------------------
 */

/* The pointer to the upload that the query names, or to NULL at the end of the list. */
static struct multipart **find_multipart(const struct request *request)
{
    char *id = parameter(request, "uploadId");
    struct multipart **place = &request->store->multiparts;

    while (*place && (*place)->id != strtoul(id, NULL, 10))
        place = &(*place)->next;
    free(id);
    return place;
}

static bool answer_start(struct request *request)
{
    struct multipart *multipart = calloc(1, sizeof(*multipart));
    char body[256];

    *multipart = (struct multipart){.key = strdup(request->key),
                                    .id = ++request->store->last_id,
                                    .started_s = now_of(request->store),
                                    .next = request->store->multiparts};
    request->store->multiparts = multipart;
    snprintf(body, sizeof(body),
             "<InitiateMultipartUploadResult><UploadId>%u</UploadId>"
             "</InitiateMultipartUploadResult>",
             multipart->id);
    return say_text(request, "200 OK", body);
}

/* One at a time, so that clients must ask for the next page. */
static bool answer_multiparts(struct request *request)
{
    char *after = parameter(request, "upload-id-marker"), body[1024], started[TIME_SIZE];
    const struct multipart *multipart = request->store->multiparts;

    while (multipart && after && multipart->id >= strtoul(after, NULL, 10))
        multipart = multipart->next;
    free(after);
    if (!multipart)
        return say_text(request, "200 OK", "<ListMultipartUploadsResult/>");
    format_stamp(multipart->started_s, started);
    snprintf(body, sizeof(body),
             "<ListMultipartUploadsResult><NextKeyMarker>%s</NextKeyMarker>"
             "<NextUploadIdMarker>%u</NextUploadIdMarker><IsTruncated>%s</IsTruncated>"
             "<Upload><Key>%s</Key><UploadId>%u</UploadId><Initiated>%s</Initiated></Upload>"
             "</ListMultipartUploadsResult>",
             multipart->key, multipart->id, multipart->next ? "true" : "false", multipart->key,
             multipart->id, started);
    return say_text(request, "200 OK", body);
}

static void drop_multipart(struct multipart **place)
{
    struct multipart *multipart = *place;

    *place = multipart->next;
    remove_all(&multipart->parts);
    free(multipart->key);
    free(multipart);
}

static bool answer_part(struct request *request, struct multipart *multipart)
{
    char *number = parameter(request, "partNumber"), key[16], value[1024];
    size_t first, last;
    struct object *part;

    snprintf(key, sizeof(key), "%05lu", strtoul(number, NULL, 10));
    free(number);
    if (*header(request, "x-amz-copy-source", value)) {
        struct object *source = find(&request->store->objects, strchr(value + 1, '/') + 1);

        if (!source || sscanf(header(request, "x-amz-copy-source-range", value), "bytes=%zu-%zu",
                              &first, &last) != 2)
            return say_text(request, "400 Bad Request", "");
        request->size = last + 1 - first;
        free(request->body);
        request->body = malloc(request->size + 1);
        memcpy(request->body, source->bytes + first, request->size);
    }
    part = put_object(request->store, &multipart->parts, key, request->body, request->size);
    request->body = NULL;
    return say_etag(request, part->etag);
}

static bool answer_parts(struct request *request, struct multipart *multipart)
{
    char *body;
    size_t size;
    FILE *out = open_memstream(&body, &size);

    fputs("<ListPartsResult>", out);
    for (const struct object *part = multipart->parts; part; part = part->next)
        fprintf(out,
                "<Part><PartNumber>%lu</PartNumber><ETag>&quot;%s&quot;</ETag><Size>%zu</Size>"
                "</Part>",
                strtoul(part->key, NULL, 10), part->etag, part->size);
    fputs("<IsTruncated>false</IsTruncated></ListPartsResult>", out);
    fclose(out);
    say(request, "200 OK", "", body, size);
    free(body);
    return true;
}

static bool answer_complete(struct request *request, struct multipart **place)
{
    char *bytes = NULL, *number = request->body;
    size_t size = 0;

    while ((number = strstr(number, "<PartNumber>"))) {
        char key[16];
        const struct object *part;

        number += strlen("<PartNumber>");
        snprintf(key, sizeof(key), "%05lu", strtoul(number, NULL, 10));
        part = find(&(*place)->parts, key);
        if (!part)
            return say_text(request, "400 Bad Request", "<Error><Code>InvalidPart</Code></Error>");
        bytes = realloc(bytes, size + part->size + 1);
        memcpy(bytes + size, part->bytes, part->size);
        size += part->size;
    }
    put_object(request->store, &request->store->objects, request->key, bytes, size);
    drop_multipart(place);
    return say_text(request, "200 OK", "<CompleteMultipartUploadResult/>");
}

static bool answer_multipart(struct request *request)
{
    struct multipart **place = find_multipart(request);

    if (!*place)
        return say_text(request, "404 Not Found", "<Error><Code>NoSuchUpload</Code></Error>");
    if (strcmp(request->method, "PUT") == 0)
        return answer_part(request, *place);
    if (strcmp(request->method, "POST") == 0)
        return answer_complete(request, place);
    if (strcmp(request->method, "GET") == 0)
        return answer_parts(request, *place);
    drop_multipart(place);
    return say_text(request, "204 No Content", "");
}

/* --- requests --------------------------------------------------------------------------------- */

static bool answer_bucket(struct request *request)
{
    if (strcmp(request->method, "GET") == 0)
        return has_parameter(request, "uploads") ? answer_multiparts(request)
                                                 : answer_list(request);
    return strcmp(request->method, "POST") == 0 ? answer_delete_many(request)
                                                : say_text(request, "200 OK", "");
}

static bool answer(struct request *request)
{
    if (!*request->key)
        return answer_bucket(request);
    if (has_parameter(request, "uploadId"))
        return answer_multipart(request);
    if (strcmp(request->method, "POST") == 0)
        return answer_start(request);
    if (strcmp(request->method, "PUT") == 0)
        return answer_put(request);
    if (strcmp(request->method, "DELETE") != 0)
        return answer_get(request);
    if (!holds(request, find(&request->store->objects, request->key)))
        return refuse(request);
    remove_object(&request->store->objects, request->key);
    return say_text(request, "204 No Content", "");
}

/* Notes the request, with the mutex held. Returns whether it is refused. */
static bool note(struct request *request)
{
    struct small_store *store = request->store;
    const char *v2 = strstr(request->key, "/v2/"), *key = v2 ? v2 + 4 : request->key;
    bool is_of_cut =
        *store->cut_key && (strstr(request->head, store->cut_key) ||
                            (request->query && strstr(request->query, store->cut_key)));

    if (is_of_cut && store->cut_after == 0)
        return true;
    if (strncmp(key, "registryd/", strlen("registryd/")) == 0)
        return false;
    store->cut_after -= is_of_cut;
    fprintf(store->log_file, "%s %s%s\n", request->method, key,
            *request->key                         ? ""
            : strcmp(request->method, "GET") == 0 ? "list"
                                                  : "many");
    return false;
}

static bool read_request(int socket, char *head, struct request *ret)
{
    char *path, *end, value[1024];
    size_t used = 0, got = 0;

    while (used < 4 || memcmp(head + used - 4, "\r\n\r\n", 4) != 0) {
        if (used + 1 == HEAD_MAX || recv(socket, head + used, 1, 0) != 1)
            return false;
        used++;
    }
    head[used] = '\0';
    ret->head = head + strcspn(head, "\r");
    ret->method = head;
    path = head + strcspn(head, " ") + 1;
    path[-1] = '\0';
    end = path + strcspn(path, " ");
    *end = '\0';
    ret->query = strchr(path, '?');
    if (ret->query)
        *ret->query++ = '\0';
    ret->key = path + strlen("/bucket");
    ret->key += *ret->key == '/';
    decode(ret->key, strlen(ret->key), ret->key);
    ret->size = strtoul(header(ret, "content-length", value), NULL, 10);
    ret->body = malloc(ret->size + 1);
    while (got < ret->size) {
        ssize_t n = recv(socket, ret->body + got, ret->size - got, 0);

        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    ret->body[ret->size] = '\0';
    return true;
}

/* With the mutex held. */
static void wait_while_held(const struct request *request)
{
    struct small_store *store = request->store;

    while (*store->held && strcmp(request->method, "GET") == 0 && strstr(request->key, store->held))
        pthread_cond_wait(&store->released, &store->mutex);
}

/* Serves one request. Returns whether the connection stays. */
static bool serve_one(struct small_store *store, int socket, char *head)
{
    struct request request = {.store = store, .socket = socket};
    bool stays = read_request(socket, head, &request);

    pthread_mutex_lock(&store->mutex);
    if (stays)
        wait_while_held(&request);
    if (stays)
        stays = note(&request) ? say_text(&request, "403 Forbidden", "") : answer(&request);
    pthread_mutex_unlock(&store->mutex);
    stays = stays && send_all(socket, request.answer, request.answer_size);
    free(request.answer);
    free(request.body);
    return stays;
}

static void *serve(void *object)
{
    struct connection *connection = object;
    struct small_store *store = connection->store;
    char *head = malloc(HEAD_MAX);

    while (serve_one(store, connection->socket, head))
        ;
    free(head);
    pthread_mutex_lock(&store->mutex);
    close(connection->socket);
    connection->socket = -1;
    pthread_mutex_unlock(&store->mutex);
    return NULL;
}

/* A place for a new connection; joins the thread that had it before. With the mutex. */
static struct connection *free_place(struct small_store *store)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *place = &store->connections[i];

        if (place->has_thread && place->socket >= 0)
            continue;
        if (place->has_thread)
            pthread_join(place->thread, NULL);
        return place;
    }
    fail_msg("more than %d connections to the store", CONNECTIONS_MAX);
    return NULL;
}

static void *listen_on(void *object)
{
    struct small_store *store = object;
    int socket;

    while ((socket = accept(store->listener, NULL, NULL)) >= 0) {
        struct connection *connection;

        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        pthread_mutex_lock(&store->mutex);
        connection = free_place(store);
        *connection = (struct connection){.store = store, .socket = socket, .has_thread = true};
        assert_int_equal(pthread_create(&connection->thread, NULL, serve, connection), 0);
        pthread_mutex_unlock(&store->mutex);
    }
    return NULL;
}

/* Ends all connections and waits for their threads. Nobody accepts new ones any more. */
static void end_connections(struct small_store *store)
{
    pthread_mutex_lock(&store->mutex);
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        if (store->connections[i].has_thread && store->connections[i].socket >= 0)
            shutdown(store->connections[i].socket, SHUT_RDWR);
    pthread_mutex_unlock(&store->mutex);
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        if (store->connections[i].has_thread)
            pthread_join(store->connections[i].thread, NULL);
}

/* --- for tests -------------------------------------------------------------------------------- */

struct small_store *small_store_new(void)
{
    struct small_store *store = calloc(1, sizeof(*store));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    assert_non_null(store);
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->released, NULL);
    store->log_file = open_memstream(&store->log, &store->log_size);
    store->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(store->listener >= 0);
    assert_int_equal(bind(store->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(store->listener, 64), 0);
    assert_int_equal(getsockname(store->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(store->endpoint, sizeof(store->endpoint), "http://127.0.0.1:%u",
             ntohs(address.sin_port));
    assert_int_equal(pthread_create(&store->thread, NULL, listen_on, store), 0);
    return store;
}

void small_store_free(struct small_store *store)
{
    shutdown(store->listener, SHUT_RDWR);
    pthread_join(store->thread, NULL);
    close(store->listener);
    end_connections(store);
    remove_all(&store->objects);
    while (store->multiparts)
        drop_multipart(&store->multiparts);
    fclose(store->log_file);
    free(store->log);
    pthread_cond_destroy(&store->released);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

const char *small_store_get_endpoint(const struct small_store *store)
{
    return store->endpoint;
}

char *small_store_take_log(struct small_store *store)
{
    char *log;

    pthread_mutex_lock(&store->mutex);
    fclose(store->log_file);
    log = store->log;
    store->log_file = open_memstream(&store->log, &store->log_size);
    pthread_mutex_unlock(&store->mutex);
    return log;
}

void small_store_cut_off(struct small_store *store, const char *access_key, unsigned after)
{
    pthread_mutex_lock(&store->mutex);
    snprintf(store->cut_key, sizeof(store->cut_key), "%s", access_key);
    store->cut_after = after;
    pthread_mutex_unlock(&store->mutex);
}

void small_store_hold(struct small_store *store, const char *text)
{
    pthread_mutex_lock(&store->mutex);
    snprintf(store->held, sizeof(store->held), "%s", text);
    pthread_cond_broadcast(&store->released);
    pthread_mutex_unlock(&store->mutex);
}

void small_store_pass_time(struct small_store *store, long seconds)
{
    pthread_mutex_lock(&store->mutex);
    store->passed_s += seconds;
    pthread_mutex_unlock(&store->mutex);
}

unsigned small_store_count(struct small_store *store, const char *text)
{
    unsigned count = 0;

    pthread_mutex_lock(&store->mutex);
    for (const struct object *object = store->objects; object; object = object->next)
        count += strstr(object->key, text) != NULL;
    pthread_mutex_unlock(&store->mutex);
    return count;
}

unsigned small_store_count_multiparts(struct small_store *store)
{
    unsigned count = 0;

    pthread_mutex_lock(&store->mutex);
    for (const struct multipart *one = store->multiparts; one; one = one->next)
        count++;
    pthread_mutex_unlock(&store->mutex);
    return count;
}
