/*
 * Input from gpg-agent's socket: the greeting, the description of a key, and the answer to a decryption, all in one input. For
 * any line lengths, the stored data is bounded, and nothing is read beyond the input.
 */
#include "gpg/agent-client.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static const struct session_packet session = {
    .key_id = 1, .algorithm = PUBLIC_KEY_RSA, .number = {(const unsigned char *)"\x80\r\n%", 4},
};
static const struct keybox_entry entry = {
    .key = {.algorithm = PUBLIC_KEY_RSA, .n = {(const unsigned char *)"\x80\x01", 2}}, .key_id = 1, .primary_id = 2,
};

/* All input is sent before the first read; it fits into the socket's buffer. */
enum { MOST_INPUT = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(assuan_done) struct assuan agent = ASSUAN_INIT;
    CLEANUP(agent_answer_done) struct agent_answer answer = {0};
    struct agent_request request = {.key = &entry, .session = &session};
    enum agent_key state;
    int ends[2];

    fuzz_was_accepted = false;
    clearenv(); /* the number of expected answers depends on the environment */
    if (size > MOST_INPUT || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0)
        return 0;
    agent.fd = ends[0];
    agent.deadline_ms = ASSUAN_FOREVER;
    REQUIRE(size == 0 || send(ends[1], data, size, 0) == (ssize_t)size);
    shutdown(ends[1], SHUT_WR);
    if (agent_greet(&agent, GPG_PINENTRY_DEFAULT, &request.is_restricted) == 0 && agent_look_up(&agent, request.keygrip, &state) == 0)
        fuzz_was_accepted = agent_decrypt(&agent, &request, &answer) == 0;
    REQUIRE(answer.value.size <= 16 << 10);
    close(ends[1]);
    return 0;
}
