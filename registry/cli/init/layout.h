#pragma once

/*
 * File names in the directory that `registryd init` creates. A server reads only auth/, certs/ and
 * data/: these may belong to its user, and Landlock denies it access to everything else.
 */
#define LAYOUT_CONFIGURATION "config.yml"
#define LAYOUT_AUTHORITY "ca.crt" /* for clients */
#define LAYOUT_USERS_DIRECTORY "auth"
#define LAYOUT_USERS LAYOUT_USERS_DIRECTORY "/htpasswd"
#define LAYOUT_CERTIFICATES_DIRECTORY "certs"
#define LAYOUT_CERTIFICATE LAYOUT_CERTIFICATES_DIRECTORY "/registry.crt"
#define LAYOUT_KEY LAYOUT_CERTIFICATES_DIRECTORY "/registry.key"
#define LAYOUT_REQUEST LAYOUT_CERTIFICATES_DIRECTORY "/registry.csr"
#define LAYOUT_STORAGE "data"
#define LAYOUT_AUTHORITY_DIRECTORY "authority" /* stays with the person who ran init */
#define LAYOUT_AUTHORITY_KEY LAYOUT_AUTHORITY_DIRECTORY "/ca.key"
