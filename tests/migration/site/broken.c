#include <stdio.h>

int main(void) {
    fputs("cannot go on\n", stderr);
    return 1;
}
