/* The framing of OpenPGP packets. */
#include "gpg/packet.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"

struct framing {
    const char *name;
    const char *head; /* before the body */
    size_t head_size, body_size;
    unsigned tag;
};

static void every_size_of_a_length_field_is_read(void **state)
{
    static const struct framing framings[] = {
        {"old, one byte", "\x84\x03", 2, 3, 1},
        {"old, two bytes", "\x85\x01\x00", 3, 256, 1},
        {"old, four bytes", "\x86\x00\x00\x01\x00", 5, 256, 1},
        {"old, empty", "\xB4\x00", 2, 0, 13},
        {"new, one byte", "\xD2\xBF", 2, 191, 18},
        {"new, two bytes, the least", "\xD2\xC0\x00", 3, 192, 18},
        {"new, two bytes, the most", "\xD2\xDF\xFF", 3, 8383, 18},
        {"new, five bytes", "\xD2\xFF\x00\x00\x00\x05", 6, 5, 18},
        {"new, tag 63", "\xFF\x01", 2, 1, 63},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(framings); i++) {
        const struct framing *framing = &framings[i];
        size_t size = framing->head_size + framing->body_size, left;
        unsigned char bytes[9000] = {0};
        const unsigned char *at;
        struct packet packet;

        memcpy(bytes, framing->head, framing->head_size);
        at = bytes;
        left = size + 1;
        assert_case(framing->name, packet_read(&at, &left, &packet) == 0);
        assert_case(framing->name, packet.tag == framing->tag && packet.size == framing->body_size);
        assert_case(framing->name, packet.body == bytes + framing->head_size && at == bytes + size && left == 1);
        for (size_t cut = 0; cut < size; cut += cut < 10 ? 1 : 97) {
            unsigned char *copy = copy_exactly(bytes, cut);

            at = copy;
            left = cut;
            assert_case(framing->name, packet_read(&at, &left, &packet) == -EBADMSG && at == copy && left == cut);
            free(copy);
        }
    }
}

static void invalid_packets_are_refused(void **state)
{
    static const char *const texts[] = {"\x04\x01x", "\x87xx", "-----BEGIN", "\xD2", "\xD2\xFF\xFF\xFF\xFF\xFFx"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        const unsigned char *at = (const unsigned char *)texts[i];
        size_t left = strlen(texts[i]);
        struct packet packet;

        assert_case(texts[i], packet_read(&at, &left, &packet) == -EBADMSG);
    }
}

/* Partial bodies of 512, 4 and 1 bytes, and 3 bytes at the end. */
static size_t write_pieces(unsigned char *bytes, unsigned char first_power)
{
    size_t size = 0;

    bytes[size++] = 0xD2;
    bytes[size++] = (unsigned char)(0xE0 | first_power);
    for (size_t i = 0; i < (size_t)1 << first_power; i++)
        bytes[size++] = (unsigned char)i;
    memcpy(bytes + size, "\xE2" "abcd" "\xE0" "e" "\x03" "xyz", 11);
    return size + 11;
}

static void pieces_are_joined_also_in_place(void **state)
{
    unsigned char bytes[600], joined[520];
    size_t size = write_pieces(bytes, 9), left = size;
    const unsigned char *at = bytes;
    struct packet packet;

    (void)state;
    assert_int_equal(packet_read(&at, &left, &packet), 0);
    assert_true(packet.is_partial && left == 0);
    assert_int_equal(packet.size, 520);
    packet_join(&packet, joined);
    assert_memory_equal(joined + 508, "\xFC\xFD\xFE\xFF" "abcdexyz", 12);
    packet_join(&packet, bytes + 2);
    assert_memory_equal(bytes + 2, joined, 520);
}

static void truncated_or_too_small_first_parts_are_refused(void **state)
{
    unsigned char bytes[600], *copy;
    size_t size = write_pieces(bytes, 8), left = size;
    const unsigned char *at = bytes;
    struct packet packet;

    (void)state;
    assert_int_equal(packet_read(&at, &left, &packet), -EBADMSG);
    size = write_pieces(bytes, 9);
    for (left = 0; left < size; left++) {
        size_t rest = left;

        copy = copy_exactly(bytes, left);
        at = copy;
        assert_int_equal(packet_read(&at, &rest, &packet), -EBADMSG);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_of_a_length_field_is_read),
        cmocka_unit_test(invalid_packets_are_refused),
        cmocka_unit_test(pieces_are_joined_also_in_place),
        cmocka_unit_test(truncated_or_too_small_first_parts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
