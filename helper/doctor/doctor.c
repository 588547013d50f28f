#include "helper/doctor/doctor.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "helper/doctor/checks.h"
#include "helper/terminal.h"

#define PROGRAM "docker-credential-pass"

/* clang-format off */
static const char help[] =
    "Usage: docker-credential-pass doctor [options]\n"
    "\n"
    "Does what a login does, and reports what fails, why that matters, and the\n"
    "command that corrects it. The exit status is 0 if a login would work, 1 if not,\n"
    "and 2 if nothing is known to be wrong but not everything could be tried.\n"
    "\n"
    "  --fix       correct what is safe to correct: modes, leftovers, credsStore\n"
    "  --prompt    decrypt even if that asks for a passphrase\n"
    "  --json      one line of JSON, for machines\n"
    "  --help      this text\n";
/* clang-format on */

enum { FIX = 1, PROMPT, JSON, HELP };

enum { EXIT_UNKNOWN = 2 };

/*
 * The checks in the order of the report, and the steps of a login that each may explain; 0: its
 * findings do not depend on a step.
 */
static const struct {
    check_function *function;
    unsigned explains;
} checks[] = {
    {check_path, 0},
    {check_home, STEP_MASK_ALL},
    {check_docker, 0},
    {check_gpg, STEP_MASK_ALL},
    {check_agent, 1 << STEP_DECRYPT | 1 << STEP_ENTRIES},
    {check_store, 1 << STEP_ENCRYPT | 1 << STEP_WRITE},
    {check_modes, 1 << STEP_WRITE},
    {check_recipients, 1 << STEP_ENCRYPT},
    {check_secret_key, 1 << STEP_DECRYPT | 1 << STEP_ENTRIES},
    {check_passphrase, 1 << STEP_DECRYPT | 1 << STEP_ENTRIES},
    {check_speed, 1 << STEP_DECRYPT},
    {check_entries, 1 << STEP_ENTRIES},
    {check_unexplained, 0},
    {check_git, 0},
};

static void doctor_done(struct doctor *doctor)
{
    report_done(&doctor->report);
    pass_store_done(&doctor->store);
    gpg_context_free(doctor->gpg);
    pass_recipients_done(&doctor->recipients);
}

enum { PARSE_HELP = 1 };

/* 0; PARSE_HELP if only the help is to be printed; or -EINVAL. */
static int parse(int argc, char **argv, struct doctor *doctor, bool *ret_is_json)
{
    static const struct option switches[] = {
        {"fix", no_argument, NULL, FIX},
        {"prompt", no_argument, NULL, PROMPT},
        {"json", no_argument, NULL, JSON},
        {"help", no_argument, NULL, HELP},
        {0},
    };
    int letter;

    optind = 1;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, "h", switches, NULL)) != -1) {
        if (letter == HELP || letter == 'h')
            return PARSE_HELP;
        if (letter == '?')
            break;
        doctor->does_fix |= letter == FIX;
        doctor->does_prompt |= letter == PROMPT;
        *ret_is_json |= letter == JSON;
    }
    if (letter != '?' && optind == argc)
        return 0;
    terminal_print_line(stderr, PROGRAM ": doctor accepts only --fix, --prompt and --json: %s",
                        letter == '?' ? argv[optind - 1] : argv[optind]);
    return -EINVAL;
}

static void run(struct doctor *doctor, bool is_told)
{
    doctor_prove(doctor);
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
        size_t before = doctor->report.count;
        const char *fine;

        doctor->report.explains = checks[i].explains;
        fine = checks[i].function(doctor);
        if (is_told && fine && doctor->report.count == before)
            terminal_say(stdout, TERMINAL_OK, "%s", fine);
        if (is_told)
            report_tell(&doctor->report, before);
    }
}

static void tell_verdict(const struct doctor *doctor)
{
    size_t bad = report_count_bad(&doctor->report);

    switch (report_judge(&doctor->report)) {
    case REPORT_WORKS:
        printf("A docker login would work.\n");
        break;
    case REPORT_FAILS:
        printf("A docker login would not work: %zu %s to correct.\n", bad,
               bad == 1 ? "thing is" : "things are");
        break;
    case REPORT_UNKNOWN:
        printf("Nothing is known to be wrong, but not everything could be tried%s.\n",
               doctor_is_locked(doctor)
                   ? ": docker-credential-pass doctor --prompt tries to decrypt"
                   : "");
        break;
    }
}

static int choose_exit_code(const struct report *report)
{
    static const int codes[] = {
        [REPORT_WORKS] = EXIT_SUCCESS,
        [REPORT_FAILS] = EXIT_FAILURE,
        [REPORT_UNKNOWN] = EXIT_UNKNOWN,
    };

    return codes[report_judge(report)];
}

int doctor_main(int argc, char **argv)
{
    CLEANUP(doctor_done) struct doctor doctor = {.store = PASS_STORE_INIT, .given_tty = NULL};
    CLEANUP_FREE char *given_tty = getenv("GPG_TTY") ? strdup(getenv("GPG_TTY")) : NULL;
    bool is_json = false;
    int r = parse(argc, argv, &doctor, &is_json);

    if (r == PARSE_HELP) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    if (r < 0)
        return EXIT_FAILURE;
    doctor.given_tty = given_tty;
    run(&doctor, !is_json);
    if (is_json)
        report_print_json(&doctor.report, stdout);
    else
        tell_verdict(&doctor);
    if (doctor.report.is_out_of_memory || fflush(stdout) != 0) {
        fprintf(stderr, PROGRAM ": the report is incomplete: %s\n",
                doctor.report.is_out_of_memory ? "out of memory" : strerror(errno));
        return EXIT_FAILURE;
    }
    return choose_exit_code(&doctor.report);
}
