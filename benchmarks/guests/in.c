/* Reads standard input to its end, in pieces of 64 KiB, and prints how much it was. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    static char piece[65536];
    unsigned long total = 0;
    ssize_t got;
    while ((got = read(0, piece, sizeof piece)) > 0)
        total += (unsigned long)got;
    printf("Content-Type: text/plain\r\n\r\n%lu bytes\n", total);
    return got < 0;
}
