/*
 * gpg.conf may tell gpg to use another agent, another keyring, or to write the plaintext elsewhere.
 * Code that decrypts without gpg must know that it does not.
 */
#include "gpg/conf.h"

#include <string.h>

#include "common/macros.h"

/*
 * Options that are about encrypting, signing, listing, trust, the network, words on the screen, or
 * gpg's own log.
 */
/* clang-format off */
static const char *const harmless[] = {
    "always-trust", "armor", "armour", "ask-cert-expire", "ask-cert-level", "ask-sig-expire",
    "auto-key-import", "auto-key-locate", "auto-key-retrieve", "batch", "cert-digest-algo",
    "cert-notation", "charset", "cipher-algo", "comment", "completes-needed", "compress-algo",
    "compress-level", "debug", "debug-all", "debug-iolbf", "debug-level", "default-cert-level",
    "default-key", "default-keyserver-url", "default-new-key-algo", "default-preference-list",
    "default-recipient", "default-recipient-self", "digest-algo", "disable-dirmngr",
    "display-charset", "emit-version", "encrypt-to", "expert", "export-options", "fixed-list-mode",
    "force-mdc", "group", "hidden-encrypt-to", "import-options", "include-key-block",
    "keyid-format", "keyserver", "keyserver-options", "list-options", "lock-never", "lock-once",
    "log-file", "logger-file", "marginals-needed", "max-cert-depth", "min-cert-level", "no-armor",
    "no-auto-check-trustdb", "no-auto-key-import", "no-auto-key-locate", "no-auto-key-retrieve",
    "no-comments", "no-default-recipient", "no-emit-version", "no-encrypt-to", "no-greeting",
    "no-mdc-warning", "no-permission-warning", "no-secmem-warning", "no-symkey-cache",
    "no-throw-keyids", "no-tty", "no-verbose", "personal-cipher-preferences",
    "personal-compress-preferences", "personal-digest-preferences", "photo-viewer", "quiet",
    "require-cross-certification", "rfc4880", "s2k-cipher-algo", "s2k-count", "s2k-digest-algo",
    "s2k-mode", "show-session-key", "sig-keyserver-url", "sig-notation", "textmode", "throw-keyids",
    "tofu-default-policy", "trust-model", "trusted-key", "use-agent", "utf8-strings", "verbose",
    "verify-options", "weak-digest", "with-fingerprint", "with-keygrip", "with-subkey-fingerprint",
};
/* clang-format on */

static bool is_harmless(const char *word, size_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
        if (strlen(harmless[i]) == size && memcmp(harmless[i], word, size) == 0)
            return true;
    return false;
}

/* The number of bytes at the head of text that are, or are not, blanks. */
static size_t span(const char *text, size_t size, bool is_blank)
{
    size_t i = 0;

    while (i < size && (memchr(" \t\r", text[i], 3) != NULL) == is_blank)
        i++;
    return i;
}

static bool is_harmless_line(const char *line, size_t size)
{
    size_t blanks = span(line, size, true);

    line += blanks;
    size -= blanks;
    return size == 0 || line[0] == '#' || is_harmless(line, span(line, size, false));
}

bool gpg_conf_is_harmless(const char *text, size_t size)
{
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) : size;

        if (!is_harmless_line(text, length))
            return false;
        if (!end)
            break;
        text += length + 1;
        size -= length + 1;
    }
    return true;
}

enum gpg_common_conf gpg_common_conf_parse(const char *text, size_t size)
{
    static const char use_keyboxd[] = "use-keyboxd";
    enum gpg_common_conf found = GPG_COMMON_CONF_NOTHING;

    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) : size, blanks = span(text, length, true);
        const char *word = text + blanks;
        size_t word_length = span(word, length - blanks, false);

        if (word_length == strlen(use_keyboxd) && memcmp(word, use_keyboxd, word_length) == 0 &&
            span(word + word_length, length - blanks - word_length, true) ==
                length - blanks - word_length)
            found = GPG_COMMON_CONF_KEYBOXD;
        else if (word_length > 0 && word[0] != '#')
            return GPG_COMMON_CONF_UNKNOWN;
        length += end ? 1 : 0;
        text += length;
        size -= length;
    }
    return found;
}
