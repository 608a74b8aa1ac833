/* A thousand lines; with the query `flush` each is sent on its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    const char *query = getenv("QUERY_STRING");
    int flush = query && strcmp(query, "flush") == 0;
    fputs("Content-Type: text/plain\r\n\r\n", stdout);
    for (int line = 0; line < 1000; line++) {
        printf("line %03d of a thousand\n", line);
        if (flush)
            fflush(stdout);
    }
    return 0;
}
