/* What wasi-libc's header leaves out and guestlib/host has. */
#include_next <sys/stat.h>

#ifndef WSGI_WASM_SYS_STAT_H
#define WSGI_WASM_SYS_STAT_H
#ifdef __cplusplus
extern "C" {
#endif

mode_t umask(mode_t);
int mkfifo(const char *, mode_t);
int mknod(const char *, mode_t, dev_t);

#ifdef __cplusplus
}
#endif
#endif
