/* Writes `bytes=` bytes of body (default 100 MB), `each=` of them per write (default 65536; 1 is the worst case).
 * where=head: a head without end instead. */
#include "guest.h"

int main(void)
{
    static char piece[65536];
    long long left = asked_number("bytes", 100000000), each = asked_number("each", sizeof piece);
    if (each < 1 || each > (long long)sizeof piece)
        each = sizeof piece;
    memset(piece, 'x', sizeof piece);
    for (size_t i = 63; i < sizeof piece; i += 64)
        piece[i] = '\n';
    if (asked_is("where", "head"))
        dprintf(1, "X-Long: ");
    else
        dprintf(1, HEAD);
    while (left > 0) {
        ssize_t sent = write(1, piece, (size_t)(left < each ? left : each));
        if (sent < 0) {
            fprintf(stderr, "write: %s\n", error_name(errno));
            return 1;
        }
        left -= sent;
    }
    return 0;
}
