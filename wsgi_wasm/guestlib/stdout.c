/* Gathers standard output from the first byte on. libc finds out that it is no terminal only when
 * it first writes, so the first line would go out by itself: one call of the host more in every
 * request. A program that does not use stdio does not get it by this. */
#include <stdio.h>

#undef stdout /* a macro that stands for itself */
#pragma weak stdout

__attribute__((constructor)) static void gather(void)
{
    if (&stdout != 0)
        setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
}
