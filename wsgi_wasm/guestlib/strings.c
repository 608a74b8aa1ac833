/* String functions that stop where they find.
 *
 * The libc of ziglang 0.16 and later measures the rest of the string before it looks at it, in
 * strchr, strcspn, strspn, strpbrk, strstr, strtok, strsep and their wide twins. A program that
 * takes a form apart with them then needs the square of the form's length: strtok over 15 KB took
 * 4 ms. Those here look at what they need. A function that a program brings itself is renamed here.
 *
 * strstr and memmem are the two-way algorithm (Crochemore and Perrin, 1991): linear also where the
 * text is made to be slow.
 *
 * With -DSTRINGS_TEST they compile natively under other names, for the randomized test.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>

#ifdef STRINGS_TEST
#define PUBLIC(name) test_##name
#else
#define PUBLIC(name) name
#endif

typedef unsigned char byte;

/* A set of bytes. */
struct set {
    uint32_t bits[8];
};

static void collect(struct set *set, const byte *members)
{
    memset(set, 0, sizeof *set);
    for (; *members; members++)
        set->bits[*members >> 5] |= 1u << (*members & 31);
}

static int holds(const struct set *set, byte c) { return (set->bits[c >> 5] >> (c & 31)) & 1; }

/* Sixteen bytes at a time. A block that begins at a multiple of 16 lies in one page of memory, so
 * what is read before the text and after its end is there. */
#ifdef __wasm_simd128__
#include <wasm_simd128.h>

char *PUBLIC(strchrnul)(const char *text, int wanted)
{
    const v128_t each = wasm_i8x16_splat((char)wanted), zero = wasm_i8x16_splat(0);
    const char *block = (const char *)((uintptr_t)text & ~(uintptr_t)15);
    uint32_t skipped = ~0u << (text - block);
    for (;; block += 16, skipped = ~0u) {
        v128_t bytes = wasm_v128_load(block);
        v128_t same = wasm_v128_or(wasm_i8x16_eq(bytes, each), wasm_i8x16_eq(bytes, zero));
        if (wasm_v128_any_true(same)) {
            uint32_t found = wasm_i8x16_bitmask(same) & skipped;
            if (found)
                return (char *)block + __builtin_ctz(found);
        }
    }
}

size_t strlen(const char *text) { return (size_t)(strchrnul(text, 0) - text); }

void *memchr(const void *data, int wanted, size_t size)
{
    const v128_t each = wasm_i8x16_splat((char)wanted);
    const byte *block = (const byte *)((uintptr_t)data & ~(uintptr_t)15), *text = data;
    uint32_t skipped = ~0u << (text - block);
    for (; size; block += 16, skipped = ~0u) {
        v128_t same = wasm_i8x16_eq(wasm_v128_load(block), each);
        uint32_t found = wasm_v128_any_true(same) ? wasm_i8x16_bitmask(same) & skipped : 0;
        if (found) {
            const byte *at = block + __builtin_ctz(found);
            return (size_t)(at - text) < size ? (void *)at : NULL;
        }
        if (block + 16 > text && (size_t)(block + 16 - text) >= size)
            return NULL;
    }
    return NULL;
}
#else
char *PUBLIC(strchrnul)(const char *text, int wanted)
{
    for (; *text && *text != (char)wanted; text++)
        ;
    return (char *)text;
}
#endif

char *PUBLIC(strchr)(const char *text, int wanted)
{
    const char *found = PUBLIC(strchrnul)(text, wanted);
    return *found == (char)wanted ? (char *)found : NULL;
}

char *PUBLIC(index)(const char *text, int wanted) { return PUBLIC(strchr)(text, wanted); }

size_t PUBLIC(strcspn)(const char *text, const char *stops)
{
    if (!stops[0] || !stops[1])
        return (size_t)(PUBLIC(strchrnul)(text, *stops) - text);
    struct set set;
    collect(&set, (const byte *)stops);
    const char *at = text;
    while (*at && !holds(&set, (byte)*at))
        at++;
    return (size_t)(at - text);
}

size_t PUBLIC(strspn)(const char *text, const char *members)
{
    const char *at = text;
    if (members[0] && !members[1]) {
        while (*at == *members)
            at++;
        return (size_t)(at - text);
    }
    struct set set;
    collect(&set, (const byte *)members);
    while (*at && holds(&set, (byte)*at))
        at++;
    return (size_t)(at - text);
}

char *PUBLIC(strpbrk)(const char *text, const char *wanted)
{
    text += PUBLIC(strcspn)(text, wanted);
    return *text ? (char *)text : NULL;
}

char *PUBLIC(strsep)(char **rest, const char *stops)
{
    char *text = *rest;
    if (!text)
        return NULL;
    char *end = text + PUBLIC(strcspn)(text, stops);
    *rest = NULL;
    if (*end) {
        *end = 0;
        *rest = end + 1;
    }
    return text;
}

char *PUBLIC(strtok_r)(char *restrict text, const char *restrict stops, char **restrict rest)
{
    if (!text && !(text = *rest))
        return NULL;
    *rest = text + PUBLIC(strspn)(text, stops);
    return **rest ? PUBLIC(strsep)(rest, stops) : (*rest = NULL);
}

char *PUBLIC(strtok)(char *restrict text, const char *restrict stops)
{
    static char *rest;
    return PUBLIC(strtok_r)(text, stops, &rest);
}

void *PUBLIC(memccpy)(void *restrict to, const void *restrict from, int last, size_t size)
{
    byte *out = to;
    for (const byte *in = from; size; size--)
        if ((*out++ = *in++) == (byte)last)
            return out;
    return NULL;
}

/* Where the needle's critical factorization cuts it, and the period of the right part. `order` is
 * 1 for the usual order of bytes, -1 for the reverse. */
