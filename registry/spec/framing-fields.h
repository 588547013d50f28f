#pragma once

#include "registry/spec/framing.h"

/* The fields of a head that say where a request ends or to whom it belongs. For framing.c only. */
enum framing_field {
    FIELD_OTHER,
    FIELD_HOST,
    FIELD_AUTHORIZATION,
    FIELD_COOKIE,
    FIELD_LENGTH,
    FIELD_ENCODING,
};

/* The field whose name framing->text holds. */
enum framing_field framing_find_field(const struct framing *framing);

/* The value of framing->field is complete. NULL, or what is wrong with it. */
const struct framing_flaw *framing_end_field(struct framing *framing);

/* The head is complete. NULL, or what is wrong with its fields together. */
const struct framing_flaw *framing_check_fields(const struct framing *framing);
