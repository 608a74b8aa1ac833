/* Runs the program PATH.program for a script PATH, and then reads what is left of the request body. mod_cgid breaks an
 * answer off when a program that does not want its body ends before the body was written to it. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char path[4096], rest[4096];
    int status;
    (void)argc;
    snprintf(path, sizeof path, "%s.program", argv[0]);
    pid_t child = fork();
    if (child == 0) {
        execv(path, argv);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return 127;
    while (read(0, rest, sizeof rest) > 0)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
