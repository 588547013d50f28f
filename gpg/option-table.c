/*
 * Every option of GnuPG 2.2 to 2.5 (`gpg --dump-options`), classified by its effect on encrypting
 * one short message to the keys of .gpg-id, and on decrypting it. Options that are missing here are
 * refused, because their effect is unknown.
 */
#include "gpg/option-table.h"

#include <string.h>

/*
 * Options without a value about listing, signing, the web of trust, compression (pass switches it
 * off), the screen and cards.
 */
/* clang-format off */
static const char *const idle_flags[] = {
    "allow-freeform-uid", "allow-multiple-messages", "allow-multisig-verification",
    "allow-secret-key-import", "ask-cert-expire", "ask-cert-level", "ask-sig-expire",
    "auto-check-trustdb", "auto-key-import", "auto-key-retrieve", "batch",
    "bzip2-decompress-lowmem", "compress-keys", "compress-sigs", "default-comment",
    "default-recipient-self", "disable-ccid", "disable-dirmngr", "disable-dsa2",
    "disable-large-rsa", "disable-mdc", "disable-signer-uid", "emit-version", "enable-dsa2",
    "enable-large-rsa", "enable-progress-filter", "escape-from-lines", "exit-on-status-write-error",
    "expert", "fast-list-mode", "fixed-list-mode", "for-your-eyes-only", "forbid-gen-key",
    "force-aead", "force-mdc", "force-ocb", "force-sign-key", "force-v3-sigs", "force-v4-certs",
    "full-timestrings", "gnupg", "honor-http-proxy", "include-key-block", "interactive",
    "legacy-list-mode", "lock-multiple", "lock-never", "lock-once", "log-time",
    "mangle-dos-filenames", "merge-only", "mimemode", "no-allow-freeform-uid",
    "no-allow-multiple-messages", "no-allow-non-selfsigned-uid", "no-ask-cert-expire",
    "no-ask-cert-level", "no-ask-sig-expire", "no-auto-check-trustdb", "no-auto-key-import",
    "no-auto-key-locate", "no-auto-key-retrieve", "no-auto-trust-new-key", "no-batch",
    "no-comments", "no-compress", "no-default-recipient", "no-disable-mdc", "no-emit-version",
    "no-encrypt-to", "no-escape-from-lines", "no-expensive-trust-checks", "no-expert",
    "no-for-your-eyes-only", "no-force-mdc", "no-force-v3-sigs", "no-force-v4-certs", "no-greeting",
    "no-include-key-block", "no-mangle-dos-filenames", "no-mdc-warning", "no-permission-warning",
    "no-pgp2", "no-pgp6", "no-pgp7", "no-pgp8", "no-random-seed-file", "no-require-backsigs",
    "no-require-cross-certification", "no-require-secmem", "no-rfc2440-text", "no-secmem-warning",
    "no-show-notation", "no-show-photos", "no-show-policy-url", "no-sig-cache", "no-sk-comments",
    "no-skip-hidden-recipients", "no-symkey-cache", "no-textmode", "no-tty", "no-use-agent",
    "no-use-embedded-filename", "no-utf8-strings", "no-verbose", "no-version", "not-dash-escaped",
    "only-sign-text-ids", "openpgp", "override-compliance-check", "pgp6", "pgp7", "pgp8",
    "preserve-permissions", "proc-all-sigs", "quiet", "require-backsigs",
    "require-cross-certification", "rfc2440", "rfc2440-text", "rfc4880", "rfc4880bis",
    "show-keyring", "show-notation", "show-photos", "show-policy-url", "sk-comments",
    "skip-hidden-recipients", "skip-verify", "textmode", "try-all-secrets", "use-agent",
    "use-only-openpgp-card", "utf8-strings", "verbose", "with-colons", "with-fingerprint",
    "with-icao-spelling", "with-key-data", "with-key-origin", "with-key-screening", "with-keygrip",
    "with-secret", "with-sig-check", "with-sig-list", "with-subkey-fingerprint",
    "with-subkey-fingerprints", "with-tofu-info", "with-v5-fingerprint", "with-wkd-hash", "yes",
};
/* clang-format on */

