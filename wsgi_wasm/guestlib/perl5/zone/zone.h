/* What musl's __tz.c, which libc for WASI leaves out, has from musl's own headers. */
#ifndef ZONE_H
#define ZONE_H
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#undef timezone
#undef daylight
#undef tzname
#define index zone_index /* a variable there, and a function of strings.h */
#define hidden
/* libc has some of these, for UTC alone. */
#define __utc zone_utc
#define __timezone zone_timezone
#define __daylight zone_daylight
#define __tzname zone_tzname
#define __secs_to_zone zone_secs_to_zone
#define __tm_to_tzname zone_tm_to_tzname
#define weak_alias(old, new)
#define LOCK(lock)
#define UNLOCK(lock)
#define __munmap(data, size) ((void)0) /* it is data of the module */

static const struct {
    char secure;
} libc;
const unsigned char *__map_file(const char *path, size_t *size);
#endif
