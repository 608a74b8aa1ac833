/* Writes more than one call of the host takes to the file of `path=`, reads it again, and says what is wrong. */
#include <fcntl.h>
#include <sys/uio.h>

#include "guest.h"

enum { SIZE = (3 << 20) + 7 };

static char *expected, *found;

static const char *check(const char *what, ssize_t count)
{
    static char said[100];
    const char *as = count == SIZE ? memcmp(expected, found, SIZE) ? "other bytes" : "ok" : "short";
    snprintf(said, sizeof said, "%s: %s", what, as);
    return said;
}

int main(void)
{
    const char *path = asked("path", "/data/large");
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    expected = malloc(SIZE), found = calloc(1, SIZE);
    for (int i = 0; i < SIZE; i++)
        expected[i] = (char)(i * 31 >> 3);
    printf("Content-Type: text/plain\n\n");
    printf("write: %s\n", write(file, expected, SIZE) == SIZE ? "ok" : "short");
    lseek(file, 0, SEEK_SET);
    printf("%s\n", check("read", read(file, found, SIZE)));
    printf("at the end: %s\n", read(file, found, SIZE) == 0 ? "ok" : "more");
    printf("pwrite: %s\n", pwrite(file, expected, SIZE, 5) == SIZE ? "ok" : "short");
    memset(found, 0, SIZE);
    printf("%s\n", check("pread", pread(file, found, SIZE, 5)));
    memset(found, 0, SIZE);
    /* the first vector that is not empty is the one that counts */
    struct iovec parts[3] = {{found, 0}, {found, SIZE}, {expected, 1}};
    printf("%s\n", check("preadv", preadv(file, parts, 3, 5)));
    printf("vectors stay: %s\n", parts[1].iov_base == found && parts[1].iov_len == SIZE ? "ok" : "changed");
    printf("size: %lld\n", (long long)lseek(file, 0, SEEK_END));
    return 0;
}
