/* Local time of `t=`, and of what mktime makes of that again; and what tzset finds. `n=` times instead: the sum of the
 * hours, for as many days from `t=` on. */
#include <time.h>

#include "guest.h"

int main(void)
{
    char text[100];
    time_t moment = asked_number("t", 0);
    fputs(HEAD, stdout);
    if (asked_number("n", 0)) {
        long long hours = 0;
        for (long long left = asked_number("n", 0); left; left--, moment += 86400)
            hours += localtime(&moment)->tm_hour;
        printf("%lld\n", hours);
        return 0;
    }
    struct tm *local = localtime(&moment);
    if (!local) {
        puts("none");
        return 0;
    }
    struct tm again = *local;
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z %z", local);
    printf("%s %d", text, local->tm_isdst);
    printf(" %lld", (long long)mktime(&again) - moment);
    again = *local;
    again.tm_isdst = -1;
    printf(" %lld\n", (long long)mktime(&again) - moment);
    tzset();
    printf("%s %s %ld %d\n", tzname[0], tzname[1], timezone, daylight);
    return 0;
}
