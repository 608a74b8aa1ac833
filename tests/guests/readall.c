/* Reads standard input: `n=` bytes, or all of it by default, then `again=` times past the end (default 3).
 * n=0&again=0 leaves the body unread. Prints what each read gave. */
#include "guest.h"

int main(void)
{
    char piece[4096];
    long long left = asked_number("n", -1), total = 0;
    ssize_t got = 1;
    while (left != 0 && (got = read(0, piece, left > 0 && left < 4096 ? (size_t)left : sizeof piece)) > 0) {
        total += got;
        if (left > 0)
            left -= got;
    }
    printf(HEAD "read %lld\n", total);
    for (long long again = asked_number("again", 3); again > 0; again--)
        printf("then %ld\n", (long)read(0, piece, sizeof piece));
    return 0;
}
