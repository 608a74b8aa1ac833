/* The body as it came. */
#include <stdio.h>

int main(void) {
    char buffer[4096];
    size_t size;
    puts("Content-Type: application/octet-stream\n");
    while ((size = fread(buffer, 1, sizeof buffer, stdin)) > 0)
        fwrite(buffer, 1, size, stdout);
    return 0;
}
