/* The environment, sorted, one variable per line: what a guest is told. Compared with Apache's own CGI. */
#include "guest.h"

extern char **environ;

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(void)
{
    size_t count = 0;
    while (environ[count])
        count++;
    qsort(environ, count, sizeof *environ, by_text);
    fputs(HEAD, stdout);
    for (size_t i = 0; i < count; i++)
        puts(environ[i]);
    return 0;
}
