#pragma once

/*
 * `docker-credential-pass setup [options]`: sets up everything that a login without docker's
 * warning needs. argv[0] is "setup". The exit code.
 */
int setup_main(int argc, char **argv);
