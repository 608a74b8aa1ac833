/* malloc for guests: first uses what is left of the memory that a module starts with.
 *
 * A CGI guest lives for one request, and each memory.grow costs the host two system calls which
 * disturb every thread of the server. The allocator of zig's libc grows at the first allocation of
 * every size class. This one starts with a small pool of its own and with what lies between
 * __heap_base and the end of the initial memory, and grows only when these are used up, so that a
 * small program never grows at all.
 *
 * Chunks carry their own size and that of their left neighbour, so free neighbours merge at once.
 * Free chunks lie in bins: exact ones up to 512 bytes, above that four for each power of two. A
 * chunk from a bin above the one that a request belongs to always fits, so allocation takes
 * constant time. Not thread-safe: these guests have one thread.
 *
 * With -DMALLOC_TEST it compiles natively under other names, for the randomized test.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef MALLOC_TEST
#define PUBLIC(name) test_##name
extern uintptr_t test_heap_base, test_heap_end;
extern uintptr_t test_grow(size_t bytes); /* address of the new bytes, or UINTPTR_MAX */
#define HEAP_BASE test_heap_base
#define HEAP_END test_heap_end
#define GROW(bytes) test_grow(bytes)
#else
#define PUBLIC(name) name
extern unsigned char __heap_base, __heap_end;
#define HEAP_BASE ((uintptr_t)&__heap_base)
#define HEAP_END ((uintptr_t)&__heap_end)
static uintptr_t grow_memory(size_t bytes)
{
    size_t page = __builtin_wasm_memory_grow(0, bytes / 65536);
    return page == SIZE_MAX ? UINTPTR_MAX : (uintptr_t)page * 65536;
}
#define GROW(bytes) grow_memory(bytes)
#endif

#define PAGE ((size_t)65536)
#define ALIGN ((size_t)16)
#define USED ((size_t)1)
#define EXACT_LIMIT ((size_t)512)
#define EXACT_BINS 32
#define BINS 128
/* bytes to start with, however little the data of a program leaves of its last page */
#define ASSURED 32768
#define MAX_REQUEST ((size_t)0x7ff00000)

/* `left` is the size of the chunk before this one in its segment, 0 for the first. Payloads are
 * aligned to ALIGN, so headers lie HEADER before such an address. `next` and `prev` exist only
 * while the chunk is free. */
struct chunk {
    size_t left;
    size_t size; /* with the header; bit 0: in use */
    struct chunk *next, *prev;
};
#define HEADER offsetof(struct chunk, next)
#define SMALLEST ((sizeof(struct chunk) + ALIGN - 1) & ~(ALIGN - 1))

static struct chunk *bins[BINS];
static uint32_t bin_map[BINS / 32];
static struct chunk *last; /* the sentinel that ends the newest segment: size 0, in use */
static size_t heap_size;
static _Alignas(16) unsigned char assured[ASSURED];
static int started;

static size_t size_of(const struct chunk *c) { return c->size & ~USED; }
static int is_used(const struct chunk *c) { return (int)(c->size & USED); }
static struct chunk *at(const void *base, size_t offset) { return (struct chunk *)((uintptr_t)base + offset); }
static struct chunk *right_of(const struct chunk *c) { return at(c, size_of(c)); }
static struct chunk *left_of(const struct chunk *c) { return (struct chunk *)((uintptr_t)c - c->left); }
static void *payload_of(struct chunk *c) { return (char *)c + HEADER; }
static struct chunk *chunk_of(void *payload) { return (struct chunk *)((char *)payload - HEADER); }

/* The bin that a free chunk of this size lies in. */
static unsigned bin_of(size_t size)
{
    if (size < EXACT_LIMIT)
        return (unsigned)(size / ALIGN);
    unsigned top = 63u - (unsigned)__builtin_clzll((unsigned long long)size);
    unsigned bin = EXACT_BINS + (top - 9) * 4 + (unsigned)((size >> (top - 2)) & 3);
    return bin < BINS ? bin : BINS - 1;
}

