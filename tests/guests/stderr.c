/* Writes to standard error as `kind=` says: lines (n=), flood (bytes=, one line), control characters, partial (no newline
 * at the end). Answers "done" on standard output. */
#include "guest.h"

int main(void)
{
    fputs(HEAD "done\n", stdout);
    if (asked_is("kind", "flood")) {
        static char piece[65536];
        memset(piece, 'e', sizeof piece);
        for (long long left = asked_number("bytes", 10000000); left > 0; left -= (long long)sizeof piece)
            fwrite(piece, 1, left < (long long)sizeof piece ? (size_t)left : sizeof piece, stderr);
    } else if (asked_is("kind", "control")) {
        static const char text[] = "red \033[31mtext\033[0m, bell \a, nul \0, return \r, bytes \xff\xfe, tab \t\n";
        fwrite(text, 1, sizeof text - 1, stderr);
    } else if (asked_is("kind", "partial")) {
        fputs("whole line\nno newline", stderr);
    } else {
        for (long long line = 1, lines = asked_number("n", 2); line <= lines; line++)
            fprintf(stderr, "line %lld\n", line);
    }
    return 0;
}
