/* Says that it is there, and then stays for as many seconds as the query says: an open instance, to be weighed. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(void)
{
    const char *query = getenv("QUERY_STRING");
    struct timespec pause = {.tv_sec = query ? atoi(query) : 0};
    puts("Content-Type: text/plain\r\n\r\nhere");
    fflush(stdout);
    nanosleep(&pause, NULL);
    return 0;
}
