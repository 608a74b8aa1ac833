/* Misuses file descriptors as `kind=` says and reports on standard error. What reached standard output through
 * descriptor 1 must arrive as a stream, in order, whatever is tried: close, seek, pwrite, allocate, truncate, renumber
 * (needs FILE, a writable file), same (onto itself), swap (stdin onto stdout), all (closes 0, 1 and 2). */
#include <fcntl.h>
#include <sys/stat.h>

#include "guest.h"

#ifdef __wasi__
#include <wasi/api.h>
static void renumber(int from, int to)
{
    fprintf(stderr, "renumber %d %d: %d\n", from, to, __wasi_fd_renumber((__wasi_fd_t)from, (__wasi_fd_t)to));
}
static int allocate(int fd, off_t size) { return __wasi_fd_allocate((__wasi_fd_t)fd, 0, (__wasi_filesize_t)size); }
#else
static void renumber(int from, int to) { fprintf(stderr, "renumber %d %d: %d\n", from, to, dup2(from, to) < 0); }
static int allocate(int fd, off_t size) { return posix_fallocate(fd, 0, size); }
#endif

static void say(const char *text)
{
    if (write(1, text, strlen(text)) < 0)
        fprintf(stderr, "write: %s\n", error_name(errno));
}

static void report(const char *what, int failed)
{
    fprintf(stderr, "%s: %s\n", what, failed ? error_name(errno) : "OK");
}

int main(void)
{
    const char *kind = asked("kind", "seek");
    say(HEAD "one\n");
    if (strcmp(kind, "seek") == 0) {
        report("lseek", lseek(1, 0, SEEK_SET) < 0);
    } else if (strcmp(kind, "pwrite") == 0) {
        report("pwrite", pwrite(1, "XXXX", 4, 0) < 0);
    } else if (strcmp(kind, "allocate") == 0) {
        fprintf(stderr, "allocate: %d\n", allocate(1, (off_t)1 << 40));
    } else if (strcmp(kind, "truncate") == 0) {
        report("ftruncate 0", ftruncate(1, 0) != 0);
        report("ftruncate 1 TiB", ftruncate(1, (off_t)1 << 40) != 0);
    } else if (strcmp(kind, "stat") == 0) {
        struct stat is;
        int failed = fstat(1, &is) != 0;
        report("fstat", failed);
        fprintf(stderr, "regular %d size %lld\n", !failed && S_ISREG(is.st_mode), failed ? -1LL : (long long)is.st_size);
    } else if (strcmp(kind, "read") == 0) {
        char byte;
        report("read", read(1, &byte, 1) < 0);
    } else if (strcmp(kind, "close") == 0) {
        report("close", close(1) != 0);
    } else if (strcmp(kind, "all") == 0) {
        close(0), close(1), close(2);
    } else if (strcmp(kind, "renumber") == 0) {
        int file = open(asked("file", "/data/file"), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        report("open", file < 0);
        renumber(file, 1);
    } else if (strcmp(kind, "same") == 0) {
        renumber(1, 1);
    } else if (strcmp(kind, "swap") == 0) {
        renumber(0, 1);
    } else if (strcmp(kind, "closed") == 0) {
        renumber(99, 1);
        renumber(1, 99);
    }
    say("two\n");
    return 0;
}
