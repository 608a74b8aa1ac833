#include <stdio.h>
#include <stdlib.h>

int main(void) {
    const char *cookie = getenv("HTTP_COOKIE");
    puts("Content-Type: text/plain\nSet-Cookie: first=1; Path=/\nSet-Cookie: second=\"2 3\"; HttpOnly\n");
    puts(cookie ? cookie : "none");
    return 0;
}
