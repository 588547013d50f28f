#pragma once

#include "registry/api/endpoint.h"

/*
 * The form of a POST to the token server, which has a password or token. It is in secure memory, so
 * its size and the number of forms that are received at once are limited.
 */
struct form_body {
    struct secbuf bytes;
    unsigned *share; /* where the form is counted, beside api->forms.total; NULL: it is not */
    int error;       /* 0, -EINVAL or -ENOMEM */
};

/*
 * Refuses a form that is too large, has other credentials beside it, or is one too many. For the
 * first phase.
 */
void form_body_begin(struct call *call, struct response *response, struct form_body *form);

/* Keeps a piece, and wipes it in the receive buffer. */
void form_body_receive(struct form_body *form, const void *data, size_t size);

/* 0 with the text, valid until form_body_done(); -EINVAL with a reason (a constant); -ENOMEM. */
int form_body_get(struct form_body *form, const char **ret_text, const char **ret_why) MUST_USE;

/* Wipes the text. May be called twice. */
void form_body_done(struct call *call, struct form_body *form);

/* Refuses a request with a reason. */
void form_body_refuse(struct response *response, unsigned status, const char *why);

/* Returns false, with a refusal in response, if r is negative; -EINVAL has the reason why. */
bool form_body_accept(struct response *response, int r, const char *why);
