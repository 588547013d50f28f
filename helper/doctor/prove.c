/* Runs the proof, and reports failed steps that no check explains. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "gpg/home.h"
#include "gpg/patience.h"
#include "gpg/s2k-time.h"
#include "helper/doctor/checks.h"
#include "helper/pass/entry.h"

/* --- all steps ------------------------------------------------------------------------------- */

static void note_step(struct report *report, enum report_step which, const struct proof_step *step)
{
    report->failed |= step->result == PROOF_FAILED ? 1U << which : 0;
    report->locked |= step->result == PROOF_LOCKED ? 1U << which : 0;
    report->untried |=
        step->result == PROOF_LOCKED || step->result == PROOF_NOT_TRIED ? 1U << which : 0;
}

/* A failure is worse than a locked entry, and that is worse than an entry that was read. */
static void take_worst(struct proof_step *worst, const struct proof_step *step)
{
    if (worst->result != PROOF_FAILED && step->result != PROOF_PASSED &&
        step->result != PROOF_NOT_TRIED &&
        (worst->result == PROOF_PASSED || step->result == PROOF_FAILED))
        *worst = *step;
}

/*
 * Whether the next decryption would fail in the same way, after the same long wait or the same
 * question, perhaps for a PIN.
 */
static bool is_end(const struct proof_step *step)
{
    if (step->result != PROOF_FAILED)
        return false;
    switch (step->err.code) {
    case ETIMEDOUT:
    case GPG_FAILURE_CANCELED:
    case GPG_FAILURE_BAD_PASSPHRASE:
    case GPG_FAILURE_CARD:
    case GPG_FAILURE_NO_SCDAEMON:
        return true;
    default:
        return false;
    }
}

static void prove_entries(struct doctor *doctor, enum gpg_pinentry_mode mode)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP(pass_listing_done) struct pass_listing listing = {0};
    struct proof_step *worst = &doctor->entries;

    if (is_end(&doctor->proof.encrypt) || is_end(&doctor->proof.decrypt)) {
        error_set(&worst->err, ENODATA,
                  "a message that was just encrypted cannot be decrypted, so no entry was tried");
        return;
    }
    worst->result = PROOF_PASSED;
    if (pass_store_open(&store, &worst->err) < 0) {
        worst->result = PROOF_NOT_TRIED;
        return;
    }
    if (store.directory_fd >= 0 && pass_entry_list(&store, &listing, &worst->err) < 0) {
        worst->result = worst->err.code == EACCES ? PROOF_FAILED : PROOF_NOT_TRIED;
        return;
    }
    for (size_t i = 0; i < listing.count && !is_end(worst); i++) {
        struct proof_step step = {0};
        struct pass_path path;

        if (pass_path_set_url(&path, listing.items[i].url, listing.items[i].url_size) < 0)
            continue;
        path.file[0] = '\0';
        proof_read_entry(&store, &path, mode, &step);
        take_worst(worst, &step);
    }
}

enum { MOST_PATIENCE_S = 5 };

/*
 * The checks need not wait as long as the proof did. A step that failed after a long wait has
 * waited for an agent that hangs, or for a lock, and each later gpg would wait as long.
 */
static void shorten_patience(const struct doctor *doctor, int64_t waited_ms)
{
    bool has_failed = doctor->proof.encrypt.result == PROOF_FAILED ||
                      doctor->proof.decrypt.result == PROOF_FAILED ||
                      doctor->entries.result == PROOF_FAILED;

    if (has_failed && waited_ms >= MOST_PATIENCE_S * 1000 && gpg_patience() > MOST_PATIENCE_S)
        setenv("DOCKER_CREDENTIAL_PASS_TIMEOUT", "5", 1);
}

void doctor_prove(struct doctor *doctor)
{
    enum gpg_pinentry_mode mode = doctor->does_prompt ? GPG_PINENTRY_DEFAULT : GPG_PINENTRY_ERROR;
    int64_t begin = monotonic_ms();
    struct gpg_home home;

    doctor->had_gnupg_home = gpg_home_find(NULL, &home) < 0 || access(home.path, F_OK) == 0;
    proof_run(mode, &doctor->proof);
    shorten_patience(doctor, monotonic_ms() - begin);
    prove_entries(doctor, mode);
    shorten_patience(doctor, monotonic_ms() - begin);
    note_step(&doctor->report, STEP_ENCRYPT, &doctor->proof.encrypt);
    note_step(&doctor->report, STEP_DECRYPT, &doctor->proof.decrypt);
    note_step(&doctor->report, STEP_WRITE, &doctor->proof.write);
    note_step(&doctor->report, STEP_ENTRIES, &doctor->entries);
    doctor->report.decrypt_us = doctor->proof.decrypt_us;
    doctor->report.is_by_gpg = doctor->proof.why_by_gpg.code != 0;
}

int doctor_get_decrypt_failure(const struct doctor *doctor)
{
    if (doctor->proof.decrypt.result == PROOF_FAILED)
        return doctor->proof.decrypt.err.code;
    return doctor->entries.result == PROOF_FAILED ? doctor->entries.err.code : 0;
}

