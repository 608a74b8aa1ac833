/* Locks FILE (`path=`) as `kind=` says (flock, fcntl, lockf), and then does `op=`: count (adds one to the number in the
 * file, `n=` times, with a lock for each), hold (makes /data/held, and waits for `until=` to be there), try (says
 * whether it could be had), test (fcntl: whether it could), or what is wrong. `mode=read` opens it for reading,
 * `type=shared` asks for a shared lock. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "guest.h"

static int file;

static int lock(int waits, int shared)
{
    struct flock all = {.l_type = shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    if (asked_is("kind", "fcntl"))
        return fcntl(file, waits ? F_SETLKW : F_SETLK, &all);
    if (asked_is("kind", "lockf"))
        return lseek(file, 0, SEEK_SET) < 0 ? -1 : lockf(file, waits ? F_LOCK : F_TLOCK, 0);
    return flock(file, (shared ? LOCK_SH : LOCK_EX) | (waits ? 0 : LOCK_NB));
}

static int unlock(void)
{
    struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    if (asked_is("kind", "fcntl"))
        return fcntl(file, F_SETLK, &all);
    if (asked_is("kind", "lockf"))
        return lseek(file, 0, SEEK_SET) < 0 ? -1 : lockf(file, F_ULOCK, 0);
    return flock(file, LOCK_UN);
}

static int count(void)
{
    for (long long left = asked_number("n", 1); left; left--) {
        char text[32] = "";
        if (lock(1, 0) != 0 || pread(file, text, sizeof text - 1, 0) < 0)
            return -1;
        int size = snprintf(text, sizeof text, "%ld\n", atol(text) + 1);
        if (pwrite(file, text, (size_t)size, 0) != size || unlock() != 0)
            return -1;
    }
    return 0;
}

static int hold(void)
{
    struct timespec pause = {0, 2000000};
    struct stat is;
    if (asked_is("renamed", "first") && rename(asked("path", "/data/file"), asked("to", "")) != 0)
        return -1;
    if (lock(1, asked_is("type", "shared")) != 0 || open("/data/held", O_WRONLY | O_CREAT, 0644) < 0)
        return -1;
    while (stat(asked("until", ""), &is) != 0)
        nanosleep(&pause, NULL);
    return 0;
}

static int test(void)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(file, F_GETLK, &all) != 0)
        return -1;
    printf("<%s %lld %lld>\n", all.l_type == F_UNLCK ? "free" : all.l_type == F_RDLCK ? "read" : "written",
           (long long)all.l_start, (long long)all.l_len);
    return 0;
}

/* What goes wrong: by the name of what is done. */
static int misuse(const char *what)
{
    struct flock odd = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
#define CASE(name) if (strcmp(what, name) == 0)
    CASE("operation") return flock(file, 3);
    CASE("nothing") return flock(file, 0);
    CASE("descriptor") return flock(77, LOCK_EX);
    CASE("closed") return close(file) != 0 ? -1 : flock(file, LOCK_EX);
    CASE("stream") return flock(1, LOCK_EX);
    CASE("type") return odd.l_type = 7, fcntl(file, F_SETLK, &odd);
    CASE("negative") return odd.l_start = -1, fcntl(file, F_SETLK, &odd);
    CASE("endless") return odd.l_start = INT64_MAX, odd.l_len = INT64_MAX, fcntl(file, F_SETLK, &odd);
    CASE("stream-record") return fcntl(1, F_SETLK, &odd);
    CASE("getfl") return fcntl(file, F_GETFL) < 0 ? -1 : 0;
    CASE("unlock") return unlock();
    CASE("many") {
        char name[64];
        for (int i = 0; i < 80; i++) {
            snprintf(name, sizeof name, "%s%d", asked("path", "/data/file"), i);
            file = open(name, O_RDWR | O_CREAT, 0644);
            if (file < 0 || lock(0, 0) != 0)
                return -1;
        }
        return 0;
    }
    errno = ENOSYS;
    return -1;
}

int main(void)
{
    const char *op = asked("op", "try");
    int result;
    fputs(HEAD, stdout);
    file = open(asked("path", "/data/file"), asked_is("mode", "read") ? O_RDONLY : O_RDWR);
    if (file < 0)
        result = -1;
    else if (strcmp(op, "count") == 0)
        result = count();
    else if (strcmp(op, "hold") == 0)
        result = hold();
    else if (strcmp(op, "test") == 0)
        result = test();
    else if (strcmp(op, "try") == 0)
        result = lock(0, asked_is("type", "shared"));
    else
        result = misuse(op);
    printf("%s %s\n", op, result == 0 ? "OK" : error_name(errno));
    return 0;
}
