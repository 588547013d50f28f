#pragma once

/*
 * Hardens this process for handling secrets: opens file descriptors 0 to 2, disables core dumps,
 * keeps debuggers of the same user from attaching, and turns a closed pipe or a file size limit
 * into an error instead of a signal.
 */
void harden_process(void);

/*
 * Wipes the stack below the caller. No code puts secrets there, but the dynamic linker saves vector
 * registers on it at the first call of a library function, and these may hold bytes that memcpy()
 * copied.
 */
void harden_wipe_stack(void);
