#pragma once

/*
 * `docker-credential-pass setup [options]`: from nothing to a login without the warning. argv[0] is
 * "setup". The exit code.
 */
int setup_main(int argc, char **argv);
