#pragma once

#include "registry/api/dispatch.h"

/* Writes the log line of a finished request, and counts it. From any thread. */
void access_log_report(const struct call_report *report);
