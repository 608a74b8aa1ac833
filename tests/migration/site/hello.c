#include <stdio.h>

int main(void) {
    printf("Content-Type: text/html; charset=utf-8\r\n\r\n<h1>Gr\xc3\xbc\xc3\x9f Gott</h1>\n");
    return 0;
}
