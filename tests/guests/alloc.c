/* Allocates `step=` KiB (default 1024) at a time and touches every page, until that fails or `most=` MiB are reached.
 * Then prints how much it got, or with then=trap dies of it. when=after: head first. */
#include "guest.h"

int main(void)
{
    size_t step = (size_t)asked_number("step", 1024) * 1024, total = 0, most = (size_t)asked_number("most", 4096);
    maybe_head();
    while (total / 1048576 < most) {
        char *block = malloc(step);
        if (!block)
            break;
        for (size_t i = 0; i < step; i += 4096)
            ((volatile char *)block)[i] = 1;
        total += step;
    }
    if (asked_is("then", "trap"))
        __builtin_trap();
    if (!asked_is("when", "after"))
        fputs(HEAD, stdout);
    printf("%lu MiB\n", (unsigned long)(total / 1048576));
    return 0;
}
