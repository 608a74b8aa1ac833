/* A form as it is sent, by POST or in the query: decoded, and escaped as HTML. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show(const char *text) {
    for (; *text; text++) {
        int c = (unsigned char)*text;
        if (c == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2])) {
            char hex[3] = {text[1], text[2], 0};
            c = (int)strtol(hex, NULL, 16);
            text += 2;
        }
        switch (c) {
        case '+': putchar(' '); break;
        case '&': fputs("</li>\n<li>", stdout); break;
        case '<': fputs("&lt;", stdout); break;
        default: putchar(c);
        }
    }
}

int main(void) {
    static char body[65536];
    const char *length = getenv("CONTENT_LENGTH"), *query = getenv("QUERY_STRING");
    puts("Content-Type: text/html\n\n<ul>\n<li>");
    if (length && atoi(length) > 0 && atoi(length) < (int)sizeof body)
        body[fread(body, 1, (size_t)atoi(length), stdin)] = 0;
    show(*body ? body : query ? query : "");
    puts("</li>\n</ul>");
    return 0;
}
