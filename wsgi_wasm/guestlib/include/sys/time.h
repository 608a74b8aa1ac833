/* What wasi-libc's header leaves out and guestlib/host has. */
#include_next <sys/time.h>

#ifndef WSGI_WASM_SYS_TIME_H
#define WSGI_WASM_SYS_TIME_H
#ifdef __cplusplus
extern "C" {
#endif

#ifndef ITIMER_REAL
#define ITIMER_REAL 0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF 2

struct itimerval {
    struct timeval it_interval, it_value;
};
#endif

int getitimer(int, struct itimerval *);
int setitimer(int, const struct itimerval *__restrict, struct itimerval *__restrict);
int settimeofday(const struct timeval *, const struct timezone *);

#ifdef __cplusplus
}
#endif
#endif
