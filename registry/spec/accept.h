#pragma once

#include <stdbool.h>

/*
 * Whether the Accept header of a request for a manifest allows a media type (RFC 9110 section 12.5.1). list: all
 * values of the header, joined by commas; NULL without the header.
 *
 * A client that names no type of manifest at all, such as a browser, allows every type. A client that names some allows
 * only those, and excludes a type with "q=0". Pure.
 */
bool accept_allows(const char *list, const char *media_type);
