/* Tries the allocator: random malloc, calloc, realloc, aligned allocation and free, each block filled with a pattern of
 * its own which must still be there when the block is looked at again. QUERY_STRING: rounds, default 200000.
 * Prints "ok" and the blocks still alive, or the first damage found. Runs natively as well. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 400

static struct { unsigned char *bytes; size_t size; unsigned char mark; } slots[SLOTS];
static uint32_t state = 12345;

static uint32_t any(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static size_t any_size(void)
{
    switch (any() % 16) {
    case 0: return 0;
    case 1: case 2: return any() % 20000;
    case 3: return any() % 300 == 0 ? any() % 2000000 : any() % 3000;
    default: return any() % 200;
    }
}

static void damaged(const char *what, int slot)
{
    printf("%s: slot %d, size %lu\n", what, slot, (unsigned long)slots[slot].size);
    exit(1);
}

static void look(int slot, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (slots[slot].bytes[i] != slots[slot].mark)
            damaged("damaged", slot);
}

static void take(int slot, void *bytes, size_t size)
{
    if (!bytes)
        damaged("no memory", slot);
    slots[slot].bytes = bytes;
    slots[slot].size = size;
    slots[slot].mark = (unsigned char)any();
    memset(bytes, slots[slot].mark, size);
}

static void fill(int slot)
{
    size_t size = any_size();
    unsigned char *bytes;
    if (any() % 8 == 0) {
        size_t alignment = (size_t)sizeof(void *) << (any() % 10);
        void *aligned = NULL;
        if (posix_memalign(&aligned, alignment, size) || (uintptr_t)aligned % alignment)
            damaged("not aligned", slot);
        bytes = aligned;
    } else if (any() % 8 == 0) {
        bytes = calloc(1, size);
        for (size_t i = 0; bytes && i < size; i++)
            if (bytes[i])
                damaged("calloc not zero", slot);
    } else {
        bytes = malloc(size);
    }
    if ((uintptr_t)bytes % sizeof(void *))
        damaged("not aligned", slot);
    take(slot, bytes, size);
}

static void change(int slot)
{
    size_t size = any_size() + 1, kept = size < slots[slot].size ? size : slots[slot].size;
    slots[slot].bytes = realloc(slots[slot].bytes, size);
    if (slots[slot].bytes)
        look(slot, kept);
    take(slot, slots[slot].bytes, size);
}

int main(void)
{
    const char *query = getenv("QUERY_STRING");
    long rounds = query && *query ? atol(query) : 200000, alive = 0;
    printf("Content-Type: text/plain\r\n\r\n");
    while (rounds-- > 0) {
        int slot = (int)(any() % SLOTS);
        if (!slots[slot].bytes) {
            fill(slot);
            continue;
        }
        look(slot, slots[slot].size);
        if (any() % 3 == 0) {
            change(slot);
        } else {
            free(slots[slot].bytes);
            slots[slot].bytes = NULL;
        }
    }
    for (int slot = 0; slot < SLOTS; slot++)
        if (slots[slot].bytes) {
            look(slot, slots[slot].size);
            free(slots[slot].bytes);
            alive++;
        }
    printf("ok %ld\n", alive);
    return 0;
}
