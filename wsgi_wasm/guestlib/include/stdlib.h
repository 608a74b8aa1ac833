/* What wasi-libc's header leaves out and guestlib/host has. */
#include_next <stdlib.h>

#ifndef WSGI_WASM_STDLIB_H
#define WSGI_WASM_STDLIB_H
#ifdef __cplusplus
extern "C" {
#endif

int mkstemp(char *);
int mkstemps(char *, int);
int mkostemp(char *, int);
char *mkdtemp(char *);
char *mktemp(char *);
int getloadavg(double *, int);

#ifdef __cplusplus
}
#endif
#endif
