/*
 * The keys: why nothing can be encrypted to those that the store names, and why an entry cannot be
 * decrypted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpg/agent-conf.h"
#include "gpg/agent.h"
#include "gpg/query.h"
#include "helper/doctor/checks.h"
#include "helper/pass/entry.h"

/* --- recipients ------------------------------------------------------------------------------ */

static const char encrypt_why[] = "Nothing can be encrypted to it, so docker login fails.";

/* A store without entries may name another key; the old .gpg-id stays beside the new one. */
static void add_new_start(struct doctor *doctor, struct finding *finding)
{
    CLEANUP(pass_listing_done) struct pass_listing listing = {0};
    const char *source = doctor->recipients.source;

    if (*source != '/' ||
        (doctor->store.directory_fd >= 0 &&
         (pass_entry_list(&doctor->store, &listing, NULL) < 0 || listing.count > 0)))
        return;
    finding_add_command(finding, "mv %s %s.old && docker-credential-pass setup", source, source);
}

static void explain_unknown(struct doctor *doctor, const char *id)
{
    const struct pass_store *store = &doctor->store;
    CLEANUP_FREE char *exported = NULL;
    struct finding *finding = report_add(
        &doctor->report, "key-unknown", FINDING_BAD, encrypt_why,
        "gpg has no key \"%s\", which %s names; import it with gpg --import if you have it", id,
        doctor->recipients.source);

    if (asprintf(&exported, "%s/.public-keys/%s", store->root, id) >= 0 &&
        access(exported, R_OK) == 0)
        finding_add_command(finding, "gpg --import %s", exported);
    else
        add_new_start(doctor, finding);
}

static void explain_key(struct doctor *doctor, const struct gpg_key *key)
{
    static const char *const ids[] = {
        [GPG_KEY_REVOKED] = "key-revoked",         [GPG_KEY_EXPIRED] = "key-expired",
        [GPG_KEY_DISABLED] = "key-disabled",       [GPG_KEY_SUBKEY_EXPIRED] = "key-expired",
        [GPG_KEY_INVALID] = "key-invalid",         [GPG_KEY_CANNOT_ENCRYPT] = "key-cannot-encrypt",
        [GPG_KEY_NOT_TRUSTED] = "key-not-trusted",
    };
    struct finding *finding =
        report_add(&doctor->report, ids[key->problem], FINDING_BAD, encrypt_why,
                   "the key %s (%s), which %s names, %s", key->fingerprint, key->user_id,
                   doctor->recipients.source, gpg_key_problem_words(key->problem));
    const char *id = key->fingerprint;

    switch (key->problem) {
    case GPG_KEY_NOT_TRUSTED:
        if (key->has_secret)
            finding_add_command(finding, "echo %s:6: | gpg --import-ownertrust", id);
        else
            finding_add_command(finding, "gpg --quick-lsign-key %s", id);
        break;
    case GPG_KEY_REVOKED:
        add_new_start(doctor, finding);
        break;
    case GPG_KEY_EXPIRED:
        if (key->has_secret)
            finding_add_command(finding,
                                "gpg --quick-set-expire %s 2y && gpg --quick-set-expire %s 2y %s",
                                id, id, key->subkey);
        break;
    /* by its fingerprint: for '*' gpg passes over those that have expired already */
    case GPG_KEY_SUBKEY_EXPIRED:
        if (key->has_secret)
            finding_add_command(finding, "gpg --quick-set-expire %s 2y %s", id, key->subkey);
        break;
    case GPG_KEY_DISABLED:
        finding_add_command(finding, "echo enable | gpg --batch --command-fd 0 --edit-key %s", id);
        break;
    case GPG_KEY_INVALID:
    case GPG_KEY_USABLE:
        break;
    case GPG_KEY_CANNOT_ENCRYPT:
        if (key->has_secret)
            finding_add_command(finding, "gpg --quick-add-key %s cv25519 encr", id);
    }
}

/* The best of several keys with the same name; NULL if there is none. */
static const struct gpg_key *choose(const struct gpg_keys *keys)
{
    const struct gpg_key *best = NULL;

    for (size_t i = 0; i < keys->count; i++)
        if (!best || (best->problem != GPG_KEY_USABLE && keys->items[i].problem == GPG_KEY_USABLE))
            best = &keys->items[i];
    return best;
}

/* Whether gpg refused that name itself. The name of a group has no key either, and is valid. */
static bool is_refused(const struct doctor *doctor, const char *id)
{
    const struct proof_step *encrypt = &doctor->proof.encrypt;
    CLEANUP_FREE char *quoted = NULL;

    return encrypt->result == PROOF_FAILED && encrypt->err.code == GPG_FAILURE_RECIPIENT &&
           asprintf(&quoted, "\"%s\"", id) >= 0 && strstr(encrypt->err.text, quoted);
}

