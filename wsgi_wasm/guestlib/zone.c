/* Local time by TZ: libc's localtime, mktime and strftime ask here, and this asks the host, which
 * has the data. Without TZ, and for a zone that the host does not know, it is UTC. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wsgi_wasm/host.h>

enum { TZ_MOST = 128, NAME_MOST = 32, NAMES = 8, KNOWN = 4 };

const char __utc[] = "UTC"; /* libc's own name for it */

/* A program may have variables of these names. */
#define WEAK __attribute__((weak))
WEAK char *tzname[2] = {(char *)__utc, (char *)__utc};
WEAK long timezone;
WEAK int daylight;

struct answer {
    int64_t from, until;
    int32_t offset;
    uint32_t summer;
    int32_t other;
    char name[NAME_MOST];
} __attribute__((packed));

static struct {
    struct answer answer;
    char tz[TZ_MOST];
    int local;
} known[KNOWN];

/* Names stay, as a struct tm points to them. */
static const char *lasting(const char *name)
{
    static char names[NAMES][NAME_MOST];
    static unsigned next;
    for (unsigned i = 0; i < NAMES; i++)
        if (strncmp(names[i], name, NAME_MOST - 1) == 0)
            return names[i];
    char *place = names[next++ % NAMES];
    strncpy(place, name, NAME_MOST - 1);
    return place;
}

static const struct answer *ask(const char *tz, int64_t moment, int local)
{
    static unsigned next;
    struct {
        uint32_t local;
        int64_t moment;
        char tz[TZ_MOST];
    } __attribute__((packed)) request = {(uint32_t)local, moment, ""};
    size_t length = strlen(tz), size = 0;
    for (unsigned i = 0; i < KNOWN; i++) {
        const struct answer *one = &known[i].answer;
        if (one->from <= moment && moment < one->until && known[i].local == local && strcmp(known[i].tz, tz) == 0)
            return one;
    }
    if (length >= TZ_MOST)
        return NULL;
    memcpy(request.tz, tz, length + 1);
    unsigned place = next++ % KNOWN;
    struct answer *answer = &known[place].answer;
    known[place].local = local;
    strcpy(known[place].tz, tz);
    if (wsgi_wasm_call(WASM_HOST_ZONE, &request, 12 + length + 1, answer, sizeof *answer, &size) != 0 ||
        size > sizeof *answer) {
        /* For good: it will not be there the next time either. */
        *answer = (struct answer){INT64_MIN, INT64_MAX, 0, 0, 0, "UTC"};
    }
    return answer;
}

static int is_utc(const char *tz) { return !tz || !*tz || !strcmp(tz, "UTC") || !strcmp(tz, "UTC0"); }

void __secs_to_zone(long long moment, int local, int *summer, int *offset, long *other, const char **name)
{
    const char *tz = getenv("TZ");
    const struct answer *answer = is_utc(tz) ? NULL : ask(tz, moment, local);
    if (summer)
        *summer = answer ? (int)answer->summer : 0;
    if (offset)
        *offset = answer ? answer->offset : 0;
    if (other)
        *other = answer ? answer->other : 0;
    if (name)
        *name = answer ? lasting(answer->name) : __utc;
}

const char *__tm_to_tzname(const struct tm *tm) { return tm->__tm_zone ? tm->__tm_zone : ""; }

void tzset(void)
{
    const time_t quarter = 7889238; /* seconds */
    time_t moment = time(NULL);
    daylight = 0;
    for (int i = 0; i < 4; i++, moment += quarter) {
        int summer, offset;
        const char *name;
        __secs_to_zone(moment, 0, &summer, &offset, NULL, &name);
        if (summer)
            daylight = 1;
        else
            timezone = -(long)offset;
        tzname[summer] = (char *)name;
        if (!daylight)
            tzname[1] = tzname[0];
    }
}
