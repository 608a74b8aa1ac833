/* flock, lockf, and the locks of fcntl: the host's own, on the file that the descriptor is. */
#define _GNU_SOURCE
#define WSGI_WASM_LIBC_FCNTL /* libc's fcntl, for all else */
#include <fcntl.h>
#undef WSGI_WASM_LIBC_FCNTL
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wsgi_wasm/host.h>

int flock(int descriptor, int operation);
int wsgi_wasm_fcntl(int descriptor, int command, ...);

struct record {
    uint32_t descriptor, command, type;
    int64_t begin, length;
} __attribute__((packed));

struct found {
    uint32_t type;
    int64_t begin, length;
} __attribute__((packed));

static int told(int error)
{
    if (!error)
        return 0;
    errno = error;
    return -1;
}

int flock(int descriptor, int operation)
{
    int32_t request[2] = {descriptor, operation};
    return told(wsgi_wasm_call(WASM_HOST_FLOCK, request, sizeof request, NULL, 0, NULL));
}

/* Where a lock begins, from the beginning of the file. */
static int begins(int descriptor, const struct flock *lock, int64_t *begin)
{
    struct stat is;
    off_t at = 0;
    if (lock->l_whence == SEEK_CUR && (at = lseek(descriptor, 0, SEEK_CUR)) < 0)
        return -1;
    if (lock->l_whence == SEEK_END) {
        if (fstat(descriptor, &is) != 0)
            return -1;
        at = is.st_size;
    }
    return __builtin_add_overflow(at, lock->l_start, begin) ? told(EOVERFLOW) : 0;
}

static int record(int descriptor, int command, struct flock *lock)
{
    struct record request = {(uint32_t)descriptor, (uint32_t)(command - F_GETLK), (uint32_t)lock->l_type, 0, lock->l_len};
    struct found found;
    int64_t begin;
    if (begins(descriptor, lock, &begin) != 0)
        return -1;
    request.begin = begin;
    if (told(wsgi_wasm_call(WASM_HOST_RECORD_LOCK, &request, sizeof request, &found, sizeof found, NULL)) != 0)
        return -1;
    if (command == F_GETLK) {
        lock->l_type = (short)found.type;
        if (found.type != F_UNLCK) {
            lock->l_whence = SEEK_SET;
            lock->l_start = found.begin;
            lock->l_len = found.length;
            lock->l_pid = -1; /* not the guest's affair */
        }
    }
    return 0;
}

int wsgi_wasm_fcntl(int descriptor, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (command == F_GETLK || command == F_SETLK || command == F_SETLKW)
        return record(descriptor, command, argument);
    return fcntl(descriptor, command, (int)(intptr_t)argument);
}

int lockf(int descriptor, int command, off_t length)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_len = length};
    switch (command) {
    case F_ULOCK: lock.l_type = F_UNLCK; return record(descriptor, F_SETLK, &lock);
    case F_LOCK: return record(descriptor, F_SETLKW, &lock);
    case F_TLOCK: return record(descriptor, F_SETLK, &lock);
    case F_TEST:
        if (record(descriptor, F_GETLK, &lock) != 0)
            return -1;
        return lock.l_type == F_UNLCK ? 0 : told(EACCES);
    default: return told(EINVAL);
    }
}