static void check_recipient(struct doctor *doctor, const char *id)
{
    CLEANUP(gpg_keys_done) struct gpg_keys keys = {0};
    const struct gpg_key *key;
    struct error err;

    if (gpg_keys_find(doctor->gpg, id, false, &keys, &err) < 0)
        return; /* then encrypting fails too, and is explained by its own text */
    key = choose(&keys);
    if (!key) {
        if (is_refused(doctor, id))
            explain_unknown(doctor, id);
        return;
    }
    if (key->has_secret && !*doctor->fingerprint) {
        snprintf(doctor->fingerprint, sizeof(doctor->fingerprint), "%s", key->fingerprint);
        snprintf(doctor->keygrip, sizeof(doctor->keygrip), "%s", key->keygrip);
    }
    if (key->problem != GPG_KEY_USABLE && doctor->proof.encrypt.err.code == GPG_FAILURE_RECIPIENT)
        explain_key(doctor, key);
}

static void explain_recipients(struct doctor *doctor, const struct error *err)
{
    const char *signers = getenv("PASSWORD_STORE_SIGNING_KEY");
    CLEANUP_FREE char *source = NULL;
    struct finding *finding;

    if (err->code == EPERM) {
        finding = report_add(&doctor->report, "gpg-id-writable", FINDING_BAD,
                             "Somebody may have added their own key. Nothing is encrypted until "
                             "only you can change the file.",
                             "%s", err->text);
        finding_add_command(finding, "chmod -R o-w %s", doctor->store.root);
    } else if (err->code == EBADMSG || (err->code == ENOENT && signers && *signers)) {
        CLEANUP_FREE char *signer = strndup(signers, strcspn(signers, " \t\n"));

        finding = report_add(
            &doctor->report, "gpg-id-signature", FINDING_BAD,
            "Somebody may have added their own key. Look at the file; if it is correct, sign it:",
            "%s", err->text);
        if (signer && doctor_find_gpg_id(&doctor->store, &source) == 0 && source)
            finding_add_command(finding, "gpg --yes --detach-sign --local-user %s %s", signer,
                                source);
    }
}

const char *check_recipients(struct doctor *doctor)
{
    static const struct pass_path path = {.directory = "", .file = ""};
    struct error err;

    if (!doctor->gpg || !doctor->store.root || doctor->report.explained & 1 << STEP_ENCRYPT)
        return NULL; /* any other finding would only follow from these */
    if (pass_recipients_find(&doctor->store, doctor->gpg, &path, &doctor->recipients, &err) < 0) {
        explain_recipients(doctor, &err);
        return NULL;
    }
    for (char *id = doctor->recipients.ids, *end; *id; id = end + 1) {
        end = strchr(id, '\n');
        *end = '\0';
        check_recipient(doctor, id);
        *end = '\n';
    }
    return doctor->proof.encrypt.result == PROOF_PASSED
               ? "every key that it names can be encrypted to"
               : NULL;
}

/* --- reading again --------------------------------------------------------------------------- */

static void check_memory(struct doctor *doctor, const char *algorithm)
{
    struct finding *finding;

    if (strncmp(algorithm, "rsa", 3) != 0 || strtoul(algorithm + 3, NULL, 10) < 3072 ||
        gpg_agent_has_option("auto-expand-secmem"))
        return;
    finding = report_add(&doctor->report, "rsa-memory", FINDING_WARNING,
                         "When docker pulls many images at once, gpg-agent runs out of locked "
                         "memory with RSA keys of this "
                         "size; requests then queue.",
                         "the key is %s, and gpg-agent's memory does not grow", algorithm);
    finding_add_command(
        finding,
        "echo auto-expand-secmem >> \"$(gpgconf --list-dirs homedir)/gpg-agent.conf\"; gpgconf "
        "--kill gpg-agent");
}

/* Asks the agent, so it runs only after the proof has shown whether gpg itself reaches one. */
static void look_at_key(struct doctor *doctor)
{
    CLEANUP(gpg_keys_done) struct gpg_keys keys = {0};
    struct error err;

    if (gpg_agent_get_s2k_count(doctor->keygrip, &doctor->s2k_count, &err) != 0)
        doctor->s2k_count = 0;
    if (gpg_keys_find(doctor->gpg, doctor->fingerprint, false, &keys, &err) == 0 && keys.count > 0)
        check_memory(doctor, keys.items[0].algorithm);
}

/* Reports a smartcard that fails; its text says what to do. */
static bool check_card(struct doctor *doctor)
{
    const struct proof_step *step =
        doctor->proof.decrypt.result == PROOF_FAILED ? &doctor->proof.decrypt : &doctor->entries;
    struct finding *finding;

    if (step->result != PROOF_FAILED ||
        (step->err.code != GPG_FAILURE_CARD && step->err.code != GPG_FAILURE_NO_SCDAEMON))
        return true;
    finding = report_add(
        &doctor->report, step->err.code == GPG_FAILURE_CARD ? "card-fails" : "scdaemon-missing",
        FINDING_BAD, "Without the card nothing can be decrypted, so a pull has no password.", "%s",
        step->err.text);
    if (step->err.code == GPG_FAILURE_NO_SCDAEMON)
        finding_add_root_command(finding, "apt-get install -y scdaemon");
    return false;
}

