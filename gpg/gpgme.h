#pragma once

#include <gpgme.h>

#include "common/error.h"

/*
 * GPGME is loaded when it is first needed: most runs end without it, and loading it at each start
 * would take a third of their time. After gpgme_load() has succeeded, gpgme.op_decrypt() is
 * gpgme_op_decrypt(), and so on.
 */
#define GPGME_FUNCTIONS(use)                                                                       \
    use(check_version) use(ctx_get_engine_info) use(ctx_set_engine_info) use(data_new)             \
        use(data_new_from_cbs) use(data_new_from_fd) use(data_new_from_mem) use(data_read)         \
            use(data_release) use(data_seek) use(data_set_flag) use(free) use(get_ctx_flag)        \
                use(get_key) use(key_unref) use(new) use(op_createkey) use(op_decrypt)             \
                    use(op_decrypt_result) use(op_encrypt_ext) use(op_encrypt_result)              \
                        use(op_genkey_result) use(op_getauditlog) use(op_keylist_end)              \
                            use(op_keylist_next) use(op_keylist_start) use(op_verify)              \
                                use(op_verify_result) use(pubkey_algo_string) use(release)         \
                                    use(set_armor) use(set_ctx_flag) use(set_global_flag)          \
                                        use(set_keylist_mode) use(set_locale) use(set_offline)     \
                                            use(set_pinentry_mode) use(set_status_cb)

#define GPGME_MEMBER(name) __typeof__(gpgme_##name) *name;

extern struct gpgme_functions {
    GPGME_FUNCTIONS(GPGME_MEMBER)
} gpgme;

/* Loads the library, unless it is loaded. 0 or negative. */
int gpgme_load(struct error *err) MUST_USE;
