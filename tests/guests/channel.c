/* Calls the channel by hand: op, request (as text) and room come from the query. `op=flood` asks a million times,
 * `op=far` passes addresses outside the memory. */
#include "guest.h"
#include <stdint.h>
#include <wsgi_wasm/host.h>

static char answer[1 << 20];

__attribute__((import_module("wsgi_wasm_host_1"), import_name("call"))) int32_t raw_call(uint32_t, uint32_t, uint32_t,
                                                                                          uint32_t, uint32_t, uint32_t);

int main(void)
{
    const char *request = asked("request", "");
    size_t size = 0, room = (size_t)asked_number("room", sizeof answer);
    fputs(HEAD, stdout);
    if (asked_is("op", "flood")) {
        long refused = 0;
        for (long i = 0; i < 1000000000; i++)
            refused += wsgi_wasm_call(0x7fff, "", 0, NULL, 0, NULL) != 0;
        printf("refused %ld\n", refused);
    } else if (asked_is("op", "far")) {
        uint32_t last = (uint32_t)__builtin_wasm_memory_size(0) * 65536u, word = 0;
        uint32_t words[][5] = {
            {last - 1, 2, 0, 0, (uint32_t)(uintptr_t)&word},    {0, 0xffffffff, 0, 0, (uint32_t)(uintptr_t)&word},
            {0xffffffff, 1, 0, 0, (uint32_t)(uintptr_t)&word},  {0, 0, last - 1, 2, (uint32_t)(uintptr_t)&word},
            {0, 0, 16, 0xfffffff0, (uint32_t)(uintptr_t)&word}, {0, 0, 0, 0, last - 3},
        };
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            printf("%d ", raw_call(0x500, words[i][0], words[i][1], words[i][2], words[i][3], words[i][4]));
        printf("%d\n", raw_call(0x500, 0, last < 2 << 20 ? last : 2 << 20, 0, 0, (uint32_t)(uintptr_t)&word));
    } else {
        int error = wsgi_wasm_call((uint32_t)asked_number("op", 1), request, strlen(request), answer, room, &size);
        printf("%d %zu ", error, size);
        for (size_t done = 0; !error && done < size; done += room) {
            uint32_t from = (uint32_t)done;
            if (done && (error = wsgi_wasm_call(WASM_HOST_REST, &from, 4, answer, room, NULL)))
                printf("rest %d", error);
            for (size_t i = 0; i < room && done + i < size; i++)
                putchar(answer[i] ? answer[i] : ' ');
        }
        putchar('\n');
    }
    return 0;
}
