/* Reads a form (application/x-www-form-urlencoded), decodes it in place, and prints how many fields it has and how many
 * bytes their values. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int digit(char c) { return isdigit((unsigned char)c) ? c - '0' : (c | 32) - 'a' + 10; }

static size_t decode(char *text)
{
    char *out = text;
    for (char *in = text; *in; in++)
        if (*in == '%' && isxdigit((unsigned char)in[1]) && isxdigit((unsigned char)in[2])) {
            *out++ = (char)(digit(in[1]) << 4 | digit(in[2]));
            in += 2;
        } else {
            *out++ = *in == '+' ? ' ' : *in;
        }
    *out = '\0';
    return (size_t)(out - text);
}

int main(void)
{
    const char *announced = getenv("CONTENT_LENGTH");
    size_t length = announced ? (size_t)atol(announced) : 0, fields = 0, bytes = 0;
    char *body = malloc(length + 1);
    if (!body || fread(body, 1, length, stdin) != length)
        return 1;
    body[length] = '\0';
    for (char *pair = strtok(body, "&"); pair; pair = strtok(NULL, "&")) {
        char *value = strchr(pair, '=');
        if (!value)
            continue;
        *value = '\0';
        decode(pair);
        bytes += decode(value + 1);
        fields++;
    }
    printf("Content-Type: text/plain\r\n\r\n%lu fields, %lu bytes\n", (unsigned long)fields, (unsigned long)bytes);
    return 0;
}
