#pragma once

/*
 * A folder for one input, in memory where the machine has such a place. Whoever links this waits for no disk: fsync()
 * and fdatasync() do nothing.
 */
enum { MEMORY_FOLDER_SIZE = 64 };

/* Makes one; ends the program where that cannot be. */
void memory_folder_make(char ret_path[MEMORY_FOLDER_SIZE]);

/* With all that is in it. */
void memory_folder_remove(const char *path);
