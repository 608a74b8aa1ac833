/* Prints the file that `case=` names in the directory CORPUS, head and all, byte for byte; then exits with `exit=`.
 * The corpus of answers goes through Apache's own CGI and through the gateway by the same program. */
#include <fcntl.h>

#include "guest.h"

int main(void)
{
    char path[1024], piece[4096];
    const char *corpus = getenv("CORPUS"), *name = asked("case", "");
    ssize_t got;
    if (!corpus || !*name || *name == '.' || strchr(name, '/'))
        return 3;
    snprintf(path, sizeof path, "%s/%s", corpus, name);
    int file = open(path, O_RDONLY);
    if (file < 0) {
        fprintf(stderr, "%s: %s\n", path, error_name(errno));
        return 3;
    }
    while ((got = read(file, piece, sizeof piece)) > 0)
        for (ssize_t sent = 0, more; sent < got; sent += more)
            if ((more = write(1, piece + sent, (size_t)(got - sent))) < 0)
                return 4;
    return (int)asked_number("exit", 0);
}
