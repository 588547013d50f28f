#pragma once

/*
 * Tells gpg-agent's pinentry which terminal to ask on, by GPG_TTY, which GPGME reads when an
 * operation starts. A GPG_TTY that names a terminal is kept; else it is the terminal of stderr
 * (docker passes its own through), stdin or stdout, else the controlling terminal, else unset,
 * for a wrong one makes pinentry fail with a misleading error. Sets TERM if it is unset.
 */
void gpg_tty_export(void);