static void insert(struct chunk *c)
{
    unsigned bin = bin_of(size_of(c));
    c->prev = NULL;
    c->next = bins[bin];
    if (c->next)
        c->next->prev = c;
    bins[bin] = c;
    bin_map[bin / 32] |= 1u << (bin % 32);
}

static void take_out(struct chunk *c)
{
    unsigned bin = bin_of(size_of(c));
    if (c->next)
        c->next->prev = c->prev;
    if (c->prev)
        c->prev->next = c->next;
    else if (!(bins[bin] = c->next))
        bin_map[bin / 32] &= ~(1u << (bin % 32));
}

/* Makes `c` a free chunk of `size` bytes, merged with its free neighbours. */
static void release(struct chunk *c, size_t size)
{
    struct chunk *right = at(c, size);
    if (!is_used(right)) {
        take_out(right);
        size += size_of(right);
    }
    if (c->left && !is_used(left_of(c))) {
        size += c->left;
        c = left_of(c);
        take_out(c);
    }
    c->size = size;
    at(c, size)->left = size;
    insert(c);
}

/* Marks `c` as used with `want` bytes of its `have`, and frees the rest if that makes a chunk. */
static void *use(struct chunk *c, size_t have, size_t want)
{
    size_t rest = have - want;
    if (rest < SMALLEST) {
        c->size = have | USED;
        right_of(c)->left = have;
        return payload_of(c);
    }
    c->size = want | USED;
    at(c, want)->left = want;
    release(at(c, want), rest);
    return payload_of(c);
}

/* Gives the allocator the bytes [start, end); they join the newest segment when they follow it. */
static void add_memory(uintptr_t start, uintptr_t end)
{
    struct chunk *c;
    size_t size;
    if (last && (uintptr_t)last + HEADER == start) {
        c = last;
        size = end - start;
    } else {
        uintptr_t first = ((start + HEADER + ALIGN - 1) & ~(ALIGN - 1)) - HEADER;
        if (end < first || end - first < SMALLEST + HEADER)
            return;
        c = (struct chunk *)first;
        c->left = 0;
        size = end - HEADER - first;
    }
    size &= ~(ALIGN - 1);
    heap_size += size;
    last = at(c, size);
    last->size = USED;
    release(c, size);
}

static int more_memory(size_t want)
{
    if (!started) {
        started = 1;
        add_memory((uintptr_t)assured, (uintptr_t)assured + sizeof assured);
        add_memory(HEAP_BASE, HEAP_END);
        return 1;
    }
    size_t need = (want + 2 * ALIGN + 2 * HEADER + PAGE - 1) & ~(PAGE - 1);
    size_t ample = (heap_size / 4) & ~(PAGE - 1);
    size_t bytes = ample > need ? ample : need;
    uintptr_t start = GROW(bytes);
    if (start == UINTPTR_MAX && bytes > need)
        start = GROW(bytes = need);
    if (start == UINTPTR_MAX)
        return 0;
    add_memory(start, start + bytes);
    return 1;
}

/* A free chunk of at least `want` bytes, or NULL. */
static struct chunk *find(size_t want)
{
    unsigned bin = bin_of(want);
    /* In its own bin chunks may be too small; look at a few, so that a freed block is found again
     * by an equal request. */
    struct chunk *c = bins[bin];
    for (int looks = 0; c && looks < 8; looks++, c = c->next)
        if (size_of(c) >= want)
            return c;
    if (++bin >= BINS)
        return NULL;
    unsigned word = bin / 32;
    uint32_t map = bin_map[word] & (~0u << (bin % 32));
    while (!map) {
        if (++word >= BINS / 32)
            return NULL;
        map = bin_map[word];
    }
    return bins[word * 32 + (unsigned)__builtin_ctz(map)];
}

