/* The library that lies in the module: files below LIBRARY are read from memory, as if they were
 * on a disk of the guest's, at no call of the host. An object beside this one holds their archive.
 * And pipes of programs of the host, which are descriptors for Perl and handles for the host. */
#include "library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <wsgi_wasm/host.h>

#undef unlink
#undef dup
#undef dup2
#undef open /* from here on they are libc's */
#undef read
#undef write
#undef lseek
#undef close
#undef fstat
#undef stat
#undef lstat

#define LIBRARY "/usr/share/perl" /* what the names in the archive have before them */
#define FIRST 192                 /* the first descriptor of such a file */
#define FILES 64
#define STANDARD 3
#define CLOSED 9999 /* no descriptor */
#define PIECE 8192 /* bytes that go to a program, or come from one, at a time */

struct entry { /* sorted by name; offsets from the beginning of the archive */
    uint32_t name, data, size;
};
extern const struct {
    uint32_t count;
    struct entry entries[];
} library_archive;

static struct {
    const struct entry *entry; /* NULL where the descriptor is free */
    off_t place;     /* of a pipe: whether it is read */
    uint32_t handle; /* of a pipe */
} files[FILES];

static const struct entry null; /* /dev/null, which Perl reads to begin, and scripts write to */
static const struct entry pipe_end;
static const struct entry temporary;
static const struct entry known; /* of a module that is loaded */
static const char known_text[] = "1;\n";
static unsigned char loaded[1 << 13]; /* by the place of the entry */
static const struct entry copy; /* of a descriptor of the host's, which `handle` is */

/* WASI moves descriptors and copies none. So a copy is a number of ours, and for the standard ones
 * we know which of the host's each stands for now: one more than that, or 0 for its own. The host's
 * own standard descriptors stay open for copies of them. */
static int stands_for[STANDARD];

static const char *text(uint32_t offset) { return (const char *)&library_archive + offset; }

