/* The same program natively under mod_cgid and as a guest: one line, from one variable. */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    const char *query = getenv("QUERY_STRING");
    printf("Content-Type: text/plain\r\n\r\nhello %s\n", query ? query : "");
    return 0;
}
