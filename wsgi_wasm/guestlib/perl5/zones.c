/* Local time by TZ, for which libc for WASI knows UTC alone: musl's own code is compiled besides,
 * and finds the data of zones in the module. */
#include "library.h"

#include <string.h>
#include <sys/types.h>

#define ZONES "/usr/share/zoneinfo/"
#define OWN "/usr/share/perl/zoneinfo/"

/* Of musl's __tz.c. */
void zone_secs_to_zone(long long time, int local, int *summer, long *offset, long *opposite, const char **name);
extern char *zone_tzname[2];

const unsigned char *__map_file(const char *path, size_t *size)
{
    char own[256];
    if (strncmp(path, ZONES, sizeof ZONES - 1) || strlen(path) >= sizeof own - sizeof OWN)
        return NULL;
    strcpy(own, OWN);
    strcat(own, path + sizeof ZONES - 1);
    return library_data(own, size);
}

struct tm *zone_localtime_r(const time_t *time, struct tm *result)
{
    long offset;
    int summer;
    const char *name;
    zone_secs_to_zone(*time, 0, &summer, &offset, NULL, &name);
    time_t local = *time + offset;
    if (!gmtime_r(&local, result))
        return NULL;
    result->tm_isdst = summer;
    result->__tm_gmtoff = (int)offset;
    result->__tm_zone = name;
    return result;
}

struct tm *zone_localtime(const time_t *time)
{
    static struct tm result;
    return zone_localtime_r(time, &result);
}

/* As in musl: of the two times that are possible, the one that tm_isdst asks for. */
time_t zone_mktime(struct tm *given)
{
    struct tm normal = *given;
    long offset, opposite;
    int summer;
    const char *name;
    time_t time = timegm(&normal);
    zone_secs_to_zone(time, 1, &summer, &offset, &opposite, &name);
    if (given->tm_isdst >= 0 && summer != given->tm_isdst)
        time -= opposite - offset;
    time -= offset;
    return zone_localtime_r(&time, given) ? time : -1;
}

void tzset(void)
{
    long offset;
    int summer;
    const char *name;
    zone_secs_to_zone(0, 0, &summer, &offset, NULL, &name); /* which looks at TZ */
    tzname[0] = zone_tzname[0];
    tzname[1] = zone_tzname[1];
}
