/* `main` for harness.c where there is no libFuzzer: `replay COUNT [FILE ...]` runs each file, and
 * changes of them, COUNT in all and always the same ones. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LONGEST = 1024, MOST = 256 };
static uint8_t seeds[MOST][LONGEST];
static size_t sizes[MOST];

static uint64_t state = 0x9E3779B97F4A7C15u;
static uint32_t chance(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) % below);
}

int main(int count, char **arguments)
{
    size_t known = 0;
    for (int i = 2; i < count && known < MOST; i++) {
        FILE *file = fopen(arguments[i], "rb");
        if (!file)
            return 2;
        sizes[known] = fread(seeds[known], 1, LONGEST, file);
        fclose(file);
        LLVMFuzzerTestOneInput(seeds[known], sizes[known]);
        known++;
    }
    if (!known)
        sizes[known++] = 64;
    long tries = count > 1 ? atol(arguments[1]) : 0;
    for (long n = 0; n < tries; n++) {
        uint8_t data[LONGEST];
        uint32_t one = chance((uint32_t)known);
        size_t size = sizes[one];
        memcpy(data, seeds[one], size);
        for (uint32_t changes = 1 + chance(12); changes; changes--) {
            if (size < LONGEST && !chance(3))
                size += 1 + chance((uint32_t)(LONGEST - size > 16 ? 16 : LONGEST - size));
            if (size)
                data[chance((uint32_t)size)] = chance(4) ? (uint8_t)chance(256) : (uint8_t)(255 * chance(2));
        }
        /* A copy of its own size, so that a read past its end is seen. */
        uint8_t *copy = malloc(size + !size);
        memcpy(copy, data, size);
        LLVMFuzzerTestOneInput(copy, size);
        free(copy);
        /* What went well long enough is where the next ones start from. */
        if (!chance(64)) {
            uint32_t place = known < MOST ? (uint32_t)known++ : chance(MOST);
            memcpy(seeds[place], data, size);
            sizes[place] = size;
        }
    }
    printf("%ld inputs\n", tries);
    return 0;
}
