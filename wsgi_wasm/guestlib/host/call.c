/* The one import of the channel. */
#include <wsgi_wasm/host.h>

__attribute__((import_module("wsgi_wasm_host_1"), import_name("call"))) int32_t
wsgi_wasm_host_1_call(uint32_t operation, const void *request, uint32_t request_size, void *answer, uint32_t room,
                      uint32_t *size);

int wsgi_wasm_call(uint32_t operation, const void *request, size_t request_size, void *answer, size_t room,
                   size_t *size)
{
    uint32_t whole = 0;
    int error = wsgi_wasm_host_1_call(operation, request, request_size, answer, room, &whole);
    if (size)
        *size = whole;
    return error;
}
