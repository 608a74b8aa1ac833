/* Reads a little of its body, closes standard error, and reads on: no byte may be lost or come twice. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    static char buffer[10007];
    unsigned long sum = 0, count = 0;
    ssize_t size = read(0, buffer, 3);
    while (size > 0) {
        for (ssize_t i = 0; i < size; i++)
            sum = sum * 31 + (unsigned char)buffer[i];
        if (count == 0)
            close(2);
        count += (unsigned long)size;
        size = read(0, buffer, sizeof buffer);
    }
    printf("Content-Type: text/plain\n\n%lu %lu\n", count, sum);
    return 0;
}
