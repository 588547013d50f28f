/* Whom the store encrypts for, and whether we can read it again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpg/agent.h"
#include "gpg/s2k-time.h"
#include "helper/doctor/checks.h"
#include "helper/vault.h"

/* --- recipients -------------------------------------------------------------------------- */

static const char encrypt_why[] = "Nothing can be encrypted to it, so docker login fails.";

static void explain_unknown(struct doctor *doctor, const char *id)
{
    const struct pass_store *store = &doctor->store;
    CLEANUP_FREE char *exported = NULL;
    struct finding *finding = report_add(&doctor->report, "key-unknown", FINDING_BAD, encrypt_why,
                                         "gpg has no key \"%s\", which %s names", id, doctor->recipients.source);

    if (asprintf(&exported, "%s/.public-keys/%s", store->root, id) >= 0 && access(exported, R_OK) == 0)
        finding_add_command(finding, "gpg --import %s", exported);
    else
        finding_add_command(finding, "rm %s && docker-credential-pass setup", doctor->recipients.source);
}

static void explain_key(struct doctor *doctor, const struct gpg_key *key)
{
    static const char *const ids[] = {
        [GPG_KEY_REVOKED] = "key-revoked",   [GPG_KEY_EXPIRED] = "key-expired",
        [GPG_KEY_DISABLED] = "key-disabled", [GPG_KEY_CANNOT_ENCRYPT] = "key-cannot-encrypt",
        [GPG_KEY_NOT_TRUSTED] = "key-not-trusted",
    };
    struct finding *finding = report_add(&doctor->report, ids[key->problem], FINDING_BAD, encrypt_why,
                                         "the key %s (%s), which %s names, %s", key->fingerprint, key->user_id,
                                         doctor->recipients.source, gpg_key_problem_words(key->problem));

    if (key->problem == GPG_KEY_NOT_TRUSTED) {
        if (key->has_secret)
            finding_add_command(finding, "echo %s:6: | gpg --import-ownertrust", key->fingerprint);
        else
            finding_add_command(finding, "gpg --quick-lsign-key %s", key->fingerprint);
    } else if (key->problem == GPG_KEY_REVOKED) {
        finding_add_command(finding, "rm %s && docker-credential-pass setup", doctor->recipients.source);
    } else if (key->problem == GPG_KEY_EXPIRED) {
        finding_add_command(finding, "gpg --quick-set-expire %s 2y && gpg --quick-set-expire %s 2y '*'", key->fingerprint,
                            key->fingerprint);
    } else if (key->problem == GPG_KEY_DISABLED) {
        finding_add_command(finding, "echo enable | gpg --batch --command-fd 0 --edit-key %s", key->fingerprint);
    } else {
        finding_add_command(finding, "gpg --quick-add-key %s cv25519 encr", key->fingerprint);
    }
}

/* The best of the keys that a name fits; NULL: none. */
static const struct gpg_key *choose(const struct gpg_keys *keys)
{
    const struct gpg_key *best = NULL;

    for (size_t i = 0; i < keys->count; i++)
        if (!best || (best->problem != GPG_KEY_USABLE && keys->items[i].problem == GPG_KEY_USABLE))
            best = &keys->items[i];
    return best;
}

/* Whether it can be encrypted to. */
static bool check_recipient(struct doctor *doctor, const char *id)
{
    CLEANUP(gpg_keys_done) struct gpg_keys keys = {0};
    const struct gpg_key *key;
    struct error err;

    if (gpg_keys_find(doctor->gpg, id, false, &keys, &err) < 0)
        return false;
    key = choose(&keys);
    if (!key) {
        explain_unknown(doctor, id);
        return false;
    }
    if (key->has_secret && !*doctor->fingerprint) {
        snprintf(doctor->fingerprint, sizeof(doctor->fingerprint), "%s", key->fingerprint);
        snprintf(doctor->keygrip, sizeof(doctor->keygrip), "%s", key->keygrip);
    }
    if (key->problem != GPG_KEY_USABLE)
        explain_key(doctor, key);
    return key->problem == GPG_KEY_USABLE;
}

