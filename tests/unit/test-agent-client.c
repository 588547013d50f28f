/* The conversation with gpg-agent, with prepared answers, and the connection to it. */
#include "gpg/agent-client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "gpg/agent-options.h"
#include "tests/unit/check.h"
#include "tests/unit/openpgp-vectors.h"
#include "tests/unit/scratch.h"

/* An agent with prepared answers; the lines sent to it can be read from *ret_other afterwards. */
static void script(const char *lines, size_t size, struct assuan *ret, int *ret_other)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(send(ends[1], lines, size, 0), size);
    *ret = (struct assuan){.fd = ends[0]};
    assuan_set_timeout(ret, 50);
    *ret_other = ends[1];
}

static char *take_told(int other)
{
    static char told[8192];
    ssize_t n = recv(other, told, sizeof(told) - 1, MSG_DONTWAIT);

    close(other);
    told[n > 0 ? n : 0] = '\0';
    return told;
}

static void clear_environment(void)
{
    static const char *const names[] = {
        "GPG_TTY", "TERM", "DISPLAY", "XAUTHORITY", "XMODIFIERS", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "QT_QPA_PLATFORM",
        "GTK_IM_MODULE", "DBUS_SESSION_BUS_ADDRESS", "QT_IM_MODULE", "INSIDE_EMACS", "PINENTRY_USER_DATA", "LC_ALL",
        "LC_CTYPE", "LC_MESSAGES", "LANG",
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        unsetenv(names[i]);
}

static void the_agent_gets_the_same_options_as_from_gpg(void **state)
{
    CLEANUP(secbuf_done) struct secbuf lines = {0};

    (void)state;
    clear_environment();
    setenv("GPG_TTY", "/dev/pts/7", 1);
    setenv("TERM", "xterm", 1);
    setenv("DISPLAY", ":1", 1);
    setenv("XAUTHORITY", "/x", 1);
    setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/y", 1);
    setenv("PINENTRY_USER_DATA", "a b", 1);
    setenv("LANG", "en_GB.UTF-8", 1);
    setenv("LC_MESSAGES", "C", 1);
    assert_int_equal(agent_options_append(&lines, GPG_PINENTRY_ERROR), 0);
    assert_holds(&lines, "OPTION ttyname=/dev/pts/7\nOPTION ttytype=xterm\nOPTION display=:1\nOPTION xauthority=/x\n"
                         "OPTION putenv=DBUS_SESSION_BUS_ADDRESS=unix:path=/y\nOPTION pinentry-user-data=a b\n"
                         "OPTION lc-ctype=en_GB.UTF-8\nOPTION lc-messages=C\nOPTION pinentry-mode=error\n"
                         "OPTION allow-pinentry-notify\nOPTION agent-awareness=2.1.0\n");
    setenv("LC_ALL", "de_DE", 1);
    assert_string_equal(agent_locale("LC_MESSAGES"), "de_DE");
    setenv("INSIDE_EMACS", "two\nlines", 1);
    assert_int_equal(agent_options_append(&lines, GPG_PINENTRY_DEFAULT), -E2BIG);
    clear_environment();
    assert_string_equal(agent_locale("LC_MESSAGES"), "C");
}

static bool was_restricted;

static int greet(const char *lines)
{
    struct assuan agent;
    int other, r;

    clear_environment(); /* lc-ctype, lc-messages, allow-pinentry-notify and agent-awareness remain */
    script(lines, strlen(lines), &agent, &other);
    r = agent_greet(&agent, GPG_PINENTRY_DEFAULT, &was_restricted);
    assuan_done(&agent);
    close(other);
    return r;
}

static void only_a_complete_greeting_is_accepted(void **state)
{
    (void)state;
    assert_int_equal(greet("OK Pleased to meet you\nOK\n# note\nOK\nOK\nOK\n"), 0);
    assert_int_equal(greet("OK Pleased to meet you\nOK\nERR 1 no\nOK\nOK\n"), -EPROTO);
    assert_int_equal(greet("HTTP/1.1 400\n"), -EPROTO);
    assert_false(was_restricted);
}

static void a_restricted_agent_gets_no_options(void **state)
{
    (void)state;
    assert_int_equal(greet("OK\nERR 67109115 Forbidden <GPG Agent>\nERR 67109115 Forbidden <GPG Agent>\nOK\nOK\n"), 0);
    assert_true(was_restricted);
}

/* Returns the result of agent_decrypt() for these lines. */
static int decrypt(const char *name, const char *lines, size_t size, struct agent_answer *ret, char **ret_told)
{
    size_t keyring_size, message_size;
    CLEANUP_FREE unsigned char *keyring = read_vector("keyring.kbx", NULL, &keyring_size);
    CLEANUP_FREE unsigned char *bytes = read_vector(name, "message", &message_size);
    struct keybox_entry entry;
    struct message message;
    struct agent_request request = {.keygrip = {0xAB}, .key = &entry, .session = &message.keys[0]};
    struct assuan agent;
    int other, r;

    assert_int_equal(message_parse(bytes, message_size, &message), 0);
    assert_int_equal(keybox_find(keyring, keyring_size, message.keys[0].key_id, &entry), 0);
    script(lines, size, &agent, &other);
    shutdown(other, SHUT_WR);
    *ret = (struct agent_answer){0};
    r = agent_decrypt(&agent, &request, ret);
    assuan_done(&agent);
    *ret_told = take_told(other);
    return r;
}

#define DECRYPT(name, lines, answer, told) decrypt(name, lines, sizeof(lines) - 1, answer, told)

static void an_answer_is_assembled_from_its_lines(void **state)
{
    CLEANUP(agent_answer_done) struct agent_answer answer, other, card;
    char *told;

    (void)state;
    assert_int_equal(DECRYPT("cv25519", "OK\nOK\nS INQUIRE_MAXLEN 4096\nINQUIRE CIPHERTEXT\nINQUIRE PINENTRY_LAUNCHED 1 curses\n"
                             "S X\nD (5:value6:a%0Ab\nD %25\0c)\nOK done\n", &answer, &told), 0);
    assert_holds(&answer.value, "a\nb%\0c");
    assert_true(answer.has_asked_person && answer.has_padding);
    assert_non_null(strstr(told, "SETKEY AB00000000000000000000000000000000000000\nSETKEYDESC Please+enter+"));
    assert_non_null(strstr(told, "\nPKDECRYPT\nD (7:enc-val(4:ecdh(1:s49:0"));
    assert_int_equal(DECRYPT("rsa2048", "OK\nOK\nINQUIRE OTHER\nD (5:value1:a)\nOK\n", &other, &told), 0);
    assert_non_null(strstr(told, "\nPKDECRYPT\nCAN\n"));
    assert_int_equal(DECRYPT("rsa2048", "OK\nOK\nS PADDING 0\nD (5:value1:a)\0\nOK\n", &card, &told), 0);
    assert_holds(&card.value, "a");
    assert_false(card.has_padding);
    agent_answer_done(&other);
    agent_answer_done(&card);
}

static void an_error_has_its_number(void **state)
{
    CLEANUP(agent_answer_done) struct agent_answer answer;
    char *told;

    (void)state;
    assert_int_equal(DECRYPT("cv25519", "OK\nOK\nERR 83886179 Operation cancelled <Pinentry>\n", &answer, &told),
                     AGENT_REFUSED);
    assert_int_equal(answer.refusal, 83886179);
    assert_false(answer.has_asked_person);
}

static void invalid_answers_are_refused(void **state)
{
    static const struct { const char *lines; int wanted; } cases[] = {
        {"", -EPIPE},
        {"OK\nERR 5 no such command\n", -EPROTO},
        {"OK\nOK\nOK\n", -EPROTO},
        {"OK\nOK\nD (5:value3:ab)\nOK\n", -EPROTO},
        {"OK\nOK\nD (5:value2:ab\nOK\n", -EPROTO},
        {"OK\nOK\nD (5:value99999999999999999999:ab)\nOK\n", -EPROTO},
        {"OK\nOK\nD (5:value:ab)\nOK\n", -EPROTO},
        {"OK\nOK\nD (5:value2ab)\nOK\n", -EPROTO},
        {"OK\nOK\nD (5:value\nOK\n", -EPROTO},
        {"OK\nOK\nD a%4\nOK\n", -EPROTO},
        {"OK\nOK\nD a%XY\nOK\n", -EPROTO},
        {"OK\nOK\nHELLO\nOK\n", -EPROTO},
        {"OK\nOK\nD (5:value2:ab)\n", -EPIPE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(agent_answer_done) struct agent_answer answer;
        char *told;

        assert_case(cases[i].lines, decrypt("cv25519", cases[i].lines, strlen(cases[i].lines), &answer, &told) == cases[i].wanted);
    }
}

static void endless_lines_and_answers_are_refused(void **state)
{
    CLEANUP(agent_answer_done) struct agent_answer answer, other;
    static char lines[40 * 1000];
    size_t size;
    char *told;

    (void)state;
    fill(lines, 'x', 5000);
    assert_int_equal(decrypt("cv25519", lines, 5000, &answer, &told), -EPROTO);
    size = (size_t)snprintf(lines, sizeof(lines), "OK\nOK\n");
    while (size < sizeof(lines) - 1000) {
        fill(lines + size, 'x', 900);
        lines[size] = 'D';
        lines[size + 1] = ' ';
        lines[size + 900] = '\n';
        size += 901;
    }
    assert_int_equal(decrypt("cv25519", lines, size, &other, &told), -EPROTO);
    assert_true(other.value.size <= 16 << 10);
    agent_answer_done(&other);
}

static void a_silent_agent_causes_a_timeout(void **state)
{
    struct assuan_line line;
    struct assuan agent;
    int other;

    (void)state;
    script("half a line", 11, &agent, &other);
    assert_int_equal(assuan_receive(&agent, &line), -ETIMEDOUT);
    assuan_done(&agent);
    close(other);
}

static enum agent_key look_up(const char *lines)
{
    unsigned char keygrip[KEYGRIP_SIZE] = {0};
    enum agent_key state;
    struct assuan agent;
    int other;

    script(lines, strlen(lines), &agent, &other);
    assert_case(lines, agent_look_up(&agent, keygrip, &state) == 0);
    assuan_done(&agent);
    close(other);
    return state;
}

static void whether_a_key_is_ready_is_known(void **state)
{
    (void)state;
    assert_int_equal(look_up("S KEYINFO 00AA D - - - C - - -\nOK\n"), AGENT_KEY_READY);
    assert_int_equal(look_up("S KEYINFO 00AA D - - 1 P - - -\nOK\n"), AGENT_KEY_READY);
    assert_int_equal(look_up("S KEYINFO 00AA D - - - P - - -\nOK\n"), AGENT_KEY_LOCKED);
    assert_int_equal(look_up("S KEYINFO 00AA T D276000124 OPENPGP.2 - - - - -\nOK\n"), AGENT_KEY_LOCKED);
    assert_int_equal(look_up("S KEYINFO\nOK\n"), AGENT_KEY_LOCKED);
    assert_int_equal(look_up("ERR 67108891 Not found <GPG Agent>\n"), AGENT_KEY_MISSING);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void a_redirection_file_names_the_socket(void **state)
{
    CLEANUP_CLOSE int fd = listen_at("socket");
    char text[200];
    struct assuan agent;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(assuan_connect("socket", &agent), 0);
    assuan_done(&agent);
    snprintf(text, sizeof(text), "%%Assuan%%\nsocket=%s/socket\n", scratch_directory());
    make_file("file", text);
    assert_int_equal(assuan_connect("file", &agent), 0);
    assuan_done(&agent);
    make_file("variable", "%Assuan%\nsocket=/${HOME}/socket\n");
    assert_int_equal(assuan_connect("variable", &agent), -ENOTSUP);
    make_file("relative", "%Assuan%\nsocket=socket\n");
    assert_int_equal(assuan_connect("relative", &agent), -ENOTSUP);
    make_file("other", "something else");
    assert_int_equal(assuan_connect("other", &agent), -ECONNREFUSED);
    assert_int_equal(assuan_connect("missing", &agent), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_agent_gets_the_same_options_as_from_gpg),
        cmocka_unit_test(only_a_complete_greeting_is_accepted),
        cmocka_unit_test(a_restricted_agent_gets_no_options),
        cmocka_unit_test(an_answer_is_assembled_from_its_lines),
        cmocka_unit_test(an_error_has_its_number),
        cmocka_unit_test(invalid_answers_are_refused),
        cmocka_unit_test(endless_lines_and_answers_are_refused),
        cmocka_unit_test(a_silent_agent_causes_a_timeout),
        cmocka_unit_test(whether_a_key_is_ready_is_known),
        scratch_test(a_redirection_file_names_the_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
