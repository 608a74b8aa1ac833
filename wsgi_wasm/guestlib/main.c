/* Calls a `main` that has not one of the two forms which the compiler knows: `envp`, no result, one
 * parameter. Compiled for the program that has it, with
 *
 *   -DNAME="main"         the symbol
 *   -DPARAMETERS=0..3     how many of argc, argv and envp it takes
 *   -DRESULT=0|1          whether it gives a status
 */
#include <stddef.h>
#include <stdlib.h>
#include <sysexits.h>
#include <wasi/api.h>

extern char **environ;

#if RESULT
#define RETURNS int
#define CALL(...) return theirs(__VA_ARGS__)
#else
#define RETURNS void
#define CALL(...) return theirs(__VA_ARGS__), 0
#endif

#if PARAMETERS == 0
RETURNS theirs(void) __asm__(NAME);
#elif PARAMETERS == 1
RETURNS theirs(int) __asm__(NAME);
#elif PARAMETERS == 2
RETURNS theirs(int, char **) __asm__(NAME);
#else
RETURNS theirs(int, char **, char **) __asm__(NAME);
#endif

int __main_void(void)
{
    size_t count = 0, size = 0;
    if (__wasi_args_sizes_get(&count, &size) != __WASI_ERRNO_SUCCESS)
        _Exit(EX_OSERR);
    char **arguments = calloc(count + 1, sizeof *arguments), *words = malloc(size + 1);
    if (!arguments || !words)
        _Exit(EX_SOFTWARE);
    if (__wasi_args_get((uint8_t **)arguments, (uint8_t *)words) != __WASI_ERRNO_SUCCESS)
        _Exit(EX_OSERR);
#if PARAMETERS == 0
    CALL();
#elif PARAMETERS == 1
    CALL((int)count);
#elif PARAMETERS == 2
    CALL((int)count, arguments);
#else
    CALL((int)count, arguments, environ);
#endif
}
