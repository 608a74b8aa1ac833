/* Calls the host with what it must refuse, one `call=` at a time, and prints the error number; the process of the server
 * must not notice. A call that traps the guest instead is as good. */
#include <stdint.h>
#include <wasi/api.h>

#include "guest.h"

#define OUTSIDE ((void *)(uintptr_t)0xfffffff0u)
static char text[] = "text\n";

static int act(const char *call)
{
    __wasi_ciovec_t one = {.buf = (uint8_t *)text, .buf_len = 5};
    __wasi_ciovec_t outside = {.buf = OUTSIDE, .buf_len = 64}, endless = {.buf = (uint8_t *)text, .buf_len = 0xffffffffu};
    static __wasi_ciovec_t several[2000];
    __wasi_size_t size = 0;
    __wasi_timestamp_t time = 0;
    __wasi_fd_t fd = 0;
#define CALL(name) if (strcmp(call, name) == 0) return
    for (size_t i = 0; i < 2000; i++)
        several[i] = (__wasi_ciovec_t){.buf = (uint8_t *)text, .buf_len = 5};
    CALL("write-badfd") __wasi_fd_write(99, &one, 1, &size);
    CALL("write-negative") __wasi_fd_write(-1, &one, 1, &size);
    CALL("write-stdin") __wasi_fd_write(0, &one, 1, &size);
    CALL("write-none") __wasi_fd_write(1, &one, 0, &size);
    CALL("write-empty") __wasi_fd_write(1, &(__wasi_ciovec_t){.buf = (uint8_t *)text, .buf_len = 0}, 1, &size);
    CALL("write-many") __wasi_fd_write(1, several, 2000, &size);
    CALL("write-outside") __wasi_fd_write(1, &outside, 1, &size);
    CALL("write-endless") __wasi_fd_write(1, &endless, 1, &size);
    CALL("write-half") __wasi_fd_write(1, (__wasi_ciovec_t[]){one, outside}, 2, &size);
    CALL("iovecs-outside") __wasi_fd_write(1, OUTSIDE, 4, &size);
    CALL("iovecs-count") __wasi_fd_write(1, &one, 0xffffffffu, &size);
    CALL("iovecs-unaligned") __wasi_fd_write(1, (void *)((char *)&one + 1), 1, &size);
    CALL("result-outside") __wasi_fd_write(1, &one, 1, OUTSIDE);
    CALL("read-outside") __wasi_fd_read(0, (const __wasi_iovec_t *)&outside, 1, &size);
    CALL("pwrite") __wasi_fd_pwrite(1, &one, 1, 0, &size);
    CALL("clock") __wasi_clock_time_get((__wasi_clockid_t)77, 0, &time);
    CALL("cpu-clock") __wasi_clock_time_get(__WASI_CLOCKID_PROCESS_CPUTIME_ID, 0, &time);
    CALL("resolution") __wasi_clock_res_get((__wasi_clockid_t)77, &time);
    CALL("random") __wasi_random_get((uint8_t *)text, 0x7fffffff);
    CALL("random-outside") __wasi_random_get(OUTSIDE, 64);
    CALL("random-none") __wasi_random_get((uint8_t *)text, 0);
    CALL("args-outside") __wasi_args_get(OUTSIDE, OUTSIDE);
    CALL("environ-outside") __wasi_environ_get(OUTSIDE, OUTSIDE);
    CALL("renumber") __wasi_fd_renumber(-1, -2);
    CALL("close") __wasi_fd_close(99);
    CALL("open") __wasi_path_open(3, 0, OUTSIDE, 0, 0, 0, 0, &fd);
    return -1;
}

int main(void)
{
    const char *call = asked("call", "");
    fputs(HEAD, stdout);
    fflush(stdout);
    int error = act(call);
    printf("%s %d\n", call, error);
    return 0;
}
