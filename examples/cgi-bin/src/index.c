/* Lists the programs beside it. The route shows it their directory as /programs. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 256

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(void)
{
    static char *names[MOST];
    int count = 0;
    DIR *directory = opendir("/programs");
    struct dirent *entry;
    while (directory && count < MOST && (entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            names[count++] = strdup(entry->d_name);
    qsort(names, (size_t)count, sizeof *names, by_name);
    fputs("Content-Type: text/plain; charset=utf-8\r\n\r\n", stdout);
    for (int i = 0; i < count; i++)
        puts(names[i]);
    return 0;
}
