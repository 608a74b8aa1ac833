/* A picture: bytes of every kind, and a length. */
#include <stdio.h>

static const unsigned char gif[] = {
    0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x21, 0xf9, 4,
    1, 0, 0, 0, 0, 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 1, 0x44, 0, 0x3b,
};

int main(void) {
    printf("Content-Type: image/gif\nContent-Length: %zu\n\n", sizeof gif);
    fwrite(gif, 1, sizeof gif, stdout);
    return 0;
}
