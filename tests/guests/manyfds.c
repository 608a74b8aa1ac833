/* Opens `path=` until that fails or `most=` times, prints how often it worked and the error, and leaves all of it open. */
#include <fcntl.h>

#include "guest.h"

int main(void)
{
    const char *path = asked("path", "/data");
    long long count = 0, most = asked_number("most", 2000000);
    int last = 0;
    while (count < most && (last = open(path, O_RDONLY)) >= 0)
        count++;
    int error = last < 0 ? errno : 0;
    printf(HEAD "%lld %s\n", count, error_name(error));
    return 0;
}
