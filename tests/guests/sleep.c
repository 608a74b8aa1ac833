/* Sleeps `seconds=` (default 3600), again and again with times=0. when=after: head first. */
#include <time.h>

#include "guest.h"

int main(void)
{
    struct timespec pause = {.tv_sec = (time_t)asked_number("seconds", 3600)};
    long long times = asked_number("times", 1);
    maybe_head();
    do
        nanosleep(&pause, NULL);
    while (--times);
    if (!asked_is("when", "after"))
        fputs(HEAD, stdout);
    puts("awake");
    return 0;
}