static size_t chunk_size(size_t request)
{
    size_t size = (request + HEADER + ALIGN - 1) & ~(ALIGN - 1);
    return size < SMALLEST ? SMALLEST : size;
}

void *PUBLIC(malloc)(size_t request)
{
    struct chunk *c;
    if (request > MAX_REQUEST) {
        errno = ENOMEM;
        return NULL;
    }
    size_t want = chunk_size(request);
    while (!(c = find(want)))
        if (!more_memory(want)) {
            errno = ENOMEM;
            return NULL;
        }
    take_out(c);
    return use(c, size_of(c), want);
}

void PUBLIC(free)(void *payload)
{
    if (payload)
        release(chunk_of(payload), size_of(chunk_of(payload)));
}

void *PUBLIC(calloc)(size_t count, size_t each)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, each, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *payload = PUBLIC(malloc)(bytes);
    return payload ? memset(payload, 0, bytes) : NULL;
}

size_t PUBLIC(malloc_usable_size)(void *payload)
{
    return payload ? size_of(chunk_of(payload)) - HEADER : 0;
}

void *PUBLIC(realloc)(void *old, size_t request)
{
    if (!old)
        return PUBLIC(malloc)(request);
    if (request > MAX_REQUEST) {
        errno = ENOMEM;
        return NULL;
    }
    struct chunk *c = chunk_of(old), *right = right_of(c);
    size_t want = chunk_size(request), have = size_of(c);
    if (have < want && !is_used(right) && have + size_of(right) >= want) {
        take_out(right);
        have += size_of(right);
    }
    if (have >= want)
        return use(c, have, want);
    void *fresh = PUBLIC(malloc)(request);
    if (fresh) {
        memcpy(fresh, old, have - HEADER);
        PUBLIC(free)(old);
    }
    return fresh;
}

void *PUBLIC(reallocarray)(void *old, size_t count, size_t each)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, each, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return PUBLIC(realloc)(old, bytes);
}

static void *aligned(size_t alignment, size_t request)
{
    if (alignment <= ALIGN)
        return PUBLIC(malloc)(request);
    if (request > MAX_REQUEST || alignment > MAX_REQUEST / 2) {
        errno = ENOMEM;
        return NULL;
    }
    /* Room to step forward to an aligned payload which leaves a whole chunk free before it. */
    char *payload = PUBLIC(malloc)(request + alignment + SMALLEST);
    if (!payload)
        return NULL;
    struct chunk *c = chunk_of(payload);
    size_t whole = size_of(c);
    if (!((uintptr_t)payload & (alignment - 1)))
        return use(c, whole, chunk_size(request));
    uintptr_t goal = ((uintptr_t)payload + SMALLEST + alignment - 1) & ~(alignment - 1);
    size_t skipped = goal - (uintptr_t)payload;
    struct chunk *moved = at(c, skipped);
    moved->left = skipped;
    moved->size = (whole - skipped) | USED;
    right_of(moved)->left = whole - skipped;
    release(c, skipped);
    return use(moved, whole - skipped, chunk_size(request));
}

void *PUBLIC(aligned_alloc)(size_t alignment, size_t request)
{
    if (!alignment || alignment & (alignment - 1)) {
        errno = EINVAL;
        return NULL;
    }
    return aligned(alignment, request);
}

void *PUBLIC(memalign)(size_t alignment, size_t request) { return PUBLIC(aligned_alloc)(alignment, request); }
void *PUBLIC(valloc)(size_t request) { return aligned(PAGE, request); }

int PUBLIC(posix_memalign)(void **result, size_t alignment, size_t request)
{
    if (alignment < sizeof(void *) || alignment & (alignment - 1))
        return EINVAL;
    int saved = errno;
    void *payload = aligned(alignment, request);
    errno = saved;
    if (!payload)
        return ENOMEM;
    *result = payload;
    return 0;
}
