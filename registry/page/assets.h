#pragma once

#include <stddef.h>

/*
 * The files of the web page, built into the program by registry/page/embed.py. They are constant
 * and compressed with gzip; there is no other copy of them.
 */
struct page_asset {
    const char *path; /* "" for the document, "app.js", "locales/en.json" */
    const char *type; /* its media type */
    const unsigned char *bytes; /* gzip */
    size_t size; /* of bytes */
    const char *etag; /* of the content, without quotes */
};

/* A digest of all files in hex. The document names its parts below "_page/VERSION/". */
extern const char page_version[];

/* Returns the file with this path, valid forever; NULL if there is none. */
const struct page_asset *page_find_asset(const char *path);
