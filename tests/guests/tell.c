/* Prints the head that `head=` gives (a plain one without it), then the environment, sorted, one variable per line, and
 * what came on standard input: `BODY`, its size and a checksum. `trap` ends it before, `unread` leaves the body alone. */
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
    printf("%s\n\n", asked("head", "Content-Type: text/plain"));
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
    printf("BODY %zu %u\n", size, sum);
    return 0;
}
