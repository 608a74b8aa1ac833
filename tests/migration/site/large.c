#include <stdio.h>

int main(void) {
    puts("Content-Type: text/plain\n");
    for (int i = 0; i < 30000; i++)
        printf("line %d\n", i);
    return 0;
}
