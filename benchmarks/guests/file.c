/* Sends the file that PAGE names. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
    static char piece[65536];
    const char *path = getenv("PAGE");
    int file = open(path ? path : "", O_RDONLY);
    ssize_t got;
    if (file < 0)
        return 1;
    fputs("Content-Type: text/html\r\n\r\n", stdout);
    fflush(stdout);
    while ((got = read(file, piece, sizeof piece)) > 0)
        for (ssize_t done = 0, sent; done < got; done += sent)
            if ((sent = write(1, piece + done, (size_t)(got - done))) < 0)
                return 1;
    return got < 0;
}
