#pragma once

/*
 * Removes what a crashed writer left in docker-credential-helpers: its temporary file and, only if
 * there was one, empty directories. The caller must hold the lock. Costs one system call if there
 * is nothing to remove.
 */
void pass_recover(int directory_fd);
