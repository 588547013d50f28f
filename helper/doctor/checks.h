#pragma once

#include "gpg/keys.h"
#include "helper/doctor/report.h"
#include "helper/pass/recipients.h"
#include "helper/pass/store.h"

/* What all checks work on. They go from cheap to dear, and each leaves for the next what it found out. */
struct doctor {
    bool does_fix;    /* --fix: mend what is safe to mend */
    bool does_prompt; /* --prompt: a passphrase may be asked for */
    struct report report;
    const char *given_tty; /* GPG_TTY before anybody changed it; borrowed */

    struct pass_store store;
    struct gpg_context *gpg; /* NULL: there is no gpg */
    struct pass_recipients recipients;
    bool has_recipients;  /* they could be found, and each can be encrypted to */
    bool is_locked;       /* the passphrase would have to be asked for */
    uint64_t s2k_count;   /* of the key; 0: it has no passphrase, or that is not known */
    char fingerprint[GPG_FINGERPRINT_SIZE]; /* of the key that decrypts here; "" if there is none */
    char keygrip[41];
};

/*
 * Each adds what it finds to the report, and answers what to say where it found nothing; NULL for nothing. The text is
 * static, or valid until the next call.
 */
typedef const char *check_function(struct doctor *doctor);

check_function check_path, check_home;                               /* check-environment.c */
check_function check_docker;                                         /* check-client.c */
check_function check_gpg, check_agent;                               /* check-gpg.c */
check_function check_store, check_modes;                             /* check-store.c */
check_function check_recipients, check_secret_key, check_passphrase; /* check-keys.c */
check_function check_proof;                                          /* check-keys.c */
check_function check_entries;                                        /* check-entries.c */
check_function check_git;                                            /* check-git.c */

/* Sets the mode of a file or directory that the user has named, with --fix; whether it did. */
bool doctor_fix_mode(const struct doctor *doctor, struct finding *finding, const char *path, unsigned mode);

/* The same for a path in the store (absolute, as the finding shows it), through no symbolic link: see helper/pass/repair.h. */
void doctor_fix_store_mode(const struct doctor *doctor, struct finding *finding, const char *path, unsigned mode);

/* The path below the store's root; "" for the root itself. */
const char *doctor_store_path(const struct doctor *doctor, const char *path);
