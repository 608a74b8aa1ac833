/* What Perl calls besides what guestlib/host has. */
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <wsgi_wasm/host.h>

#undef openlog

pid_t process = 42; /* another one in each request: see start.c */
pid_t own_pid(void) { return process; }

int kill(pid_t pid, int number)
{
    if (pid == process || pid == 0)
        return number ? raise(number) : 0;
    errno = pid == 1 ? EPERM : ESRCH;
    return -1;
}

/* guestlib/host leaves the process's number out. */
void host_openlog(const char *name, int options, int facility)
{
    static char known[128];
    snprintf(known, sizeof known, options & LOG_PID ? "%s[%d]" : "%s", name ? name : "perl", (int)process);
    openlog(known, options, facility);
}

/* The host knows more ways than libc, and bounds what they may cost. */
char *host_crypt(const char *password, const char *setting)
{
    enum { CRYPT = 0x702 };
    static char hash[512];
    size_t first = strlen(password) + 1, second = strlen(setting) + 1, size = 0;
    char *request = malloc(first + second);
    if (!request)
        return NULL;
    memcpy(request, password, first);
    memcpy(request + first, setting, second);
    int error = wsgi_wasm_call(CRYPT, request, first + second, hash, sizeof hash - 1, &size);
    free(request);
    if (error) {
        errno = error;
        return NULL;
    }
    hash[size < sizeof hash ? size : sizeof hash - 1] = 0;
    return hash;
}

char *tzname[2] = {"UTC", "UTC"};
long timezone;
int daylight;

int futimes(int file, const struct timeval times[2])
{
    struct timespec exact[2];
    for (int i = 0; times && i < 2; i++)
        exact[i] = (struct timespec){times[i].tv_sec, times[i].tv_usec * 1000};
    return futimens(file, times ? exact : 0);
}

struct protoent *getprotobynumber(int number) { return 0; }
