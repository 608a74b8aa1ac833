/* The arguments, each on a line in brackets. */
#include "guest.h"

int main(int argc, char **argv)
{
    printf(HEAD "%d\n", argc);
    for (int i = 0; i < argc; i++)
        printf("[%s]\n", argv[i]);
    return 0;
}
