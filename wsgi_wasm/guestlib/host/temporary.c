/* Temporary files: in the directory that the program names, or /tmp where the route grants it.
 * tmpfile needs none: without /tmp its file is in memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WEAK __attribute__((weak))
enum { TRIES = 100, PLACES = 6 };

/* Other letters for the X's that come before a suffix; false where there are not six. */
static int fill(char *name, int suffix)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t size = strlen(name);
    unsigned char chance[PLACES];
    if (suffix < 0 || size < PLACES + (size_t)suffix || getentropy(chance, PLACES))
        return 0;
    char *at = name + size - (size_t)suffix - PLACES;
    for (int i = 0; i < PLACES; i++)
        at[i] = letters[chance[i] & 63];
    return 1;
}

static int asks(const char *name, int suffix)
{
    size_t size = strlen(name);
    if (suffix >= 0 && size >= PLACES + (size_t)suffix && !strncmp(name + size - suffix - PLACES, "XXXXXX", PLACES))
        return 1;
    errno = EINVAL;
    return 0;
}

WEAK int mkostemps(char *name, int suffix, int flags)
{
    for (int i = 0; asks(name, suffix) && i < TRIES; i++) {
        int file = fill(name, suffix) ? open(name, O_RDWR | O_CREAT | O_EXCL | flags, 0600) : -1;
        if (file >= 0)
            return file;
        memset(name + strlen(name) - suffix - PLACES, 'X', PLACES);
        if (errno != EEXIST)
            break;
    }
    return -1;
}

WEAK int mkstemps(char *name, int suffix) { return mkostemps(name, suffix, 0); }
WEAK int mkostemp(char *name, int flags) { return mkostemps(name, 0, flags); }
WEAK int mkstemp(char *name) { return mkostemps(name, 0, 0); }

WEAK char *mkdtemp(char *name)
{
    for (int i = 0; asks(name, 0) && i < TRIES; i++) {
        if (fill(name, 0) && !mkdir(name, 0700))
            return name;
        memset(name + strlen(name) - PLACES, 'X', PLACES);
        if (errno != EEXIST)
            break;
    }
    return NULL;
}

WEAK char *mktemp(char *name)
{
    struct stat found;
    for (int i = 0; asks(name, 0) && i < TRIES; i++) {
        if (!fill(name, 0) || (lstat(name, &found) && errno == ENOENT))
            return name;
        memset(name + strlen(name) - PLACES, 'X', PLACES);
    }
    *name = 0;
    return name;
}

WEAK char *tmpnam(char *room)
{
    static char own[L_tmpnam];
    return mktemp(strcpy(room ? room : own, "/tmp/tmp_XXXXXX"));
}

WEAK char *tempnam(const char *folder, const char *begin)
{
    char *name = malloc(strlen(folder ? folder : P_tmpdir) + strlen(begin ? begin : "tmp_") + PLACES + 2);
    if (name)
        sprintf(name, "%s/%sXXXXXX", folder ? folder : P_tmpdir, begin ? begin : "tmp_");
    return name ? mktemp(name) : NULL;
}

/* A file in memory. */
struct kept {
    char *data;
    size_t size, room, at;
};

static ssize_t read_kept(void *cookie, char *to, size_t room)
{
    struct kept *kept = cookie;
    size_t left = kept->at < kept->size ? kept->size - kept->at : 0;
    size_t size = left < room ? left : room;
    if (size)
        memcpy(to, kept->data + kept->at, size);
    kept->at += size;
    return (ssize_t)size;
}

static ssize_t write_kept(void *cookie, const char *from, size_t size)
{
    struct kept *kept = cookie;
    size_t end = kept->at + size;
    if (end > kept->room) {
        char *data = realloc(kept->data, end * 2);
        if (!data)
            return 0;
        kept->data = data;
        kept->room = end * 2;
    }
    if (kept->at > kept->size)
        memset(kept->data + kept->size, 0, kept->at - kept->size);
    memcpy(kept->data + kept->at, from, size);
    kept->at = end;
    if (end > kept->size)
        kept->size = end;
    return (ssize_t)size;
}

static int seek_kept(void *cookie, off_t *offset, int from)
{
    struct kept *kept = cookie;
    off_t base = from == SEEK_SET ? 0 : (off_t)(from == SEEK_CUR ? kept->at : kept->size);
    if (base + *offset < 0 || base + *offset > 0x7fffffff) {
        errno = EINVAL;
        return -1;
    }
    kept->at = (size_t)(*offset += base);
    return 0;
}

static int close_kept(void *cookie)
{
    free(((struct kept *)cookie)->data);
    free(cookie);
    return 0;
}

WEAK FILE *tmpfile(void)
{
    static const cookie_io_functions_t functions = {read_kept, write_kept, seek_kept, close_kept};
    char name[] = "/tmp/tmp_XXXXXX";
    int file = mkstemp(name);
    if (file >= 0) {
        unlink(name);
        return fdopen(file, "w+");
    }
    struct kept *kept = calloc(1, sizeof *kept);
    FILE *stream = kept ? fopencookie(kept, "w+", functions) : NULL;
    if (!stream)
        free(kept);
    return stream;
}
