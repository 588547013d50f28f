#pragma once

#include <stdbool.h>

/*
 * Whether the Accept header of a request for a manifest allows a media type (RFC 9110 section
 * 12.5.1). list contains all values of the header, joined by commas; NULL: no such header.
 *
 * A client that names no type of manifest, such as a browser, allows every type. A client that
 * names some allows only those; "q=0" excludes a type. Pure.
 */
bool accept_allows(const char *list, const char *media_type);

/*
 * Whether a list such as that of Accept or Accept-Encoding names the value itself, without "q=0".
 */
bool accept_names(const char *list, const char *value);
