/* Starts programs of the host. `line` is the command line; how=read (default), write (`text` is its input), system,
 * never (writes and does not read), raw (words by themselves, separated by |), leave (ends without waiting). */
#include "guest.h"
#include <stdint.h>
#include <wsgi_wasm/host.h>

static int status_of(int status)
{
    return status < 0 ? status : (status & 127) ? -(status & 127) : status >> 8;
}

int main(void)
{
    const char *line = asked("line", ""), *how = asked("how", "read");
    char piece[4096];
    size_t size;
    fputs(HEAD, stdout);
    fflush(stdout);
    if (strcmp(how, "system") == 0) {
        int status = system(line);
        printf("[%d]\n", status_of(status));
        return 0;
    }
    if (strcmp(how, "flood") == 0) {
        long started = 0, refused = 0;
        for (int i = 0; i < 100; i++)
            popen(line, "r") ? started++ : refused++;
        printf("[%ld %s]\n", started, refused && errno == EAGAIN ? "EAGAIN" : "?");
        return 0;
    }
    if (strcmp(how, "many") == 0) {
        /* as a library does that releases nothing */
        for (int i = 0; i < 40; i++) {
            char request[512];
            uint32_t flags = WASM_HOST_LINE, handle = 0, word = 0;
            size_t length = strlen(line);
            memcpy(request, &flags, 4);
            memcpy(request + 4, line, length + 1);
            int error = wsgi_wasm_call(WASM_HOST_START, request, length + 5, &handle, 4, &size);
            if (error)
                return printf("[%d after %d]\n", error, i), 0;
            wsgi_wasm_call(WASM_HOST_WAIT, &handle, 4, &word, 4, &size);
        }
        puts("[40]");
        return 0;
    }
    int writes = strcmp(how, "write") == 0 || strcmp(how, "never") == 0 || strcmp(how, "leave") == 0;
    FILE *file = popen(line, writes ? "w" : "r");
    if (!file) {
        printf("[not started: %d]\n", errno);
        return 0;
    }
    if (writes) {
        long times = (long)asked_number("times", 1);
        const char *text = asked("text", "");
        while (times--)
            if (fputs(text, file) < 0) {
                printf("[%d]", errno);
                break;
            }
        if (strcmp(how, "leave") == 0)
            return 0;
    } else {
        long total = 0;
        while ((size = fread(piece, 1, sizeof piece, file))) {
            total += (long)size;
            if (asked_number("quiet", 0) == 0)
                fwrite(piece, 1, size, stdout);
            if (asked_number("first", 0))
                break;
        }
        if (asked_number("quiet", 0))
            printf("%ld bytes\n", total);
    }
    int status = pclose(file);
    printf("[%d]\n", status_of(status));
    return 0;
}
