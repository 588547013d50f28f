#pragma once

/* The reason phrase of a status (RFC 9110 section 15, RFC 6585), or "Unknown". Pure. */
const char *status_get_reason(unsigned status);
