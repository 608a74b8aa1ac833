/* Never ends and calls nothing, or with how=yield gives up the processor all the time. when=after: head first. */
#include <sched.h>

#include "guest.h"

int main(void)
{
    maybe_head();
    int yield = asked_is("how", "yield");
    for (volatile unsigned turn = 0;; turn++)
        if (yield)
            sched_yield();
}