bool doctor_is_locked(const struct doctor *doctor)
{
    return doctor->proof.decrypt.result == PROOF_LOCKED || doctor->entries.result == PROOF_LOCKED;
}

/* --- what no check explains ------------------------------------------------------------------ */

struct unexplained {
    enum report_step step;
    const char *id, *why;
};

static void explain_by_its_text(struct doctor *doctor, const struct unexplained *what,
                                const struct proof_step *step)
{
    const char *id = what->id;

    if (step->result != PROOF_FAILED || doctor->report.explained & 1U << what->step)
        return;
    if (what->step == STEP_ENTRIES && doctor->proof.decrypt.result == PROOF_FAILED &&
        doctor->proof.decrypt.err.code == step->err.code)
        return; /* reported for decrypting */
    if (step->err.code == GPG_FAILURE_CONFIGURATION)
        id = "gpg-conf-invalid";
    doctor->report.explains = 1U << what->step;
    report_add(&doctor->report, id, FINDING_BAD, what->why, "%s", step->err.text);
    if (step->err.code == GPG_FAILURE_CONFIGURATION) /* report a common cause once */
        doctor->report.explained |= STEP_MASK_ALL;
}

const char *check_unexplained(struct doctor *doctor)
{
    static const struct unexplained steps[] = {
        {STEP_ENCRYPT, "encrypt-failed",
         "A text could not be encrypted as docker login does, so no password can be stored."},
        {STEP_DECRYPT, "decrypt-failed",
         "The encrypted text could not be decrypted, so a pull would have no password."},
        {STEP_WRITE, "write-failed", "No entry can be written, so docker login fails."},
        {STEP_ENTRIES, "entry-fails", "Docker pulls without a login then, and says \"denied\"."},
    };
    const struct proof_step *const results[] = {
        [STEP_ENCRYPT] = &doctor->proof.encrypt,
        [STEP_DECRYPT] = &doctor->proof.decrypt,
        [STEP_WRITE] = &doctor->proof.write,
        [STEP_ENTRIES] = &doctor->entries,
    };

    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        explain_by_its_text(doctor, &steps[i], results[i]);
    doctor->report.explains = 0;
    if (doctor->proof.decrypt.err.code == GPG_FAILURE_REMOTE)
        return "(decrypting was not tried: gpg-agent is on another machine and may ask there; "
               "--prompt tries it)";
    if (doctor_is_locked(doctor))
        return "(decrypting was not tried: the key needs its passphrase, or its card; --prompt "
               "lets gpg ask for it)";
    return NULL;
}

void doctor_add_unchecked(struct doctor *doctor, const char *what, int error)
{
    report_add(&doctor->report, "unchecked", FINDING_UNCHECKED,
               "So it is unknown whether this works.", "%s could not be checked: %s", what,
               strerror(error));
}

/* --- how fast -------------------------------------------------------------------------------- */

/*
 * Half of what gpg-agent calibrates a new key to (100 ms), five times what s2k-calibration 10
 * gives.
 */
enum { SLOW_MS = 50 };

/*
 * Uses the key's S2K count and the speed of this machine's CPU: the elapsed time also depends on
 * other programs.
 */
static void tell_slowness(struct doctor *doctor)
{
    uint64_t ms = doctor->s2k_count ? gpg_estimate_s2k_ms(doctor->s2k_count) : 0;
    struct finding *finding;

    if (ms < SLOW_MS)
        return;
    finding =
        report_add(&doctor->report, "slow-key", FINDING_WARNING,
                   "Each pull waits for it, and gpg-agent handles one at a time. A cheaper "
                   "derivation (s2k-calibration) helps, but guessing the passphrase of a stolen "
                   "key file becomes equally cheaper.",
                   "each decryption takes about %" PRIu64
                   " ms of CPU time, because gpg-agent hashes the passphrase of %s many times",
                   ms, doctor->fingerprint);
    finding_add_command(
        finding,
        "echo s2k-calibration 10 >> \"$(gpgconf --list-dirs homedir)/gpg-agent.conf\"; gpgconf "
        "--kill gpg-agent");
    finding_add_command(finding, "gpg --change-passphrase %s", doctor->fingerprint);
}

const char *check_speed(struct doctor *doctor)
{
    static char fine[320];
    const struct proof *proof = &doctor->proof;

    tell_slowness(doctor);
    if (proof->decrypt.result != PROOF_PASSED)
        return NULL;
    if (proof->why_by_gpg.code != 0)
        snprintf(fine, sizeof(fine),
                 "a text was encrypted, and decrypted in %" PRIu64 " ms by gpg (%.200s)",
                 (proof->decrypt_us + 500) / 1000, proof->why_by_gpg.text);
    else
        snprintf(fine, sizeof(fine),
                 "a text was encrypted, and decrypted in %.1f ms without gpg (the fast path)",
                 (double)proof->decrypt_us / 1000);
    return fine;
}
