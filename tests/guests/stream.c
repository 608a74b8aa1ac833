/* Prints `lines=` lines (default 3), each flushed, with `ms=` milliseconds (default 300) between them.
 * spin=1 computes in between instead of sleeping; tail=1 leaves the last line without a newline. */
#include <time.h>

#include "guest.h"

static void pause_for(long long ms)
{
    struct timespec start, now, pause = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    if (!asked_is("spin", "1")) {
        nanosleep(&pause, NULL);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - start.tv_sec) * 1000LL + (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
}

int main(void)
{
    long long lines = asked_number("lines", 3), ms = asked_number("ms", 300);
    fputs(HEAD, stdout);
    for (long long line = 1; line <= lines; line++) {
        printf("line %lld%s", line, line == lines && asked_is("tail", "1") ? "" : "\n");
        fflush(stdout);
        if (line < lines)
            pause_for(ms);
    }
    return 0;
}
