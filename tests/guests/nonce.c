/* An answer that belongs to one request: `id=` is the seed of `lines=` numbers (default 20), one a line, with `ms=`
 * milliseconds between flushed lines. A request with a body gets its length and checksum (FNV-1a) as the last line.
 * head=broken: a head that must be refused. */
#include <stdint.h>

#include "guest.h"

int main(void)
{
    uint64_t id = (uint64_t)asked_number("id", 1), state = id * 2654435769u + 1, sum = 14695981039346656037u;
    long long lines = asked_number("lines", 20), ms = asked_number("ms", 0), length = 0;
    static unsigned char piece[65536];
    if (asked_is("head", "broken"))
        fputs("Content-Type: text/plain\nno field\n", stdout);
    fputs(HEAD, stdout);
    printf("id %llu\n", (unsigned long long)id);
    for (long long line = 0; line < lines; line++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        printf("%016llx\n", (unsigned long long)state);
        if (ms) {
            fflush(stdout);
            usleep((useconds_t)(ms * 1000));
        }
    }
    const char *method = getenv("REQUEST_METHOD");
    if (method && strcmp(method, "POST") == 0) {
        for (size_t got; (got = fread(piece, 1, sizeof piece, stdin)) > 0; length += (long long)got)
            for (size_t i = 0; i < got; i++)
                sum = (sum ^ piece[i]) * 1099511628211u;
        printf("body %lld %016llx\n", length, (unsigned long long)sum);
    }
    return 0;
}
