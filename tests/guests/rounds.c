/* Answers at once, then computes for so many rounds; 0 for ever. With `every`, prints a line each so many rounds. */
#include "guest.h"

int main(void)
{
    long long rounds = asked_number("rounds", 1), every = asked_number("every", 0);
    volatile unsigned long long sum = 0;
    fputs(HEAD, stdout);
    for (long long i = 1; rounds == 0 || i <= rounds; i++) {
        sum += (unsigned long long)i;
        if (every && i % every == 0) {
            printf("%lld\n", i);
            fflush(stdout);
        }
    }
    puts("done");
    return 0;
}
