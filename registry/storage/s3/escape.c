#include "registry/storage/s3/escape.h"

#include <string.h>

#include "common/percent.h"

void s3_escape(FILE *out, const char *text, const char *kept)
{
    char escaped[PERCENT_SIZE];

    for (; *text; text++) {
        if (percent_is_unreserved(*text) || strchr(kept, *text)) {
            fputc(*text, out);
        } else {
            percent_encode(*text, escaped);
            fwrite(escaped, 1, sizeof(escaped), out);
        }
    }
}

void s3_sort_pairs(const struct s3_pair *pairs, size_t count,
                   const struct s3_pair *ret[S3_PAIRS_MAX])
{
    for (size_t i = 0; i < count; i++) {
        size_t place = i;

        for (; place > 0 && strcmp(ret[place - 1]->name, pairs[i].name) > 0; place--)
            ret[place] = ret[place - 1];
        ret[place] = &pairs[i];
    }
}

void s3_format_query(FILE *out, const struct s3_pair *pairs, size_t count)
{
    const struct s3_pair *sorted[S3_PAIRS_MAX];

    s3_sort_pairs(pairs, count, sorted);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            fputc('&', out);
        s3_escape(out, sorted[i]->name, "");
        fputc('=', out);
        s3_escape(out, sorted[i]->value, "");
    }
}