const char *check_recipients(struct doctor *doctor)
{
    static const struct pass_path path = {.folder = "", .file = ""};
    struct finding *finding;
    struct error err;

    if (!doctor->gpg || !doctor->store.root || report_count_bad(&doctor->report) > 0)
        return NULL; /* whatever would be said now follows from that */
    if (pass_recipients_find(&doctor->store, doctor->gpg, &path, &doctor->recipients, &err) < 0) {
        if (err.code == EPERM) {
            finding = report_add(&doctor->report, "gpg-id-writable", FINDING_BAD,
                                 "Somebody may have put his own key there; nothing is encrypted until only you can.", "%s",
                                 err.text);
            finding_add_command(finding, "chmod -R o-w %s", doctor->store.root);
            return NULL;
        }
        finding = report_add(&doctor->report, "gpg-id-signature", FINDING_BAD,
                             "Somebody may have put his own key there; nothing is encrypted until it is signed again.", "%s",
                             err.text);
        finding_add_command(finding, "pass init FINGERPRINT");
        return NULL;
    }
    doctor->has_recipients = true;
    for (char *id = doctor->recipients.ids, *end; *id; id = end + 1) {
        end = strchr(id, '\n');
        *end = '\0';
        if (!check_recipient(doctor, id))
            doctor->has_recipients = false;
        *end = '\n';
    }
    return "every key that it names can be encrypted to";
}

/* --- reading again ----------------------------------------------------------------------- */

static void check_memory(struct doctor *doctor, const char *algorithm)
{
    struct finding *finding;

    if (strncmp(algorithm, "rsa", 3) != 0 || strtoul(algorithm + 3, NULL, 10) < 3072 || gpg_agent_has_option("auto-expand-secmem"))
        return;
    finding = report_add(&doctor->report, "rsa-memory", FINDING_WARNING,
                         "When docker pulls many images at once, gpg-agent runs out of locked memory with RSA keys of this "
                         "size; requests then queue.", "%s, and gpg-agent's memory does not grow", algorithm);
    finding_add_command(finding, "echo auto-expand-secmem >> \"$(gpgconf --list-dirs homedir)/gpg-agent.conf\"; gpgconf "
                        "--kill gpg-agent");
}

const char *check_secret_key(struct doctor *doctor)
{
    CLEANUP(gpg_keys_done) struct gpg_keys keys = {0};
    struct gpg_agent_key known;
    struct finding *finding;
    struct error err;
    int r;

    if (!doctor->recipients.ids)
        return NULL;
    if (!*doctor->fingerprint && !doctor->has_recipients)
        return NULL; /* none that could have one */
    if (!*doctor->fingerprint) {
        finding = report_add(&doctor->report, "secret-key-missing", FINDING_BAD,
                             "What docker login stores could not be read again.",
                             "of the keys that %s names no secret part is here", doctor->recipients.source);
        finding_add_command(finding, "gpg --import SECRET-KEY-FILE");
        return NULL;
    }
    r = gpg_agent_find_key(doctor->keygrip, &known, &err);
    if (r < 0)
        return NULL; /* said by check_agent() */
    doctor->is_locked = r == 0 && known.is_protected && !known.is_cached && !known.is_on_card;
    if (gpg_agent_get_s2k_count(doctor->keygrip, &doctor->s2k_count, &err) != 0)
        doctor->s2k_count = 0;
    if (gpg_keys_find(doctor->gpg, doctor->fingerprint, false, &keys, &err) == 0 && keys.count > 0)
        check_memory(doctor, keys.items[0].algorithm);
    return "the secret key is here";
}

