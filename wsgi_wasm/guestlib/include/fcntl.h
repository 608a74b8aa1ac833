/* Record locks, which wasi-libc leaves out and guestlib/host has: the host's own. */
#if !defined WSGI_WASM_FCNTL_H && !defined WSGI_WASM_LIBC_FCNTL
#define WSGI_WASM_FCNTL_H
#ifdef __cplusplus
extern "C" {
#endif

/* libc's declaration has the same name in the source, and this one's in the object. */
int fcntl(int, int, ...) __asm__("wsgi_wasm_fcntl");

#ifdef __cplusplus
}
#endif
#endif

#include_next <fcntl.h>

#ifndef F_GETLK
#define F_GETLK 5
#define F_SETLK 6
#define F_SETLKW 7
#endif
#ifndef F_RDLCK
#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2
#endif
