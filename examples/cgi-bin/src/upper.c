/* A filter: the body comes back with its ASCII letters in upper case. Works for bodies of any size and content. */
#include <stdio.h>

int main(void)
{
    static char piece[65536];
    size_t length;
    fputs("Content-Type: text/plain; charset=utf-8\r\n\r\n", stdout);
    while ((length = fread(piece, 1, sizeof piece, stdin)) > 0) {
        for (size_t i = 0; i < length; i++)
            if (piece[i] >= 'a' && piece[i] <= 'z')
                piece[i] = (char)(piece[i] - 'a' + 'A');
        fwrite(piece, 1, length, stdout);
    }
    return 0;
}
