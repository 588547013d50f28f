#pragma once

/*
 * Sets GPG_TTY, which GPGME reads when an operation starts and passes to gpg-agent's pinentry. A
 * GPG_TTY that names a terminal is kept; else it becomes the terminal of stderr (docker passes its
 * own through), stdin or stdout, else the controlling terminal. If there is no terminal it is
 * unset, because a wrong one makes the pinentry fail with a misleading error. Sets TERM if it is
 * unset.
 */
void gpg_tty_export(void);
