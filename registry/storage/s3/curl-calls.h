#pragma once

#include <curl/curl.h>

/* The functions of libcurl, which is loaded by transport_load() (registry/storage/s3/transport.h). */

#define CURL_CALLS(use) \
    use(global_init_mem) use(slist_append) use(slist_free_all) use(easy_init) use(easy_cleanup) \
        use(easy_setopt) use(easy_getinfo) use(easy_pause) use(easy_strerror) use(multi_init) \
            use(multi_cleanup) use(multi_setopt) use(multi_add_handle) use(multi_remove_handle) \
                use(multi_perform) use(multi_poll) use(multi_wakeup) use(multi_info_read) use(version_info)
#define CURL_CALLS_MEMBER(name) __typeof__(curl_##name) *name;

struct curl_calls {
    CURL_CALLS(CURL_CALLS_MEMBER)
};
#undef CURL_CALLS_MEMBER

extern struct curl_calls curl;
