/*
 * Parses headers about ranges. A client's numbers are only added after they were found to be
 * smaller than the body, so that no sum overflows.
 */
#include "registry/spec/range.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/macros.h"

static const char blanks[] = " \t";

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/*
 * Parses the digits at *at and advances it. Returns 0, -EINVAL if there are none, or -ERANGE with
 * UINT64_MAX in *ret.
 */
static int take_number(const char **at, uint64_t *ret)
{
    uint64_t value = 0;
    int r = 0;

    if (!is_digit(**at))
        return -EINVAL;
    for (; is_digit(**at); (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');

        if (r < 0 || value > (UINT64_MAX - digit) / 10)
            r = -ERANGE;
        else
            value = value * 10 + digit;
    }
    *ret = r < 0 ? UINT64_MAX : value;
    return r;
}

int range_parse_length(const char *text, uint64_t *ret)
{
    uint64_t value;
    int r = take_number(&text, &value);

    if (r == -EINVAL || *text)
        return -EINVAL;
    if (r == 0)
        *ret = value;
    return r;
}

int range_parse_content(const char *header, uint64_t *ret_first, uint64_t *ret_last)
{
    uint64_t first, last;

    if (take_number(&header, &first) < 0 || *header++ != '-' || take_number(&header, &last) < 0 ||
        *header)
        return -EINVAL;
    if (first > last || last > INT64_MAX) /* no file is larger */
        return -EINVAL;
    *ret_first = first;
    *ret_last = last;
    return 0;
}

/*
 * Parses one range of the list. Returns 0 with *ret (size 0 if it is outside the body), or -EINVAL.
 */
static int take_range(const char **at, uint64_t size, struct range *ret)
{
    uint64_t first = 0, last = UINT64_MAX;
    bool has_first = is_digit(**at);

    if (has_first && take_number(at, &first) == -EINVAL)
        return -EINVAL;
    *at += strspn(*at, blanks);
    if (*(*at)++ != '-')
        return -EINVAL;
    *at += strspn(*at, blanks);
    if ((!has_first || is_digit(**at)) && take_number(at, &last) == -EINVAL)
        return -EINVAL;
    if (!has_first) { /* a suffix: the last bytes */
        uint64_t count = last < size ? last : size;

        *ret = (struct range){.first = size - count, .size = count};
        return 0;
    }
    if (first > last)
        return -EINVAL;
    if (last >= size)
        last = size - 1; /* wraps for an empty body, which `first < size` rules out */
    *ret = (struct range){.first = first, .size = first < size ? last - first + 1 : 0};
    return 0;
}

/*
 * Parses a list, and keeps the ranges that overlap the body. Ranges beyond RANGE_MAX are only
 * counted. 0 or -EINVAL.
 */
static int parse_list(const char *at, uint64_t size, struct range *ret_ranges, size_t *ret_count)
{
    size_t count = 0;

    for (;;) {
        struct range range;

        at += strspn(at, " \t,"); /* empty elements are allowed (RFC 9110 section 5.6.1) */
        if (!*at)
            break;
        if (take_range(&at, size, &range) < 0)
            return -EINVAL;
        at += strspn(at, blanks);
        if (*at && *at != ',')
            return -EINVAL;
        if (range.size == 0)
            continue;
        if (count < RANGE_MAX)
            ret_ranges[count] = range;
        count++;
    }
    *ret_count = count;
    return 0;
}

static bool is_more_than(const struct range *ranges, size_t count, uint64_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].size > size)
            return true;
        size -= ranges[i].size;
    }
    return false;
}

int range_parse(const char *header, uint64_t size, struct range ret_ranges[RANGE_MAX],
                size_t *ret_count)
{
    static const char unit[] = "bytes=";
    size_t count = 0;

    if (!header || strncasecmp(header, unit, sizeof(unit) - 1) != 0)
        return RANGE_IGNORED;
    header += sizeof(unit) - 1;
    if (!header[strspn(header, " \t,")]) /* an empty list */
        return RANGE_IGNORED;
    if (parse_list(header, size, ret_ranges, &count) < 0)
        return RANGE_UNSATISFIABLE;
    /* some clients always send Range; like later versions of Go, send the empty body */
    if (size == 0)
        return RANGE_IGNORED;
    if (count == 0)
        return RANGE_UNSATISFIABLE;
    if (count > RANGE_MAX || is_more_than(ret_ranges, count, size))
        return RANGE_IGNORED;
    *ret_count = count;
    return 0;
}

/*
 * Returns the length of the next entity tag; 0 at the end of the list, or if the closing quote is
 * missing.
 */
static size_t measure_etag(const char *at)
{
    const char *end;

    if (*at != '"')
        return strcspn(at, " \t,");
    end = strchr(at + 1, '"');
    return end ? (size_t)(end - at) + 1 : 0;
}

bool range_matches_etag(const char *list, const char *etag)
{
    size_t etag_size = strlen(etag);

    for (;;) {
        size_t size;

        list += strspn(list, " \t,");
        if (*list == '*')
            return true;
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        size = measure_etag(list);
        if (size == 0)
            return false;
        if (size == etag_size && memcmp(list, etag, size) == 0)
            return true;
        if (size + 2 == etag_size && memcmp(list, etag + 1, size) == 0)
            return true;
        list += size;
    }
}
