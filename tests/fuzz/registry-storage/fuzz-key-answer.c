/* The JSON with which endpoints answer a request for keys: keys that are accepted can be used. */
#include "registry/storage/s3/key-answer.h"
#include "tests/fuzz/registry-storage/check-keys.h"

bool fuzz_was_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keys *keys = NULL;
    struct error err = {0};
    int r = key_answer_parse((struct piece){(const char *)data, size}, KEYS_ORIGIN, &keys, &err);

    check_keys(r, keys, &err);
    fuzz_was_accepted = r == 0;
    keys_drop(keys);
    return 0;
}
