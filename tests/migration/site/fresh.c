/* An answer that a client may keep. */
#include <stdio.h>

int main(void) {
    puts("Content-Type: text/plain\nETag: \"v1\"\nLast-Modified: Sun, 01 Nov 2026 10:00:00 GMT\n\nversion 1");
    return 0;
}
