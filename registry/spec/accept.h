#pragma once

#include <stdbool.h>

/*
 * What the Accept header of a request for a manifest excludes (RFC 9110 section 12.5.1). list: all its values, joined by
 * commas; NULL: there is none.
 *
 * A client that names no type of manifest at all, such as a browser, excludes none. One that names any excludes the
 * others, and so does "q=0". Pure.
 */
bool accept_allows(const char *list, const char *media_type);
