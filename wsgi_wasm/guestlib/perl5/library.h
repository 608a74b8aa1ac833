/* Descriptors that are none of the host's. */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stddef.h>
#include <stdint.h>

/* A file of the library, or NULL. */
const unsigned char *library_data(const char *path, size_t *size);

/* The descriptor of a program's output if it `reads`, else of its input, of which the host's
 * channel gave the handle; -1 with errno where there are too many. Closing it ends no program. */
int library_process(uint32_t handle, int reads);

/* From now on the file of a module that is loaded already says no more than that. */
void library_loaded(const char *path);

/* temporary.c: files by number, after temporary_is(path). */
int temporary_is(const char *path);
int temporary_open(const char *path, int flags);
void temporary_close(int number);
int temporary_unlink(const char *path);
ssize_t temporary_read(int number, off_t place, void *data, size_t size);
ssize_t temporary_write(int number, off_t place, const void *data, size_t size);
off_t temporary_size(int number);
int temporary_stat(const char *path, struct stat *status);

#endif
