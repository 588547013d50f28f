#pragma once

/*
 * Makes this process a safe place for a secret: file descriptors 0 to 2 are open, no core is
 * dumped, no debugger of the same user can attach, and a closed pipe is an error, not a signal.
 */
void harden_process(void);
