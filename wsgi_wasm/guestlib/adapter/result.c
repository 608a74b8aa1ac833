/* Results that do not fit into one number. The caller reads them before it calls again. */
#include "adapter.h"

Result result;

Result *zeroed(void) {
    for (int i = 0; i < 8; i++)
        result.longs[i] = 0;
    return &result;
}

Result *result_list(const void *at, uint32_t count) {
    result.words[0] = (uint32_t)at;
    result.words[1] = count;
    return &result;
}

Result *result_option_text(bool some, Text text) {
    result.words[0] = some;
    result.words[1] = (uint32_t)text.at;
    result.words[2] = text.size;
    return &result;
}

Result *result_handle(Handle handle) {
    result.words[0] = 0;
    result.words[1] = handle;
    return &result;
}

Result *result_error(void) {
    zeroed()->words[0] = 1;
    return &result;
}

Result *result_named(Named named) {
    result.words[0] = named.which;
    result.words[1] = (uint32_t)named.other.at;
    result.words[2] = named.other.size;
    return &result;
}

Result *result_option_named(bool some, Named named) {
    result.words[0] = some;
    result.words[1] = named.which;
    result.words[2] = (uint32_t)named.other.at;
    result.words[3] = named.other.size;
    return &result;
}
