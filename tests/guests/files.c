/* Does `op=` with `path=` (and `to=`, `text=`) and prints the name of the error, or OK and what was read.
 * For directories that must not be written, and for paths that must not be left. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "guest.h"

static const char *path, *to;

static int read_file(void)
{
    char piece[4096];
    int file = open(path, O_RDONLY);
    ssize_t got = file < 0 ? -1 : read(file, piece, sizeof piece);
    if (got > 0)
        printf("<%.*s>\n", (int)got, piece);
    return got < 0 ? -1 : 0;
}

/* `path=` is opened as a directory, renamed to `to=`, and then `text=` is opened in it. */
static int read_at(void)
{
    int directory = open(path, O_RDONLY | O_DIRECTORY);
    if (directory < 0 || rename(path, to) != 0)
        return -1;
    return openat(directory, asked("text", "file"), O_RDONLY) < 0 ? -1 : 0;
}

/* `path=` is opened as a directory, and then `to=` is read from it. */
static int read_from(void)
{
    char piece[4096];
    int directory = open(path, O_RDONLY | O_DIRECTORY), file = directory < 0 ? -1 : openat(directory, to, O_RDONLY);
    ssize_t got = file < 0 ? -1 : read(file, piece, sizeof piece);
    if (got > 0)
        printf("<%.*s>\n", (int)got, piece);
    return got < 0 ? -1 : 0;
}

/* Whether a directory that is open is the one that its path leads to. */
static int is_same(void)
{
    struct stat named, opened;
    int directory = open(path, O_RDONLY | O_DIRECTORY);
    if (directory < 0 || fstat(directory, &opened) != 0 || stat(path, &named) != 0)
        return -1;
    int same = named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
    printf("<%s>\n", S_ISDIR(opened.st_mode) && same ? "same" : "other");
    return close(directory) == 0 && close(directory) != 0 && errno == EBADF ? 0 : -1;
}

static int write_file(int flags)
{
    const char *text = asked("text", "written by the guest\n");
    int file = open(path, flags, 0644);
    return file < 0 || write(file, text, strlen(text)) < 0 ? -1 : 0;
}

static int list(void)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory && (entry = readdir(directory)))
        printf("<%s>\n", entry->d_name);
    return directory ? 0 : -1;
}

/* Whether each name has the inode that its status has. */
static int inodes(void)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        struct stat is;
        if (strcmp(entry->d_name, "..") && fstatat(dirfd(directory), entry->d_name, &is, AT_SYMLINK_NOFOLLOW) == 0)
            printf("<%s %s>\n", entry->d_name, is.st_ino == entry->d_ino ? "same" : "other");
    }
    return directory ? 0 : -1;
}

static int set_size(void)
{
    int file = open(path, O_WRONLY);
    return file < 0 ? -1 : ftruncate(file, (off_t)asked_number("size", 0));
}

static int look(void)
{
    struct stat is;
    if (stat(path, &is) != 0)
        return -1;
    printf("<%s %lld>\n", S_ISDIR(is.st_mode) ? "directory" : "file", (long long)is.st_size);
    return 0;
}

static int follow(void)
{
    char target[1024];
    ssize_t length = readlink(path, target, sizeof target);
    if (length >= 0)
        printf("<%.*s>\n", (int)length, target);
    return length < 0 ? -1 : 0;
}

static int many(void)
{
    char name[1024];
    for (long long i = 0, most = asked_number("n", 1000); i < most; i++) {
        snprintf(name, sizeof name, "%s/%lld", path, i);
        int file = open(name, O_WRONLY | O_CREAT, 0644);
        if (file < 0)
            return -1;
        close(file);
    }
    return 0;
}

static int act(const char *op)
{
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
#define OP(name) else if (strcmp(op, name) == 0) return
    if (strcmp(op, "read") == 0) return read_file();
    OP("stat") look();
    OP("list") list();
    OP("inodes") inodes();
    OP("at") read_at();
    OP("from") read_from();
    OP("same") is_same();
    OP("readlink") follow();
    OP("write") write_file(O_WRONLY);
    OP("rdwr") write_file(O_RDWR);
    OP("create") write_file(O_WRONLY | O_CREAT);
    OP("exclusive") write_file(O_WRONLY | O_CREAT | O_EXCL);
    OP("append") write_file(O_WRONLY | O_APPEND);
    OP("trunc") open(path, O_WRONLY | O_TRUNC) < 0 ? -1 : 0;
    OP("readtrunc") open(path, O_RDONLY | O_TRUNC) < 0 ? -1 : 0;
    OP("truncate") set_size();
    OP("unlink") unlink(path);
    OP("rmdir") rmdir(path);
    OP("mkdir") mkdir(path, 0755);
    OP("rename") rename(path, to);
    OP("link") link(path, to);
    OP("symlink") symlink(to, path);
    OP("utimes") utimensat(AT_FDCWD, path, times, 0);
    OP("many") many();
    errno = ENOSYS;
    return -1;
}

int main(void)
{
    const char *op = asked("op", "read");
    path = asked("path", "/");
    to = asked("to", "");
    fputs(HEAD, stdout);
    int result = act(op);
    printf("%s %s\n", op, result == 0 ? "OK" : error_name(errno));
    return 0;
}
