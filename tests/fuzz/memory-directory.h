#pragma once

/*
 * A directory for one input, in memory if possible. In programs that link this file, fsync() and fdatasync() do nothing,
 * so that they never wait for a disk.
 */
enum { MEMORY_DIRECTORY_SIZE = 64 };

/* Makes the directory; ends the program if that fails. */
void memory_directory_make(char ret_path[MEMORY_DIRECTORY_SIZE]);

/* Removes the directory with its content. */
void memory_directory_remove(const char *path);