const char *check_passphrase(struct doctor *doctor)
{
    const char *tty = getenv("GPG_TTY");
    CLEANUP_FREE char *pinentry = NULL;
    struct finding *finding;
    struct error err;

    if (!*doctor->fingerprint || !doctor->is_locked)
        return NULL;
    if (gpg_agent_find_pinentry(&pinentry, &err) < 0 || access(pinentry, X_OK) < 0) {
        finding = report_add(&doctor->report, "pinentry-missing", FINDING_BAD,
                             "The key has a passphrase, and gpg-agent has no program to ask for it.",
                             "%s cannot be run", pinentry ? pinentry : "pinentry");
        finding_add_command(finding, "sudo apt-get install pinentry-curses && gpgconf --kill gpg-agent");
        return NULL;
    }
    if (doctor->given_tty && (!tty || strcmp(tty, doctor->given_tty) != 0)) {
        finding = report_add(&doctor->report, "gpg-tty-wrong", FINDING_WARNING,
                             "This program finds the terminal itself; gpg and pass fail with \"No such file or directory\".",
                             "GPG_TTY is \"%s\", which is no terminal", doctor->given_tty);
        finding_add_command(finding, "export GPG_TTY=$(tty)");
    }
    if (!tty && !getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY")) {
        finding = report_add(&doctor->report, "no-terminal", FINDING_WARNING,
                             "The passphrase is needed, and here nobody can be asked for it; on a terminal docker works.",
                             "the key %s has a passphrase that gpg-agent does not know, and there is no terminal",
                             doctor->fingerprint);
        finding_add_command(finding, "docker-credential-pass setup --subfolder --no-passphrase");
        return NULL;
    }
    return "the passphrase can be asked for";
}

/* --- the proof --------------------------------------------------------------------------- */

/* Half of what gpg-agent calibrates a new key to (100 ms), five times what s2k-calibration 10 gives. */
enum { SLOW_MS = 50 };

/* Judged by the key's S2K count and the speed of this machine's CPU: the clock would blame the key for a busy machine. */
static void tell_slowness(struct doctor *doctor)
{
    uint64_t ms = doctor->s2k_count ? gpg_estimate_s2k_ms(doctor->s2k_count) : 0;
    struct finding *finding;

    if (ms < SLOW_MS)
        return;
    finding = report_add(&doctor->report, "slow-key", FINDING_WARNING,
                         "Each pull waits for it, and gpg-agent does one at a time. A cheaper derivation (s2k-calibration) "
                         "mends it, and makes guessing the passphrase of a stolen key file cheaper by as much.",
                         "each decryption takes about %" PRIu64 " ms of CPU time, because gpg-agent hashes the passphrase of "
                         "%s at length each time", ms, doctor->fingerprint);
    finding_add_command(finding, "echo s2k-calibration 10 >> \"$(gpgconf --list-dirs homedir)/gpg-agent.conf\"; gpgconf "
                        "--kill gpg-agent");
    finding_add_command(finding, "gpg --change-passphrase %s", doctor->fingerprint);
}

const char *check_proof(struct doctor *doctor)
{
    static char fine[320];
    struct vault_proof proof;
    struct finding *finding;
    struct error err;

    if (!doctor->has_recipients || !*doctor->fingerprint || report_count_bad(&doctor->report) > 0)
        return NULL;
    if (doctor->is_locked && !doctor->does_prompt) {
        tell_slowness(doctor);
        return "(decrypting was not tried: it would ask for the passphrase; --prompt lets it)";
    }
    if (vault_prove(doctor->does_prompt ? GPG_PINENTRY_DEFAULT : GPG_PINENTRY_ERROR, &proof, &err) < 0) {
        finding = report_add(&doctor->report, err.code == EHOSTDOWN ? "agent-unreachable" : "proof-failed", FINDING_BAD,
                             "A text could not be encrypted and decrypted again, so no password can be.", "%s", err.text);
        finding_add_command(finding, "gpgconf --kill gpg-agent; docker-credential-pass doctor --prompt");
        return NULL;
    }
    doctor->report.decrypt_us = proof.decrypt_us;
    doctor->report.is_by_gpg = proof.why_by_gpg.code != 0;
    tell_slowness(doctor);
    if (doctor->report.is_by_gpg)
        snprintf(fine, sizeof(fine), "a text was encrypted, and decrypted in %" PRIu64 " ms by gpg (%.200s)",
                 (proof.decrypt_us + 500) / 1000, proof.why_by_gpg.text);
    else
        snprintf(fine, sizeof(fine), "a text was encrypted, and decrypted in %.1f ms without gpg (the fast path)",
                 (double)proof.decrypt_us / 1000);
    return fine;
}
