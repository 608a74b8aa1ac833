/* poll_oneoff at its edges, as `kind=` says; prints the error number and how many events came:
 * relative, absolute, past (absolute, long ago), realtime, both (two clocks, the shorter wins), badclock, none (no
 * subscriptions), stdin (ready input beside a long clock), stdout, badfd, many (`n=`, default 1000000), outside (pointers
 * beyond memory), forever (the longest time there is). `ms=` is the time, default 50. */
#include <stdint.h>
#include <wasi/api.h>

#include "guest.h"

static __wasi_subscription_t clock_of(__wasi_clockid_t id, __wasi_timestamp_t time, int absolute)
{
    __wasi_subscription_t wanted = {.userdata = 7, .u = {.tag = __WASI_EVENTTYPE_CLOCK}};
    wanted.u.u.clock.id = id;
    wanted.u.u.clock.timeout = time;
    wanted.u.u.clock.flags = absolute ? __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME : 0;
    return wanted;
}

static __wasi_subscription_t descriptor(int fd, uint8_t tag)
{
    __wasi_subscription_t wanted = {.userdata = 8, .u = {.tag = tag}};
    wanted.u.u.fd_read.file_descriptor = fd;
    return wanted;
}

static __wasi_timestamp_t now(__wasi_clockid_t id)
{
    __wasi_timestamp_t time = 0;
    __wasi_errno_t ignored = __wasi_clock_time_get(id, 1, &time);
    (void)ignored;
    return time;
}

int main(void)
{
    const char *kind = asked("kind", "relative");
    __wasi_timestamp_t time = (__wasi_timestamp_t)asked_number("ms", 50) * 1000000;
    size_t count = 1;
    __wasi_size_t events = 0;
    __wasi_subscription_t two[2] = {clock_of(__WASI_CLOCKID_MONOTONIC, time, 0)}, *in = two;
    __wasi_event_t out_two[2], *out = out_two;
    if (strcmp(kind, "absolute") == 0) {
        two[0] = clock_of(__WASI_CLOCKID_MONOTONIC, now(__WASI_CLOCKID_MONOTONIC) + time, 1);
    } else if (strcmp(kind, "past") == 0) {
        two[0] = clock_of(__WASI_CLOCKID_REALTIME, 1, 1);
    } else if (strcmp(kind, "realtime") == 0) {
        two[0] = clock_of(__WASI_CLOCKID_REALTIME, now(__WASI_CLOCKID_REALTIME) + time, 1);
    } else if (strcmp(kind, "both") == 0) {
        two[count++] = clock_of(__WASI_CLOCKID_MONOTONIC, 3600000000000u, 0);
    } else if (strcmp(kind, "badclock") == 0) {
        two[0] = clock_of((__wasi_clockid_t)77, time, 0);
    } else if (strcmp(kind, "none") == 0) {
        count = 0;
    } else if (strcmp(kind, "stdin") == 0) {
        two[0] = clock_of(__WASI_CLOCKID_MONOTONIC, 3600000000000u, 0);
        two[count++] = descriptor(0, __WASI_EVENTTYPE_FD_READ);
    } else if (strcmp(kind, "stdout") == 0) {
        two[0] = descriptor(1, __WASI_EVENTTYPE_FD_WRITE);
    } else if (strcmp(kind, "badfd") == 0) {
        two[0] = descriptor(99, __WASI_EVENTTYPE_FD_READ);
    } else if (strcmp(kind, "many") == 0) {
        count = (size_t)asked_number("n", 1000000);
        in = malloc(count * sizeof *in);
        out = malloc(count * sizeof *out);
        for (size_t i = 0; in && out && i < count; i++)
            in[i] = two[0];
    } else if (strcmp(kind, "outside") == 0) {
        in = (void *)(uintptr_t)0xfffffff8u;
        out = (void *)(uintptr_t)0xffffff00u;
    } else if (strcmp(kind, "forever") == 0) {
        two[0] = clock_of(__WASI_CLOCKID_MONOTONIC, UINT64_MAX, 0);
    }
    int error = in && out ? __wasi_poll_oneoff(in, out, count, &events) : -1;
    printf(HEAD "%s %d %lu\n", kind, error, (unsigned long)events);
    return 0;
}
