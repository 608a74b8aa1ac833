#include <stdio.h>

int main(void) {
    puts("Location: https://www.example/elsewhere?a=b\n");
    return 0;
}
