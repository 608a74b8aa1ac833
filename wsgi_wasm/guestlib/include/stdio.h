/* What wasi-libc's header leaves out and guestlib/host has. */
#include_next <stdio.h>

#ifndef WSGI_WASM_STDIO_H
#define WSGI_WASM_STDIO_H
#ifdef __cplusplus
extern "C" {
#endif

FILE *popen(const char *, const char *);
int pclose(FILE *);

#ifdef __cplusplus
}
#endif
#endif
