#pragma once

#include "registry/config/reader.h"
#include "registry/config/settings.h"

/*
 * Each function reads one part of the settings; on entry that part holds the defaults. 0, or
 * negative with reader->err.
 */
int settings_read_log(const struct reader *reader, struct settings_log *log);
int settings_read_storage(const struct reader *reader, struct settings_storage *storage);
int settings_read_s3(const struct reader *reader, struct settings_s3 *s3);
void settings_free_s3(struct settings_s3 *s3);
int settings_read_health(const struct reader *reader, struct settings_health *health);
int settings_read_auth(const struct reader *reader, struct settings_auth *auth);
int settings_read_token(const struct reader *reader, struct settings_token *token);
int settings_read_http(const struct reader *reader, struct settings_http *http);
int settings_read_tls(const struct reader *reader, struct settings_tls *tls);
int settings_read_limits(const struct reader *reader, struct settings_limits *limits);
int settings_read_proxies(const struct reader *reader, struct settings_http *http);
