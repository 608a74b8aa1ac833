/* A worker that answers with the content of /d/file, whatever it is asked. */
#include <stdio.h>

int main(void)
{
    char text[200] = "";
    FILE *file = fopen("/d/file", "r");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    printf("{\"data\":\"%.*s\",\"headers\":{},\"status\":200,\"kv\":{}}", (int)size, text);
    return 0;
}
