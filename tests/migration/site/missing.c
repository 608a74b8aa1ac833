#include <stdio.h>

int main(void) {
    puts("Status: 404 No Such Page\nContent-Type: text/plain\nX-Reason: none\n\nThere is nothing here.");
    return 0;
}