static size_t maximal_suffix(const byte *needle, size_t size, int order, size_t *period)
{
    size_t start = 0, probe = 1, matched = 0;
    *period = 1;
    while (probe + matched < size) {
        int difference = order * ((int)needle[probe + matched] - (int)needle[start + matched]);
        if (difference < 0) {
            probe += matched + 1;
            matched = 0;
            *period = probe - start;
        } else if (difference == 0) {
            if (++matched == *period) {
                probe += *period;
                matched = 0;
            }
        } else {
            start = probe++;
            matched = 0;
            *period = 1;
        }
    }
    return start;
}

/* How many bytes there are at `text`: at least `want`, or all that there are. With a terminated
 * text, `have` is what has been seen of it. */
static size_t extend(const byte *text, size_t have, size_t want, int terminated)
{
    if (terminated)
        while (have < want && text[have])
            have++;
    return have;
}

/* `have` bytes of the text are known to be there; where it is `terminated`, there may be more. */
static byte *two_way(const byte *text, size_t have, int terminated, const byte *needle, size_t size)
{
    size_t period, other_period;
    size_t cut = maximal_suffix(needle, size, 1, &period);
    size_t other = maximal_suffix(needle, size, -1, &other_period);
    if (other > cut) {
        cut = other;
        period = other_period;
    }
    int periodic = memcmp(needle, needle + period, cut) == 0;
    if (!periodic)
        period = (cut > size - cut ? cut : size - cut) + 1;
    size_t remembered = 0;
    for (;;) {
        if (have < size) {
            /* Twice as far as is needed, so that looking for the end costs as much as matching. */
            have = extend(text, have, 2 * size + 64, terminated);
            if (have < size)
                return NULL;
        }
        size_t at = cut > remembered ? cut : remembered;
        while (at < size && needle[at] == text[at])
            at++;
        size_t step = at - cut + 1, known = 0;
        if (at == size) {
            at = cut;
            while (at > remembered && needle[at - 1] == text[at - 1])
                at--;
            if (at <= remembered)
                return (byte *)text;
            step = period;
            known = periodic ? size - period : 0;
        }
        remembered = known;
        text += step;
        have = have > step ? have - step : 0;
    }
}

static byte *find_in(const byte *text, size_t have, int terminated, const byte *needle, size_t size)
{
    if (!size)
        return (byte *)text;
    /* Most texts do not hold the first byte at most places. */
    if (terminated) {
        text = (const byte *)PUBLIC(strchr)((const char *)text, *needle);
    } else {
        const byte *first = memchr(text, *needle, have);
        have -= first ? (size_t)(first - text) : 0;
        text = first;
    }
    if (!text || size == 1)
        return (byte *)text;
    if (terminated) {
        /* Where the first byte is rare, that is all it takes. What was compared in vain is counted,
         * so that a text made for it cannot make this slow. */
        size_t spent = 0;
        const byte *begun = text;
        while (spent <= 64 + 4 * (size_t)(text - begun)) {
            size_t same = 1;
            while (same < size && text[same] == needle[same])
                same++;
            if (same == size)
                return (byte *)text;
            spent += same;
            text = (const byte *)PUBLIC(strchr)((const char *)text + 1, *needle);
            if (!text)
                return NULL;
        }
    }
    return two_way(text, have, terminated, needle, size);
}

char *PUBLIC(strstr)(const char *text, const char *needle)
{
    return (char *)find_in((const byte *)text, 0, 1, (const byte *)needle, strlen(needle));
}

void *PUBLIC(memmem)(const void *text, size_t have, const void *needle, size_t size)
{
    return size > have ? NULL : find_in(text, have, 0, needle, size);
}

char *PUBLIC(strcasestr)(const char *text, const char *needle)
{
    size_t size = strlen(needle);
    for (;; text++) {
        if (!strncasecmp(text, needle, size))
            return (char *)text;
        if (!*text)
            return NULL;
    }
}

wchar_t *PUBLIC(wcschr)(const wchar_t *text, wchar_t wanted)
{
    for (; *text != wanted; text++)
        if (!*text)
            return NULL;
    return (wchar_t *)text;
}

size_t PUBLIC(wcscspn)(const wchar_t *text, const wchar_t *stops)
{
    size_t size = 0;
    while (text[size] && !PUBLIC(wcschr)(stops, text[size]))
        size++;
    return size;
}

size_t PUBLIC(wcsspn)(const wchar_t *text, const wchar_t *members)
{
    size_t size = 0;
    while (text[size] && PUBLIC(wcschr)(members, text[size]))
        size++;
    return size;
}

wchar_t *PUBLIC(wcspbrk)(const wchar_t *text, const wchar_t *wanted)
{
    text += PUBLIC(wcscspn)(text, wanted);
    return *text ? (wchar_t *)text : NULL;
}

wchar_t *PUBLIC(wcstok)(wchar_t *restrict text, const wchar_t *restrict stops, wchar_t **restrict rest)
{
    if (!text && !(text = *rest))
        return NULL;
    text += PUBLIC(wcsspn)(text, stops);
    if (!*text)
        return *rest = NULL;
    wchar_t *end = text + PUBLIC(wcscspn)(text, stops);
    *rest = NULL;
    if (*end) {
        *end = 0;
        *rest = end + 1;
    }
    return text;
}

wchar_t *PUBLIC(wcsstr)(const wchar_t *text, const wchar_t *needle)
{
    size_t size = wcslen(needle);
    for (;; text++) {
        if (!wcsncmp(text, needle, size))
            return (wchar_t *)text;
        if (!*text)
            return NULL;
    }
}

wchar_t *PUBLIC(wcswcs)(const wchar_t *text, const wchar_t *needle) { return PUBLIC(wcsstr)(text, needle); }