/* The same with a value. */
/* clang-format off */
static const char *const idle_values[] = {
    "aead-algo", "assert-pubkey-algo", "assert-signer", "auto-key-locate", "bzip2-compress-level",
    "cert-digest-algo", "cert-notation", "cert-policy-url", "charset", "chunk-size", "cipher-algo",
    "comment", "compatibility-flags", "compliance", "compress-algo", "compress-level",
    "compression-algo", "ctapi-driver", "default-cert-check-level", "default-cert-expire",
    "default-cert-level", "default-key", "default-keyserver-url", "default-new-key-adsk",
    "default-new-key-algo", "default-preference-list", "default-recipient", "default-sig-expire",
    "digest-algo", "disable-cipher-algo", "disable-pubkey-algo", "display", "display-charset",
    "encrypt-to", "export-filter", "export-options", "gpg-agent-info", "hidden-encrypt-to",
    "import-filter", "import-options", "input-size-hint", "kbx-buffer-size", "keyid-format",
    "keyserver", "keyserver-options", "known-notation", "lc-ctype", "lc-messages",
    "limit-card-insert-tries", "list-filter", "list-options", "local-user", "max-output",
    "passphrase-repeat", "pcsc-driver", "personal-aead-preferences", "personal-cipher-preferences",
    "personal-cipher-prefs", "personal-compress-preferences", "personal-compress-prefs",
    "personal-digest-preferences", "personal-digest-prefs", "photo-viewer", "reader-port",
    "s2k-cipher-algo", "s2k-count", "s2k-digest-algo", "s2k-mode", "sender", "set-filename",
    "set-filesize", "set-notation", "set-policy-url", "sig-keyserver-url", "sig-notation",
    "sig-policy-url", "sign-with", "temp-directory", "tofu-db-format", "try-secret-key", "ttyname",
    "ttytype", "verify-options", "xauthority",
};
/* clang-format on */

/* These read or write other descriptors or files, or write nothing at all. */
static const char *const output[] = {
    "attribute-fd",
    "attribute-file",
    "command-fd",
    "command-file",
    "debug",
    "debug-all",
    "debug-allow-large-chunks",
    "debug-iolbf",
    "debug-level",
    "debug-quick-random",
    "debug-set-iobuf-size",
    "dry-run",
    "enable-special-filenames",
    "list-only",
    "log-file",
    "logger-fd",
    "logger-file",
    "multifile",
    "output",
    "show-session-key",
    "status-fd",
    "status-file",
    "use-embedded-filename",
};

static const char *const recipients[] = {
    "encrypt-to-default-key",
    "group",
    "hidden-recipient",
    "hidden-recipient-file",
    "no-groups",
    "recipient",
    "recipient-file",
    "remote-user",
    "ungroup",
    "user",
};

/* These change which keys exist, which are valid, which programs run, or what is accepted. */
/* clang-format off */
static const char *const configuration[] = {
    "agent-program", "allow-non-selfsigned-uid", "allow-old-cipher-algos",
    "allow-weak-digest-algos", "allow-weak-key-signatures", "completes-needed",
    "debug-ignore-expiration", "dirmngr-program", "exec-path", "faked-system-time",
    "force-ownertrust", "ignore-crc-error", "ignore-mdc-error", "ignore-time-conflict",
    "ignore-valid-from", "key-origin", "keyboxd-program", "keyring", "marginals-needed",
    "max-cert-depth", "min-cert-level", "min-rsa-length", "no-autostart", "no-default-keyring",
    "no-keyring", "no-literal", "no-options", "options", "primary-keyring", "request-origin",
    "require-compliance", "require-secmem", "secret-keyring", "tofu-default-policy", "trustdb-name",
    "trusted-key", "unwrap", "use-keyboxd", "weak-digest",
};
/* clang-format on */

static const char *const passphrase[] = {
    "override-session-key", "override-session-key-fd", "passphrase",
    "passphrase-fd",        "passphrase-file",
};

