/* Reads a file of the server, whose directory the configuration gives it. */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    char path[4096], line[256];
    int count = 0;
    snprintf(path, sizeof path, "%s/prices.csv", getenv("DATA") ? getenv("DATA") : ".");
    FILE *file = fopen(path, "r");
    if (!file) {
        puts("Status: 500\nContent-Type: text/plain\n\nno prices");
        return 0;
    }
    puts("Content-Type: text/plain\n");
    while (fgets(line, sizeof line, file))
        printf("%d: %s", ++count, line);
    fclose(file);
    return 0;
}