static const struct entry *find(const char *path)
{
    if (strncmp(path, LIBRARY, sizeof LIBRARY - 1))
        return strcmp(path, "/dev/null") ? NULL : &null;
    path += sizeof LIBRARY - 1;
    size_t low = 0, high = library_archive.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(path, text(library_archive.entries[middle].name));
        if (!order)
            return &library_archive.entries[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const unsigned char *library_data(const char *path, size_t *size)
{
    const struct entry *entry = find(path);
    if (!entry)
        return NULL;
    *size = entry->size;
    return (const unsigned char *)text(entry->data);
}

void library_loaded(const char *path)
{
    const struct entry *entry = find(path);
    if (entry && entry != &null && entry - library_archive.entries < (ptrdiff_t)sizeof loaded)
        loaded[entry - library_archive.entries] = 1;
}

static int describe(const struct entry *entry, struct stat *status)
{
    memset(status, 0, sizeof *status);
    status->st_mode = entry == &null ? S_IFCHR | 0666 : entry == &pipe_end ? S_IFIFO | 0600 : S_IFREG | 0444;
    status->st_nlink = 1;
    status->st_size = entry->size;
    return 0;
}

static int opened(int file) { return file >= FIRST && file < FIRST + FILES && files[file - FIRST].entry; }

static int begin(const struct entry *entry, uint32_t handle)
{
    for (int i = 0; i < FILES; i++)
        if (!files[i].entry) {
            files[i].entry = entry;
            files[i].place = 0;
            files[i].handle = handle;
            return FIRST + i;
        }
    errno = EMFILE;
    return -1;
}

int library_process(uint32_t handle, int reads)
{
    int file = begin(&pipe_end, handle);
    if (file >= 0)
        files[file - FIRST].place = reads;
    return file;
}


/* The host's descriptor of one. */
static int of_host(int file)
{
    if (opened(file) && files[file - FIRST].entry == &copy)
        return (int)files[file - FIRST].handle;
    return file >= 0 && file < STANDARD && stands_for[file] ? stands_for[file] - 1 : file;
}

static ssize_t failed(int error)
{
    errno = error;
    return -1;
}

static ssize_t read_pipe(uint32_t handle, void *data, size_t size)
{
    uint32_t request[2] = {handle, size < PIECE ? size : PIECE};
    size_t count = 0;
    int error = wsgi_wasm_call(WASM_HOST_READ, request, sizeof request, data, size, &count);
    return error ? failed(error) : (ssize_t)count;
}

static ssize_t write_pipe(uint32_t handle, const void *data, size_t size)
{
    static char request[sizeof handle + PIECE];
    if (size > PIECE)
        size = PIECE;
    memcpy(request, &handle, sizeof handle);
    memcpy(request + sizeof handle, data, size);
    int error = wsgi_wasm_call(WASM_HOST_WRITE, request, sizeof handle + size, NULL, 0, NULL);
    return error ? failed(error) : (ssize_t)size;
}

int library_open(const char *path, int flags, ...)
{
    if (temporary_is(path)) {
        int number = temporary_open(path, flags);
        return number < 0 ? -1 : begin(&temporary, (uint32_t)number);
    }
    const struct entry *entry = find(path);
    if (!entry) {
        va_list rest;
        va_start(rest, flags);
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
        va_end(rest);
        return open(path, flags, mode);
    }
    if ((flags & O_ACCMODE) != O_RDONLY && entry != &null) {
        errno = EROFS;
        return -1;
    }
    ptrdiff_t place = entry - library_archive.entries;
    int is_known = entry != &null && place < (ptrdiff_t)sizeof loaded && loaded[place];
    return begin(is_known ? &known : entry, 0);
}

ssize_t library_read(int file, void *data, size_t size)
{
    file = of_host(file);
    if (!opened(file))
        return read(file, data, size);
    const struct entry *entry = files[file - FIRST].entry;
    if (entry == &pipe_end)
        return read_pipe(files[file - FIRST].handle, data, size);
    off_t *place = &files[file - FIRST].place;
    if (entry == &temporary) {
        ssize_t count = temporary_read((int)files[file - FIRST].handle, *place, data, size);
        *place += count;
        return count;
    }
    off_t left = (off_t)(entry == &known ? sizeof known_text - 1 : entry->size) - files[file - FIRST].place;
    if (left <= 0)
        return 0;
    if ((off_t)size > left)
        size = left;
    memcpy(data, (entry == &known ? known_text : text(entry->data)) + files[file - FIRST].place, size);
    files[file - FIRST].place += size;
    return size;
}

ssize_t library_write(int file, const void *data, size_t size)
{
    file = of_host(file);
    if (!opened(file))
        return write(file, data, size);
    if (files[file - FIRST].entry == &pipe_end)
        return write_pipe(files[file - FIRST].handle, data, size);
    if (files[file - FIRST].entry == &temporary) {
        off_t *place = &files[file - FIRST].place;
        ssize_t count = temporary_write((int)files[file - FIRST].handle, *place, data, size);
        *place += count > 0 ? count : 0;
        return count;
    }
    return size;
}

off_t library_lseek(int file, off_t offset, int whence)
{
    file = of_host(file);
    if (!opened(file))
        return lseek(file, offset, whence);
    if (files[file - FIRST].entry == &pipe_end)
        return failed(ESPIPE);
    off_t *place = &files[file - FIRST].place;
    const struct entry *entry = files[file - FIRST].entry;
    off_t size = entry == &temporary ? temporary_size((int)files[file - FIRST].handle) : (off_t)entry->size;
    off_t to = offset + (whence == SEEK_CUR ? *place : whence == SEEK_END ? size : 0);
    if (to < 0) {
        errno = EINVAL;
        return -1;
    }
    return *place = to;
}

/* Whether copies of a descriptor of the host's are open. */
static int in_use(int target)
{
    for (int i = 0; i < STANDARD; i++)
        if (stands_for[i] == target + 1)
            return 1;
    for (int i = 0; i < FILES; i++)
        if (files[i].entry == &copy && (int)files[i].handle == target)
            return 1;
    return 0;
}

int library_dup(int file)
{
    int target = of_host(file);
    struct stat status;
    if (opened(target))
        return (int)failed(EMFILE);
    return fstat(target, &status) ? -1 : begin(&copy, (uint32_t)target);
}

int library_dup2(int file, int target)
{
    int source = of_host(file);
    if (file == target)
        return file;
    if (target < 0 || target >= STANDARD)
        return (int)failed(EMFILE);
    library_close(target);
    stands_for[target] = source + 1;
    return target;
}

int library_close(int file)
{
    if (!opened(file)) {
        int is_own = file >= 0 && file < STANDARD;
        int target = of_host(file);
        if (is_own)
            stands_for[file] = CLOSED + 1;
        return in_use(target) || (is_own && target < STANDARD) ? 0 : close(target);
    }
    const struct entry *entry = files[file - FIRST].entry;
    files[file - FIRST].entry = NULL;
    if (entry == &copy) {
        int target = (int)files[file - FIRST].handle;
        return target < STANDARD || in_use(target) ? 0 : close(target);
    }
    if (entry == &temporary)
        temporary_close((int)files[file - FIRST].handle);
    if (entry != &pipe_end)
        return 0;
    char request[5];
    memcpy(request, &files[file - FIRST].handle, 4);
    request[4] = (char)files[file - FIRST].place;
    int error = wsgi_wasm_call(WASM_HOST_CLOSE, request, sizeof request, NULL, 0, NULL);
    return error ? failed(error) : 0;
}

/* WASI knows no owners and permissions. As for any other guest, what there is is root's; whether a
 * script may read and write it (see Perl_cando in commands.c) shows when it tries. */
static int owned(int result, struct stat *status)
{
    if (!result) {
        status->st_mode |= 0755;
        status->st_uid = 0;
        status->st_gid = 0;
    }
    return result;
}

int library_fstat(int file, struct stat *status)
{
    file = of_host(file);
    if (opened(file) && files[file - FIRST].entry == &temporary) {
        temporary_stat("/tmp", status);
        status->st_mode = S_IFREG | 0600;
        status->st_size = temporary_size((int)files[file - FIRST].handle);
        return 0;
    }
    return opened(file) ? describe(files[file - FIRST].entry, status) : owned(fstat(file, status), status);
}

int library_unlink(const char *path) { return temporary_is(path) ? temporary_unlink(path) : unlink(path); }

int library_stat(const char *path, struct stat *status)
{
    if (temporary_is(path))
        return temporary_stat(path, status);
    const struct entry *entry = find(path);
    return entry ? describe(entry, status) : owned(stat(path, status), status);
}

int library_lstat(const char *path, struct stat *status)
{
    if (temporary_is(path))
        return temporary_stat(path, status);
    const struct entry *entry = find(path);
    return entry ? describe(entry, status) : owned(lstat(path, status), status);
}
