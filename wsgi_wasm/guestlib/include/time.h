/* What wasi-libc's header leaves out and guestlib/host has. */
#include_next <time.h>

#ifndef WSGI_WASM_TIME_H
#define WSGI_WASM_TIME_H
#ifdef __cplusplus
extern "C" {
#endif

extern char *tzname[2];
extern long timezone;
extern int daylight;
void tzset(void);
int stime(const time_t *);

#ifdef __cplusplus
}
#endif
#endif