/* clang-format off */
static const char *const commands[] = {
    "add-desig-revoker", "card-edit", "card-status", "change-passphrase", "change-pin", "check-sig",
    "check-signatures", "check-sigs", "check-trustdb", "chuid", "clear-sign", "clearsign",
    "dearmor", "dearmour", "decrypt", "decrypt-files", "delete-keys",
    "delete-secret-and-public-keys", "delete-secret-keys", "desig-revoke", "detach-sign",
    "dump-option-table", "dump-options", "edit-card", "edit-key", "enarmor", "enarmour", "encrypt",
    "encrypt-files", "export", "export-ownertrust", "export-secret-keys", "export-secret-ssh-key",
    "export-secret-subkeys", "export-ssh-key", "fast-import", "fetch-keys", "fingerprint",
    "fix-trustdb", "full-gen-key", "full-generate-key", "gen-key", "gen-prime", "gen-random",
    "gen-revoke", "generate-designated-revocation", "generate-key", "generate-revocation",
    "gpgconf-list", "gpgconf-test", "help", "import", "import-ownertrust", "key-edit",
    "list-config", "list-gcrypt-config", "list-key", "list-keys", "list-packets",
    "list-public-keys", "list-secret-keys", "list-sig", "list-signatures", "list-sigs",
    "list-trustdb", "locate-external-keys", "locate-keys", "lsign-key", "no", "passwd",
    "print-dane-records", "print-md", "print-mds", "print-pka-records", "quick-add-adsk",
    "quick-add-key", "quick-add-uid", "quick-addkey", "quick-adduid", "quick-gen-key",
    "quick-generate-key", "quick-lsign-key", "quick-revoke-sig", "quick-revoke-uid", "quick-revuid",
    "quick-set-expire", "quick-set-ownertrust", "quick-set-primary-uid", "quick-sign-key",
    "quick-update-pref", "rebuild-keydb-caches", "receive-keys", "recv-keys", "refresh-keys",
    "search-keys", "send-keys", "server", "show-key", "show-keys", "sign", "sign-key", "store",
    "symmetric", "tofu-policy", "update-trustdb", "verify", "verify-files", "version", "warranty",
};
/* clang-format on */

static const struct group {
    const char *const *names;
    size_t count;
    enum gpg_option_kind kind;
} groups[] = {
    {idle_flags, ARRAY_SIZE(idle_flags), GPG_OPTION_IDLE},
    {idle_values, ARRAY_SIZE(idle_values), GPG_OPTION_IDLE_VALUE},
    {output, ARRAY_SIZE(output), GPG_OPTION_OUTPUT},
    {recipients, ARRAY_SIZE(recipients), GPG_OPTION_RECIPIENTS},
    {configuration, ARRAY_SIZE(configuration), GPG_OPTION_CONFIGURATION},
    {passphrase, ARRAY_SIZE(passphrase), GPG_OPTION_PASSPHRASE},
    {commands, ARRAY_SIZE(commands), GPG_OPTION_COMMAND},
};

/* A group of letters is refused if one of them has an effect: "-qo" is not "-q". */
static const char *long_name(char letter)
{
    static const struct {
        char letter;
        const char *name;
    } letters[] = {
        {'q', "quiet"},
        {'v', "verbose"},
        {'i', "interactive"},
        {'t', "textmode"},
        {'u', "local-user"},
        {'z', "compress-level"},
        {'N', "set-notation"},
        {'o', "output"},
        {'n', "dry-run"},
        {'r', "recipient"},
        {'R', "hidden-recipient"},
        {'f', "recipient-file"},
        {'F', "hidden-recipient-file"},
        {'h', "help"},
        {'c', "symmetric"},
        {'s', "sign"},
        {'e', "encrypt"},
        {'d', "decrypt"},
        {'b', "detach-sign"},
        {'k', "list-keys"},
        {'K', "list-secret-keys"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
        if (letters[i].letter == letter)
            return letters[i].name;
    return "";
}

enum gpg_option_kind gpg_option_classify(const char *word)
{
    const char *name = strncmp(word, "--", 2) == 0             ? word + 2
                       : word[0] == '-' && word[1] && !word[2] ? long_name(word[1])
                                                               : "";
    size_t length = strcspn(name, "=");

    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        for (size_t k = 0; k < groups[i].count; k++)
            if (strlen(groups[i].names[k]) == length &&
                memcmp(groups[i].names[k], name, length) == 0)
                return groups[i].kind == GPG_OPTION_IDLE && name[length] ? GPG_OPTION_UNKNOWN
                                                                         : groups[i].kind;
    return GPG_OPTION_UNKNOWN;
}

const char *gpg_option_refusal(enum gpg_option_kind kind)
{
    switch (kind) {
    case GPG_OPTION_OUTPUT:
        return "changes where gpg writes; remove it";
    case GPG_OPTION_RECIPIENTS:
        return "changes who can read the entries; name the keys in .gpg-id";
    case GPG_OPTION_CONFIGURATION:
        return "changes which keys and programs gpg uses, and cannot be passed on; set it in "
               "gpg.conf";
    case GPG_OPTION_PASSPHRASE:
        return "gives a secret away on the command line; use pinentry, or gpg-preset-passphrase";
    case GPG_OPTION_COMMAND:
        return "is a gpg command; remove it";
    default:
        return "is not known here; remove it, or set it in gpg.conf";
    }
}
