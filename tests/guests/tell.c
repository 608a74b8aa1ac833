/* Prints the head that `head=` gives (a plain one without it), then the environment, sorted, one variable per line, and
 * what came on standard input as `BODY`: its size and a checksum. `trap` ends it before, `unread` leaves the body alone,
 * `long=N` adds a field whose line has N bytes, and `more=N` adds N lines of 600. */
#include "guest.h"

extern char **environ;

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(void)
{
    static char piece[65536];
    size_t count = 0, got, size = 0;
    unsigned sum = 0;
    if (asked_is("trap", "1"))
        abort();
    printf("%s\n", asked("head", "Content-Type: text/plain"));
    if (asked_number("long", 0))
        printf("X-Long: %0*d\n", (int)asked_number("long", 0) - 8, 0);
    for (long long i = 0; i < asked_number("more", 0); i++)
        printf("X-More-%02lld: %0589d\n", i, 0);
    puts("");
    while (environ[count])
        count++;
    qsort(environ, count, sizeof *environ, by_text);
    for (size_t i = 0; i < count; i++)
        puts(environ[i]);
    if (asked_is("unread", "1"))
        return 0;
    while ((got = fread(piece, 1, sizeof piece, stdin)) > 0) {
        size += got;
        for (size_t i = 0; i < got; i++)
            sum = sum * 31 + (unsigned char)piece[i];
    }
    printf("BODY=%zu %u\n", size, sum);
    return 0;
}
