/* The channel to the host: what a program may ask for that WASI does not have. The operations and
 * the form of requests and answers are in docs/channel.md. */
#ifndef WSGI_WASM_HOST_H
#define WSGI_WASM_HOST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    WASM_HOST_REST = 0,    /* what did not fit of the last answer */
    WASM_HOST_OFFERED = 1, /* names of what the route grants, each ending in NUL */
    WASM_HOST_START = 0x100,
    WASM_HOST_WRITE = 0x101,
    WASM_HOST_READ = 0x102,
    WASM_HOST_CLOSE = 0x103,
    WASM_HOST_WAIT = 0x104,
    WASM_HOST_READ_ERRORS = 0x105,
    WASM_HOST_KILL = 0x106,
    WASM_HOST_RELEASE = 0x107,
    WASM_HOST_FLOCK = 0x300,
    WASM_HOST_RECORD_LOCK = 0x301,
    WASM_HOST_SYSLOG = 0x500,
    WASM_HOST_ZONE = 0x600,
};

/* Flags of WASM_HOST_START */
enum {
    WASM_HOST_LINE = 1,  /* one text that is split as a shell would, not a text for each argument */
    WASM_HOST_INPUT = 2, /* the guest writes standard input, of which there is none without it */
    WASM_HOST_MERGED = 4, /* standard error comes with standard output, and not to the log */
    WASM_HOST_ERRORS = 8 /* standard error is read by WASM_HOST_READ_ERRORS */
};

/* Asks the host. Returns 0, or an errno and then no answer. Of the answer at most `room` bytes are
 * written to `answer`; `*size` is its whole size. Ask WASM_HOST_REST for what is missing, with the
 * offset to go on from as four bytes (little endian) in the request. */
int wsgi_wasm_call(uint32_t operation, const void *request, size_t request_size, void *answer, size_t room,
                   size_t *size);

#ifdef __cplusplus
}
#endif
#endif
