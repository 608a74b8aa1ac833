/* Prints the meta-variables, one per line, as the gateway gave them. */
#include <stdio.h>

extern char **environ;

int main(void)
{
    fputs("Content-Type: text/plain; charset=utf-8\r\n\r\n", stdout);
    for (char **entry = environ; *entry; entry++)
        puts(*entry);
    return 0;
}
