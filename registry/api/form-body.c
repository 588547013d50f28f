#include "registry/api/form-body.h"

#include <errno.h>
#include <string.h>

#include "registry/api/answer.h"
#include "registry/api/fairness.h"

enum {
    FORM_MAX = 16 << 10, /* bytes of a body */
    /* Forms received at once: of all clients, because they are in secure memory, and of one. */
    FORMS_MAX = 256,
    FORMS_OF_CLIENT_MAX = FORMS_MAX / 4,
};

void form_body_refuse(struct response *response, unsigned status, const char *why)
{
    answer_invalid(response, ERROR_CODE_UNSUPPORTED, "%s", why);
    response->status = status;
}

bool form_body_accept(struct response *response, int r, const char *why)
{
    if (r == -ENOMEM)
        response_fail_oom(response);
    else if (r < 0)
        form_body_refuse(response, 400, why);
    return r == 0;
}

static void uncount_form(struct call *call, struct form_body *form)
{
    if (!form->share)
        return;
    __atomic_sub_fetch(&call->api->forms.total, 1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(form->share, 1, __ATOMIC_RELAXED);
    form->share = NULL;
}

/*
 * Returns false if too many forms are being received. Slow forms of one client network cannot use
 * all places.
 */
static bool count_form(struct call *call, struct form_body *form)
{
    struct form_counts *forms = &call->api->forms;
    unsigned *share = &forms->by_client[fairness_get_owner(call)->address % FORM_CLIENTS];
    unsigned total = __atomic_add_fetch(&forms->total, 1, __ATOMIC_RELAXED);
    unsigned of_client = __atomic_add_fetch(share, 1, __ATOMIC_RELAXED);

    form->share = share;
    if (total <= FORMS_MAX && of_client <= FORMS_OF_CLIENT_MAX)
        return true;
    uncount_form(call, form); /* not later: the server may still read and discard the body */
    return false;
}

/*
 * A form has credentials, so a header Authorization would be a second set: RFC 6749 section 5.2
 * calls that an invalid request. The header is wiped, because the buffer outlives the request.
 */
static bool has_other_credentials(const struct call *call)
{
    const char *header = call_get_header(call, "Authorization");

    if (header)
        explicit_bzero((char *)header, strlen(header));
    return header;
}

void form_body_begin(struct call *call, struct response *response, struct form_body *form)
{
    if (has_other_credentials(call)) {
        form_body_refuse(response, 400,
                         "credentials belong either in the form or in the header Authorization");
    } else if (call_get_body_size(call) > FORM_MAX) {
        form_body_refuse(response, 413, "the form is too large");
    } else if (!count_form(call, form)) {
        response_refuse(response, ERROR_CODE_TOOMANYREQUESTS, "\"too many logins at once\"");
        response_add_header(response, "Retry-After", "1");
    }
}

/* The bytes contain a password, so they are wiped in the receive buffer. */
void form_body_receive(struct form_body *form, const void *data, size_t size)
{
    if (form->bytes.size + size > FORM_MAX || memchr(data, '\0', size))
        form->error = -EINVAL;
    else if (form->error == 0)
        form->error = secbuf_append(&form->bytes, data, size);
    explicit_bzero((void *)data, size);
}

int form_body_get(struct form_body *form, const char **ret_text, const char **ret_why)
{
    int r = form->error ? form->error : secbuf_append(&form->bytes, "", 1);

    *ret_why = "the form is too large, or contains a NUL";
    *ret_text = (const char *)form->bytes.data;
    return r;
}

void form_body_done(struct call *call, struct form_body *form)
{
    uncount_form(call, form);
    secbuf_done(&form->bytes);
}
