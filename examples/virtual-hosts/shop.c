/* The guest of shop.example: shows which part of the shop was asked for, and on which host. */
#include "../lib/form.h"

int main(void)
{
    const char *part = variable("PATH_INFO");
    fputs("Content-Type: text/html; charset=utf-8\r\n\r\n<h1>The shop</h1>\n<p>", stdout);
    put_escaped(*part ? part : "/");
    fputs(" on ", stdout);
    put_escaped(variable("HTTP_HOST"));
    puts("</p>");
    return 0;
}
