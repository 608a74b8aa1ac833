/* Common to the test guests: what QUERY_STRING asks for, and the names of errors. Works natively too. */
#ifndef GUEST_H
#define GUEST_H

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD "Content-Type: text/plain\r\n\r\n"

/* The value of `name` in QUERY_STRING, %XX decoded, or `missing`. */
static inline const char *asked(const char *name, const char *missing)
{
    const char *query = getenv("QUERY_STRING");
    size_t length = strlen(name);
    for (const char *pair = query ? query : ""; *pair; pair += strcspn(pair, "&"), pair += *pair == '&') {
        if (strncmp(pair, name, length) != 0 || pair[length] != '=')
            continue;
        pair += length + 1;
        size_t size = strcspn(pair, "&");
        char *value = malloc(size + 1), *out = value;
        for (size_t i = 0; i < size; i++)
            if (pair[i] == '%' && i + 2 < size) {
                char digits[3] = {pair[i + 1], pair[i + 2], 0};
                *out++ = (char)strtol(digits, NULL, 16);
                i += 2;
            } else {
                *out++ = pair[i];
            }
        *out = '\0';
        return value;
    }
    return missing;
}

static inline long long asked_number(const char *name, long long missing)
{
    const char *value = asked(name, NULL);
    return value ? atoll(value) : missing;
}

static inline int asked_is(const char *name, const char *value)
{
    return strcmp(asked(name, ""), value) == 0;
}

/* Prints a head and a line and flushes, when the query has when=after: a test then sees how an answer is cut. */
static inline void maybe_head(void)
{
    if (asked_is("when", "after")) {
        fputs(HEAD "started\n", stdout);
        fflush(stdout);
    }
}

static inline const char *error_name(int error)
{
    switch (error) {
    case 0: return "OK";
#define NAME(e) case e: return #e;
    NAME(EACCES) NAME(EBADF) NAME(EEXIST) NAME(EFBIG) NAME(EINVAL) NAME(EIO) NAME(EISDIR) NAME(ELOOP) NAME(EMFILE)
    NAME(EFAULT) NAME(ENAMETOOLONG) NAME(ENFILE) NAME(ENOENT) NAME(ENOMEM) NAME(ENOSPC) NAME(ENOSYS) NAME(ENOTDIR)
    NAME(ENOTEMPTY) NAME(ENOTSUP) NAME(EPERM) NAME(EPIPE) NAME(EROFS) NAME(ESPIPE) NAME(EXDEV) NAME(EILSEQ)
    NAME(EOVERFLOW) NAME(EAGAIN) NAME(EBUSY) NAME(ENXIO) NAME(ENOLCK)
#ifdef ENOTCAPABLE
    NAME(ENOTCAPABLE)
#endif
#undef NAME
    default: return strerror(error);
    }
}

#endif
