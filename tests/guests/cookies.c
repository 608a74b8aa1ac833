/* Several Set-Cookie fields, in order, and what came in HTTP_COOKIE. */
#include "guest.h"

int main(void)
{
    const char *cookie = getenv("HTTP_COOKIE");
    printf("Content-Type: text/plain\nSet-Cookie: a=1; Path=/\nSet-Cookie: b=2, 3; HttpOnly\nset-cookie: a=4\n\n%s\n",
           cookie ? cookie : "-");
    return 0;
}
