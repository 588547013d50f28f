#pragma once

/*
 * Makes this process a safe place for a secret: file descriptors 0 to 2 are open, no core is
 * dumped, no debugger of the same user can attach, and a closed pipe or a file size limit is an
 * error, not a signal.
 */
void harden_process(void);

/*
 * Wipes the stack below the caller. Secrets are never put there, but the dynamic linker saves
 * vector registers on it when a library function is first called, with what memcpy() had in them.
 */
void harden_wipe_stack(void);
