#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A server on loopback that says what a test tells it to, for one connection after another. The
 * test's function runs on the server's thread.
 */
struct fake_server;

struct fake_request {
    unsigned number;     /* of the request, from 0 on */
    unsigned connection; /* on which it came, from 0 on */
    char head[8192];     /* the request line and the headers, terminated */
    char body[65536];    /* terminated */
    size_t body_size;
};

/* Answers through fake_say(). False: the connection is closed. */
typedef bool fake_function(int socket, const struct fake_request *request);

/* Ends the test if it fails. */
struct fake_server *fake_server_new(fake_function *answer);
void fake_server_free(struct fake_server *server);

/* "http://127.0.0.1:PORT" */
const char *fake_server_get_endpoint(const struct fake_server *server);
unsigned fake_server_count_requests(struct fake_server *server);

/* Writes bytes as they are. False if the client is gone. */
bool fake_write(int socket, const void *bytes, size_t size);

/* A whole answer: the status, further headers ("name: value\r\n", may be ""), and the body. */
bool fake_say(int socket, const char *status, const char *headers, const char *body);

/* Whether the request's head has that line, in any case. */
bool fake_has_line(const struct fake_request *request, const char *line);