const char *check_secret_key(struct doctor *doctor)
{
    const struct proof_step *decrypt = &doctor->proof.decrypt;

    if (!check_card(doctor))
        return NULL;
    if (decrypt->result == PROOF_FAILED && decrypt->err.code == GPG_FAILURE_NO_SECRET_KEY) {
        report_add(&doctor->report, "secret-key-missing", FINDING_BAD,
                   "A stored login could not be read again. Import the secret key from your other "
                   "machine or your backup (gpg --import FILE).",
                   "gpg-agent has the secret part of none of the keys that %s names",
                   doctor->recipients.source ? doctor->recipients.source : "the store");
        return NULL;
    }
    if (decrypt->result != PROOF_PASSED && decrypt->result != PROOF_LOCKED)
        return NULL;
    if (*doctor->fingerprint)
        look_at_key(doctor);
    return "the secret key is here";
}

/* --- the passphrase -------------------------------------------------------------------------- */

/*
 * After su the terminal still belongs to the user who logged in, and the pinentry cannot open it.
 */
static bool check_terminal(struct doctor *doctor, const char *tty)
{
    struct finding *finding;

    if (!tty || access(tty, R_OK | W_OK) == 0 || (errno != EACCES && errno != EPERM))
        return true;
    finding = report_add(&doctor->report, "terminal-of-another", FINDING_BAD,
                         "pinentry cannot ask for the passphrase on it. After su, log in as "
                         "yourself, or start a shell on a terminal of your own:",
                         "the terminal %s belongs to another user", tty);
    finding_add_command(finding, "script -q /dev/null");
    return false;
}

/* The user's own gpg-agent.conf names the program, and gpg's standard one could be run instead. */
static void add_standard_pinentry(struct finding *finding)
{
    CLEANUP_FREE char *home = NULL, *standard = NULL;
    struct error err;

    if (gpg_find_home(&home, &err) == 0 && gpg_agent_is_own_option("pinentry-program") &&
        gpg_agent_find_standard_pinentry(&standard, &err) == 0 && access(standard, X_OK) == 0)
        finding_add_command(finding,
                            "sed -i 's/^[[:blank:]]*pinentry-program/#&/' %s/gpg-agent.conf; "
                            "gpgconf --kill gpg-agent",
                            home);
}

static bool check_pinentry(struct doctor *doctor)
{
    CLEANUP_FREE char *pinentry = NULL;
    struct finding *finding;
    struct error err;

    if (gpg_agent_find_pinentry(&pinentry, &err) == 0 && access(pinentry, X_OK) == 0)
        return true;
    finding = report_add(&doctor->report, "pinentry-missing", FINDING_BAD,
                         "The key has a passphrase, and gpg-agent has no program to ask for it. "
                         "Install one, or correct "
                         "pinentry-program in gpg-agent.conf (yours, or the one in /etc/gnupg).",
                         "%s cannot be run", pinentry ? pinentry : "pinentry");
    if (!pinentry || strcmp(pinentry, "/usr/bin/pinentry") == 0)
        finding_add_root_command(finding, "apt-get install -y pinentry-curses");
    else
        add_standard_pinentry(finding);
    return false;
}

const char *check_passphrase(struct doctor *doctor)
{
    int failure = doctor_get_decrypt_failure(doctor);
    const char *tty = getenv("GPG_TTY");
    struct finding *finding;

    if (doctor->proof.decrypt.err.code == GPG_FAILURE_REMOTE)
        return NULL; /* the person at that machine is asked */
    if (!doctor_is_locked(doctor) && failure != GPG_FAILURE_NO_PINENTRY &&
        failure != GPG_FAILURE_NO_TERMINAL)
        return NULL;
    if (!check_pinentry(doctor) || !check_terminal(doctor, tty))
        return NULL;
    if (doctor->given_tty && (!tty || strcmp(tty, doctor->given_tty) != 0)) {
        finding = report_add(&doctor->report, "gpg-tty-wrong", FINDING_WARNING,
                             "This program finds the terminal itself; gpg and pass fail with \"No "
                             "such file or directory\".",
                             "GPG_TTY is \"%s\", which is not a terminal", doctor->given_tty);
        finding_add_command(finding, "export GPG_TTY=$(tty)");
    }
    if (!tty && !getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY")) {
        report_add(&doctor->report, "no-terminal", FINDING_WARNING,
                   "Here nobody can be asked for it; on a terminal docker works. A machine without "
                   "users needs a key without a passphrase for docker (docker-credential-pass "
                   "setup --subfolder --no-passphrase).",
                   "the key needs a passphrase or a PIN that gpg-agent does not have, and there is "
                   "no terminal");
        return NULL;
    }
    return "the passphrase can be asked for";
}
