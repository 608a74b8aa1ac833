/* Traps as `kind=` says: unreachable (default), div, overflow, oob, null, indirect, abort. when=after: head first. */
#include <limits.h>
#include <stdint.h>

#include "guest.h"

static volatile int zero = 0, seven = 7, least = INT_MIN, minus = -1;
static volatile uintptr_t far = 0xfffffff0u;

static int one(int a) { return a + 1; }

int main(void)
{
    maybe_head();
    if (asked_is("kind", "div"))
        return seven / zero;
    if (asked_is("kind", "overflow"))
        return least / minus;
    if (asked_is("kind", "oob"))
        return *(volatile char *)far;
    if (asked_is("kind", "null"))
        return ((int (*)(void))(uintptr_t)zero)();
    if (asked_is("kind", "indirect")) {
        void *volatile wrong = (void *)one;
        return (int)((double (*)(double))wrong)(1.0);
    }
    if (asked_is("kind", "abort"))
        abort();
    __builtin_trap();
}
