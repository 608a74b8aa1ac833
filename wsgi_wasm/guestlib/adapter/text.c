/* What HTTP lets stand in names and values. */
#include "adapter.h"

static uint8_t lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

bool same(Text one, Text other) {
    if (one.size != other.size)
        return false;
    for (uint32_t i = 0; i < one.size; i++)
        if (one.at[i] != other.at[i])
            return false;
    return true;
}

bool same_name(Text one, Text other) {
    if (one.size != other.size)
        return false;
    for (uint32_t i = 0; i < one.size; i++)
        if (lower(one.at[i]) != lower(other.at[i]))
            return false;
    return true;
}

bool is_token(Text text) {
    for (uint32_t i = 0; i < text.size; i++) {
        uint8_t c = text.at[i];
        if (c <= ' ' || c >= 127)
            return false;
        for (const char *separator = "\"(),/:;<=>?@[\\]{}"; *separator; separator++)
            if (c == (uint8_t)*separator)
                return false;
    }
    return text.size > 0;
}

bool is_field_value(Text text) {
    for (uint32_t i = 0; i < text.size; i++) {
        uint8_t c = text.at[i];
        if ((c < ' ' && c != '\t') || c == 127)
            return false;
    }
    return true;
}

bool is_visible(Text text) {
    for (uint32_t i = 0; i < text.size; i++)
        if (text.at[i] <= ' ' || text.at[i] == 127)
            return false;
    return true;
}
