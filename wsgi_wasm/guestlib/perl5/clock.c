/* alarm(): there are no signals from outside, so the clock is looked at between a script's
 * operations, and where it waits. */
#define PERL_CORE 1
#include "EXTERN.h"
#include "perl.h"

#include "library.h"

#undef sleep /* from here on they are libc's */
#undef select
#undef nanosleep

enum { SECOND = 1000000000, OPERATIONS = 1024 /* between looks at the clock */ };

static I64 due; /* nanoseconds of the clock; 0 without an alarm */

static I64 now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (I64)time.tv_sec * SECOND + time.tv_nsec;
}

unsigned alarm(unsigned seconds)
{
    I64 time = now(), left = due > time ? due - time : 0;
    due = seconds ? time + (I64)seconds * SECOND : 0;
    return (unsigned)((left + SECOND - 1) / SECOND);
}

/* Whether an alarm is due before `end`: then it goes off at its time, and `*end` is that. */
static bool goes_off(I64 *end)
{
    if (!due || due > *end)
        return FALSE;
    *end = due;
    return TRUE;
}

static void go_off(void)
{
    due = 0;
    raise(SIGALRM);
    errno = EINTR;
}

static struct timespec time_of(I64 duration)
{
    if (duration < 0)
        duration = 0;
    return (struct timespec){duration / SECOND, duration % SECOND};
}

/* What is left of a time that an alarm cut short. */
static I64 waited(I64 duration)
{
    I64 begin = now(), end = begin + duration;
    bool off = goes_off(&end);
    struct timespec time = time_of(end - begin);
    nanosleep(&time, NULL);
    if (!off)
        return 0;
    go_off();
    return duration - (end - begin);
}

unsigned clock_sleep(unsigned seconds) { return (unsigned)(waited((I64)seconds * SECOND) / SECOND); }

int clock_nanosleep_relative(const struct timespec *wanted, struct timespec *rest)
{
    I64 left = waited((I64)wanted->tv_sec * SECOND + wanted->tv_nsec);
    if (rest)
        *rest = time_of(left);
    return left ? -1 : 0;
}

int clock_select(int count, fd_set *read, fd_set *written, fd_set *failed, struct timeval *wanted)
{
    I64 begin = now();
    I64 end = wanted ? begin + (I64)wanted->tv_sec * SECOND + (I64)wanted->tv_usec * 1000 : (I64)1 << 62;
    bool off = goes_off(&end);
    struct timespec time = time_of(end - begin);
    struct timeval until = {time.tv_sec, time.tv_nsec / 1000};
    int found = select(count, read, written, failed, wanted || off ? &until : NULL);
    if (found || !off)
        return found;
    go_off();
    return -1;
}

/* Perl's own loop, but for the clock. */
int clock_runops(pTHX)
{
    static unsigned operations;
    OP *op = PL_op;
    while ((PL_op = op = op->op_ppaddr(aTHX)))
        if (UNLIKELY(due != 0) && ++operations % OPERATIONS == 0 && now() >= due)
            go_off();
    PERL_ASYNC_CHECK();
    TAINT_NOT;
    return 0;
}
