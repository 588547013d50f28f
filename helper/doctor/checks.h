#pragma once

#include "gpg/failure.h"
#include "gpg/home.h"
#include "gpg/keys.h"
#include "helper/client/config.h"
#include "helper/doctor/report.h"
#include "helper/pass/recipients.h"
#include "helper/pass/store.h"
#include "helper/proof.h"

/* What all checks work on. The proof comes first; the checks explain it (docs/doctor.md). */
struct doctor {
    bool does_fix;    /* --fix: correct what is safe to correct */
    bool does_prompt; /* --prompt: a passphrase may be asked for */
    struct report report;
    const char *given_tty; /* GPG_TTY before anybody changed it; borrowed */

    struct proof proof;
    /* of all entries: the first that failed, else the first that is locked */
    struct proof_step entries;
    bool had_gnupg_home; /* before the proof, which may make one */
    bool has_no_home;    /* HOME does not name a directory */

    struct pass_store store;
    struct gpg_context *gpg; /* NULL: gpg cannot be used */
    struct pass_recipients recipients;
    uint64_t s2k_count; /* of the key; 0: it has no passphrase, or that is not known */
    /* of the key that decrypts here; "" if it is not known */
    char fingerprint[GPG_FINGERPRINT_SIZE];
    char keygrip[41];
};

/*
 * Each check adds its findings to the report, and returns what to print if there are none; NULL
 * prints nothing. The text is static, or valid until the next call.
 */
typedef const char *check_function(struct doctor *doctor);

check_function check_path, check_home;                               /* check-environment.c */
check_function check_docker;                                         /* check-client.c */
check_function check_gpg;                                            /* check-gpg.c */
check_function check_agent;                                          /* check-agent.c */
check_function check_store, check_modes;                             /* check-store.c */
check_function check_recipients, check_secret_key, check_passphrase; /* check-keys.c */
check_function check_entries;                                        /* check-entries.c */
check_function check_git;                                            /* check-git.c */
check_function check_unexplained, check_speed;                       /* prove.c */

/*
 * Parts of check_docker() (check-programs.c). The first reports a credsStore that is another
 * helper.
 */
void doctor_report_other_helper(struct doctor *doctor, const struct client_config *config,
                                const char *name);
void doctor_check_helpers(struct doctor *doctor, const struct client_config *config);
void doctor_check_other_clients(struct doctor *doctor, const struct client_config *config);

/*
 * For a user without docker: whether podman uses this program. Returns a text as a check does; NULL
 * if docker's file has to be judged all the same.
 */
const char *doctor_check_podman_alone(struct doctor *doctor);

/*
 * Returns the value of an option in one of the files in gpg's home directory (check-gpg.c); NULL if
 * it is unset. Owned by the caller.
 */
char *doctor_get_gnupg_option(const struct gpg_home *home, const char *file, const char *name);

/* Runs the proof and reads all entries (prove.c). */
void doctor_prove(struct doctor *doctor);

/* Why decrypting fails, of a fresh text or of an entry; 0 if it does not. */
int doctor_get_decrypt_failure(const struct doctor *doctor);

/* Whether decrypting was not tried because the key needs its passphrase. */
bool doctor_is_locked(const struct doctor *doctor);

/*
 * Finds the .gpg-id that applies to docker's entries. 0 with its path, or NULL if there is none; or
 * -ENOMEM. Owned by the caller.
 */
int doctor_find_gpg_id(const struct pass_store *store, char **ret_path) MUST_USE;

/*
 * Whether the store is shared on purpose: its root has the setgid bit, so new files get its group.
 */
bool doctor_is_team_store(const struct doctor *doctor);

/*
 * Whether another user owns the store and shares it with a group, which may not be allowed to
 * write.
 */
bool doctor_is_shared_by_another(const struct doctor *doctor);

/* Adds that something could not be checked: what is a noun, for example the path of a directory. */
void doctor_add_unchecked(struct doctor *doctor, const char *what, int error);

/*
 * Sets the mode of the user's own file or directory with --fix. Links are followed, but only to the
 * user's own files and directories.
 */
void doctor_fix_mode(const struct doctor *doctor, struct finding *finding, const char *path,
                     unsigned mode);

/*
 * The same for a path in the store (absolute, as the finding shows it), through no symbolic link:
 * see helper/pass/repair.h.
 */
void doctor_fix_store_mode(const struct doctor *doctor, struct finding *finding, const char *path,
                           unsigned mode);

/* The path below the store's root; "" for the root itself. */
const char *doctor_store_path(const struct doctor *doctor, const char *path);
