/* A worker of Wasm Workers Server. What it does is the query: `answer=NAME` prints the file /answers/NAME as it is,
   `set=NAME` adds the pair NAME to the key-value pairs of the request, after a while where the query has `slow`,
   `drop` takes all of them away, and anything else gives the request back as the data. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char text[1 << 22];

static void escaped(const char *from) {
    for (; *from; from++) {
        if (*from == '"' || *from == '\\')
            putchar('\\');
        putchar(*from);
    }
}

static void print_file(const char *name) {
    char path[300];
    snprintf(path, sizeof path, "/answers/%.200s", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        abort();
    for (size_t got; (got = fread(text, 1, sizeof text, file)) > 0;)
        fwrite(text, 1, got, stdout);
}

int main(void) {
    size_t size = fread(text, 1, sizeof text - 1, stdin);
    text[size] = 0;

    char query[300] = "";
    char *url = strstr(text, "\"url\":\"");
    sscanf(url, "\"url\":\"%*[^?\"]?%299[^\"]", query);

    if (strncmp(query, "answer=", 7) == 0) {
        print_file(query + 7);
        return 0;
    }
    char *kv = strstr(text, "\"kv\":{") + 6;
    kv[strcspn(kv, "}")] = 0;
    printf("{\"status\":200,\"headers\":{\"content-type\":\"application/json\"},\"kv\":{");
    if (strncmp(query, "set=", 4) == 0) {
        if (strstr(query, "slow"))
            usleep(500000);
        query[strcspn(query, "&")] = 0;
        printf("%s%s\"%s\":\"%zu\"", kv, *kv ? "," : "", query + 4, strlen(query + 4));
    } else if (strcmp(query, "drop") != 0)
        printf("%s", kv);
    printf("},\"data\":\"");
    kv[strlen(kv)] = '}';
    escaped(text);
    printf("\"}\n");
    return 0;
}
