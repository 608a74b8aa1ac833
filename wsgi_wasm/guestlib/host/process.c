/* popen, pclose and system: programs of the host that the route grants, and sendmail. There is no
 * shell; the host splits the line, and refuses what only a shell could do. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wsgi_wasm/host.h>

enum { PIECE = 1 << 16, NOT_FOUND = 127 << 8 };

struct process {
    FILE *file;
    struct process *next;
    uint32_t handle;
    char reads;
};

static struct process *processes;

static int start(const char *line, uint32_t flags, uint32_t *handle)
{
    size_t length = strlen(line), size;
    char *request = malloc(5 + length);
    if (!request)
        return ENOMEM;
    flags |= WASM_HOST_LINE;
    memcpy(request, &flags, 4);
    memcpy(request + 4, line, length + 1);
    int error = wsgi_wasm_call(WASM_HOST_START, request, 5 + length, handle, 4, &size);
    free(request);
    return error;
}

static ssize_t failed(int error)
{
    errno = error;
    return -1;
}

static ssize_t read_from(void *cookie, char *buffer, size_t room)
{
    struct process *process = cookie;
    uint32_t request[2] = {process->handle, room < PIECE ? room : PIECE};
    size_t size;
    int error = wsgi_wasm_call(WASM_HOST_READ, request, sizeof request, buffer, room, &size);
    return error ? failed(error) : (ssize_t)size;
}

static ssize_t write_to(void *cookie, const char *data, size_t size)
{
    struct process *process = cookie;
    char request[4 + BUFSIZ];
    size_t done = 0;
    memcpy(request, &process->handle, 4);
    while (done < size) {
        size_t piece = size - done < BUFSIZ ? size - done : BUFSIZ;
        memcpy(request + 4, data + done, piece);
        int error = wsgi_wasm_call(WASM_HOST_WRITE, request, 4 + piece, NULL, 0, NULL);
        if (error)
            return done ? (ssize_t)done : failed(error);
        done += piece;
    }
    return (ssize_t)done;
}

/* A program's standard output is ours, where we do not read it. */
static int pass_on(uint32_t handle)
{
    static char piece[1 << 13];
    uint32_t request[2] = {handle, sizeof piece};
    for (;;) {
        size_t size;
        int error = wsgi_wasm_call(WASM_HOST_READ, request, sizeof request, piece, sizeof piece, &size);
        if (error || !size)
            return error;
        for (size_t done = 0; done < size;) {
            ssize_t written = write(STDOUT_FILENO, piece + done, size - done);
            if (written <= 0)
                return errno;
            done += (size_t)written;
        }
    }
}

static int end(uint32_t handle)
{
    int32_t status;
    size_t size;
    int error = wsgi_wasm_call(WASM_HOST_WAIT, &handle, sizeof handle, &status, sizeof status, &size);
    wsgi_wasm_call(WASM_HOST_RELEASE, &handle, sizeof handle, NULL, 0, NULL);
    return error ? (int)failed(error) : status;
}

/* A program that exits has closed its pipes. */
static void close_all(void)
{
    while (processes)
        pclose(processes->file);
}

FILE *popen(const char *line, const char *mode)
{
    static char registered;
    cookie_io_functions_t functions = {0};
    struct process *process;
    int reads = *mode == 'r', error;
    if ((!reads && *mode != 'w') || (mode[1] && strcmp(mode + 1, "e") != 0)) {
        errno = EINVAL;
        return NULL;
    }
    if (!(process = malloc(sizeof *process)))
        return NULL;
    process->reads = (char)reads;
    if ((error = start(line, reads ? 0 : WASM_HOST_INPUT, &process->handle))) {
        free(process);
        errno = error;
        return NULL;
    }
    if (reads)
        functions.read = read_from;
    else
        functions.write = write_to;
    process->file = fopencookie(process, reads ? "r" : "w", functions);
    if (!process->file) {
        end(process->handle);
        free(process);
        return NULL;
    }
    if (!registered)
        registered = atexit(close_all) == 0;
    process->next = processes;
    processes = process;
    return process->file;
}

int pclose(FILE *file)
{
    struct process **at = &processes;
    while (*at && (*at)->file != file)
        at = &(*at)->next;
    struct process *process = *at;
    if (!process)
        return (int)failed(ECHILD);
    *at = process->next;
    fclose(file);
    uint32_t handle = process->handle;
    char request[5];
    memcpy(request, &handle, 4);
    request[4] = process->reads; /* which end of it is ours */
    wsgi_wasm_call(WASM_HOST_CLOSE, request, sizeof request, NULL, 0, NULL);
    if (!process->reads)
        pass_on(handle);
    free(process);
    return end(handle);
}

int system(const char *line)
{
    uint32_t handle;
    if (!line) {
        char names[256];
        size_t size = 0;
        wsgi_wasm_call(WASM_HOST_OFFERED, NULL, 0, names, sizeof names, &size);
        return size && memmem(names, size < sizeof names ? size : sizeof names, "commands", sizeof "commands");
    }
    int error = start(line, 0, &handle);
    if (error)
        return error == ENOENT || error == ENOSYS ? NOT_FOUND : (int)failed(error);
    pass_on(handle);
    return end(handle);
}
