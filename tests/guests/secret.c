/* do=fill writes a pattern all over its memory, `mib=` of it (default 8); do=scan takes as much and counts the pattern's
 * copies in everything it can read, fresh memory included. Any copy found belongs to another request. */
#include <stdint.h>

#include "guest.h"

#define MASK 0x5a
static const unsigned char masked[16] = {0x09, 0x1f, 0x19, 0x08, 0x1f, 0x0e, 0x77, 0x6b,
                                         0x63, 0x68, 0x6e, 0x6d, 0x6f, 0x62, 0x6c, 0x69};

/* The pattern never stands in the scanner's own memory: it is compared byte by byte through the mask. */
static int matches(const volatile unsigned char *bytes)
{
    for (size_t i = 0; i < sizeof masked; i++)
        if (bytes[i] != (masked[i] ^ MASK))
            return 0;
    return 1;
}

int main(void)
{
    size_t size = (size_t)asked_number("mib", 8) << 20, found = 0;
    volatile unsigned char *block = malloc(size);
    if (!block)
        return 1;
    if (asked_is("do", "fill")) {
        for (size_t i = 0; i < size; i++)
            block[i] = masked[i % sizeof masked] ^ MASK;
        puts(HEAD "filled");
        return 0;
    }
#ifdef __wasm__
    const volatile unsigned char *start = (void *)16, *end = (void *)(__builtin_wasm_memory_size(0) * 65536 - 16);
#else
    const volatile unsigned char *start = block, *end = block + size - sizeof masked;
#endif
    for (; start < end; start++)
        found += (size_t)matches(start);
    printf(HEAD "found %lu\n", (unsigned long)found);
    return 0;
}
