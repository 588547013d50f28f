/* The prompt must say which key it is for, in gpg's words. */
#include "gpg/key-description.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Escapes as in a URL's query, and no more than the agent needs: blanks become pluses. */
static int append_escaped(struct secbuf *ret, const void *text, size_t size)
{
    const unsigned char *at = text;
    char piece[4];
    int r = 0;

    for (size_t i = 0; r == 0 && i < size; i++) {
        if (at[i] < ' ' || strchr("+\"%", at[i]))
            r = secbuf_append(ret, piece, (size_t)snprintf(piece, sizeof(piece), "%%%02X", at[i]));
        else
            r = secbuf_append(ret, at[i] == ' ' ? "+" : (const char *)&at[i], 1);
    }
    return r;
}

static void format_date(uint32_t created_s, char *ret, size_t size)
{
    time_t seconds = created_s;
    struct tm date;

    if (!gmtime_r(&seconds, &date) || strftime(ret, size, "%Y-%m-%d", &date) == 0)
        ret[0] = '\0';
}

/* The lines below the user id. */
static void format_details(const struct keybox_entry *entry, char *ret, size_t size)
{
    const struct public_key *key = &entry->key;
    bool is_rsa = key->algorithm == PUBLIC_KEY_RSA;
    char date[16], primary[48] = "";

    format_date(key->created_s, date, sizeof(date));
    if (entry->primary_id != entry->key_id)
        snprintf(primary, sizeof(primary), " (main key ID %016" PRIX64 ")", entry->primary_id);
    snprintf(ret, size, "\"\n%u-bit %s key, ID %016" PRIX64 ",\ncreated %s%s.\n",
             is_rsa ? mpi_count_bits(&key->n) : key->curve->bits, is_rsa ? "RSA" : "ECDH",
             entry->key_id, date, primary);
}

int key_description_append(const struct keybox_entry *entry, struct secbuf *ret)
{
    static const char head[] = "Please enter the passphrase to unlock the OpenPGP secret key:\n\"";
    char details[160];
    int r = append_escaped(ret, head, strlen(head));

    format_details(entry, details, sizeof(details));
    if (r == 0)
        r = append_escaped(ret, entry->user_id.data, entry->user_id.size);
    return r < 0 ? r : append_escaped(ret, details, strlen(details));
}
