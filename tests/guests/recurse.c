/* Overflows the stack that C keeps in linear memory. recurse_calls.wat does so with the engine's own. when=after: head first. */
#include "guest.h"

static unsigned deeper(unsigned depth)
{
    volatile char frame[512];
    frame[depth % sizeof frame] = (char)depth;
    unsigned below = deeper(depth + 1);
    return below + (unsigned)frame[below % sizeof frame];
}

int main(void)
{
    maybe_head();
    unsigned depth = deeper(0);
    printf(HEAD "%u\n", depth);
    return 0;
}
