#pragma once

/*
 * `docker-credential-pass doctor [options]`: what is wrong, why it matters, and how to correct it.
 * argv[0] is "doctor". The exit code.
 */
int doctor_main(int argc, char **argv);
