/* syslog(3), by the channel; and err(3), which libc leaves out. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <wsgi_wasm/host.h>

#define WEAK __attribute__((weak))
enum { MOST = 8192 };

static const char *named = "";
static int wanted = 0xff;

WEAK void openlog(const char *name, int options, int facility)
{
    (void)options, (void)facility;
    named = name ? name : "";
}

WEAK void closelog(void) {}

WEAK int setlogmask(int next)
{
    int before = wanted;
    if (next)
        wanted = next;
    return before;
}

WEAK void vsyslog(int priority, const char *format, va_list values)
{
    char request[4 + MOST];
    uint32_t level = (uint32_t)priority;
    int saved = errno, begin = 0, size;
    if (!(wanted & LOG_MASK(priority & 7)))
        return;
    memcpy(request, &level, 4);
    if (*named)
        begin = snprintf(request + 4, MOST / 2, "%s: ", named);
    if (begin >= MOST / 2)
        begin = MOST / 2 - 1;
    errno = saved; /* for %m, which this libc has in every format */
    size = vsnprintf(request + 4 + begin, (size_t)(MOST - begin), format, values);
    if (size < 0)
        return;
    if (size >= MOST - begin)
        size = MOST - begin - 1;
    wsgi_wasm_call(WASM_HOST_SYSLOG, request, (size_t)(4 + begin + size), NULL, 0, NULL);
    errno = saved;
}

#define WITH_VALUES(call)      \
    do {                       \
        va_list values;        \
        va_start(values, format); \
        call;                  \
        va_end(values);        \
    } while (0)

WEAK void syslog(int priority, const char *format, ...) { WITH_VALUES(vsyslog(priority, format, values)); }

WEAK void vwarnx(const char *format, va_list values)
{
    if (format)
        vfprintf(stderr, format, values);
    fputc('\n', stderr);
}

WEAK void vwarn(const char *format, va_list values)
{
    const char *why = strerror(errno);
    if (format) {
        vfprintf(stderr, format, values);
        fputs(": ", stderr);
    }
    fprintf(stderr, "%s\n", why);
}

WEAK void warn(const char *format, ...) { WITH_VALUES(vwarn(format, values)); }
WEAK void warnx(const char *format, ...) { WITH_VALUES(vwarnx(format, values)); }
WEAK _Noreturn void verr(int status, const char *format, va_list values) { vwarn(format, values), exit(status); }
WEAK _Noreturn void verrx(int status, const char *format, va_list values) { vwarnx(format, values), exit(status); }
WEAK _Noreturn void err(int status, const char *format, ...)
{
    WITH_VALUES(vwarn(format, values));
    exit(status);
}
WEAK _Noreturn void errx(int status, const char *format, ...)
{
    WITH_VALUES(vwarnx(format, values));
    exit(status);
}
