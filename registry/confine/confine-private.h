#pragma once

#include "registry/confine/confine.h"

/* 0, CONFINE_ABSENT if the kernel does not support it, or negative. */
enum { CONFINE_ABSENT = 1 };
int confine_files(const struct confinement *confinement, struct error *err) MUST_USE;
int confine_calls(const struct confinement *confinement, struct error *err) MUST_USE;

/* Whether the process may open connections. */
bool confine_may_connect(const struct confinement *confinement);
int confine_calls_of_tool(struct error *err) MUST_USE;
