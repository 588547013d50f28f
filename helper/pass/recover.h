#pragma once

/*
 * Removes what a writer that was killed has left in docker-credential-helpers: its temporary
 * file and, only if there was one, directories without anything in them. For holders of the lock.
 * Nothing found costs one system call.
 */
void pass_recover(int directory_fd);
