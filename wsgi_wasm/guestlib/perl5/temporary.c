/* Temporary files of a route that grants no /tmp: in memory, for as long as the guest lives. */
#include "library.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#undef stat

enum { MOST = 64, NAME = 100 };
#define PLACE "/tmp"

static struct file {
    char name[NAME]; /* "" once it is removed */
    char *data;
    size_t size, room;
    int opened;
    char used;
} files[MOST];

static int has_place = -1; /* of the host's, by its first use */

int temporary_is(const char *path)
{
    struct stat status;
    if (strncmp(path, PLACE, sizeof PLACE - 1) || (path[sizeof PLACE - 1] && path[sizeof PLACE - 1] != '/'))
        return 0;
    if (has_place < 0)
        has_place = !stat(PLACE, &status);
    return !has_place;
}

static int is_place(const char *path) { return !strcmp(path, PLACE) || !strcmp(path, PLACE "/"); }

static int named(const char *path)
{
    for (int i = 0; i < MOST; i++)
        if (files[i].used && !strcmp(files[i].name, path))
            return i;
    return -1;
}

static int failed(int error)
{
    errno = error;
    return -1;
}

int temporary_open(const char *path, int flags)
{
    if (is_place(path))
        return failed(EISDIR);
    int found = named(path);
    if (found >= 0 && flags & O_CREAT && flags & O_EXCL)
        return failed(EEXIST);
    if (found < 0) {
        if (!(flags & O_CREAT))
            return failed(ENOENT);
        if (strlen(path) >= NAME || strchr(path + sizeof PLACE, '/'))
            return failed(ENOENT);
        for (found = 0; found < MOST && files[found].used; found++)
            ;
        if (found == MOST)
            return failed(ENOSPC);
        files[found] = (struct file){.used = 1};
        strcpy(files[found].name, path);
    }
    if (flags & O_TRUNC)
        files[found].size = 0;
    files[found].opened++;
    return found;
}

static void freed(struct file *file)
{
    if (file->opened || *file->name)
        return;
    free(file->data);
    *file = (struct file){0};
}

void temporary_close(int number)
{
    files[number].opened--;
    freed(&files[number]);
}

int temporary_unlink(const char *path)
{
    int found = named(path);
    if (found < 0)
        return failed(ENOENT);
    *files[found].name = 0;
    freed(&files[found]);
    return 0;
}

ssize_t temporary_read(int number, off_t place, void *data, size_t size)
{
    struct file *file = &files[number];
    if (place >= (off_t)file->size)
        return 0;
    if (size > file->size - (size_t)place)
        size = file->size - (size_t)place;
    memcpy(data, file->data + place, size);
    return (ssize_t)size;
}

ssize_t temporary_write(int number, off_t place, const void *data, size_t size)
{
    struct file *file = &files[number];
    size_t end = (size_t)place + size;
    if (end > file->room) {
        char *larger = realloc(file->data, 2 * end);
        if (!larger)
            return failed(ENOSPC);
        file->data = larger;
        file->room = 2 * end;
    }
    if ((size_t)place > file->size)
        memset(file->data + file->size, 0, (size_t)place - file->size);
    memcpy(file->data + place, data, size);
    if (end > file->size)
        file->size = end;
    return (ssize_t)size;
}

off_t temporary_size(int number) { return (off_t)files[number].size; }

int temporary_stat(const char *path, struct stat *status)
{
    int found = named(path), is_directory = is_place(path);
    if (found < 0 && !is_directory)
        return failed(ENOENT);
    memset(status, 0, sizeof *status);
    status->st_mode = is_directory ? S_IFDIR | 01777 : S_IFREG | 0600;
    status->st_size = is_directory ? 0 : temporary_size(found);
    status->st_nlink = 1;
    status->st_uid = getuid();
    status->st_gid = getgid();
    return 0;
}
