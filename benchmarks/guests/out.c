/* Ten million bytes, in pieces of 64 KiB. */
#include <string.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    static char piece[65536];
    size_t left = 10000000;
    memset(piece, 'x', sizeof piece);
    fputs("Content-Type: application/octet-stream\r\nContent-Length: 10000000\r\n\r\n", stdout);
    fflush(stdout);
    while (left) {
        ssize_t sent = write(1, piece, left < sizeof piece ? left : sizeof piece);
        if (sent < 0)
            return 1;
        left -= (size_t)sent;
    }
    return 0;
}
