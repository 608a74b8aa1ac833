/* A handler of wasi:http in C, without a library: a POST's body comes back in capitals, as it is read.
 *
 * Each function of the interface is imported under a short name that upper.wat gives it. Texts and lists are an address
 * and a length; a result that does not fit into one number is written to memory (Component Model, CanonicalABI.md).
 */
#include <stdint.h>

#define HOST(name) __attribute__((import_module("host"), import_name(name)))

typedef union {
    struct {
        uint8_t is_error;
        uint32_t handle; /* or the address of a list, whose size is next */
        uint32_t size;
    };
    uint64_t whole[5]; /* what `finish` writes if it fails is as large as that */
} Result;

HOST("method") void method_of(int32_t request, Result *method);
HOST("consume") void consume(int32_t request, Result *body);
HOST("incoming-stream") void incoming_stream(int32_t body, Result *stream);
HOST("read") void read_some(int32_t stream, uint64_t most, Result *bytes);
HOST("fields") int32_t new_fields(void);
HOST("append") void append(int32_t fields, const char *name, uint32_t name_size, const char *value, uint32_t size, Result *);
HOST("response") int32_t new_response(int32_t fields);
HOST("response-body") void response_body(int32_t response, Result *body);
HOST("set") void set(int32_t outparam, int32_t is_error, int32_t response, int32_t, uint64_t, int32_t, int32_t, int32_t,
                     int32_t);
HOST("outgoing-stream") void outgoing_stream(int32_t body, Result *stream);
HOST("write") void write_some(int32_t stream, const void *bytes, uint32_t size, Result *);
HOST("finish") void finish(int32_t body, int32_t has_trailers, int32_t trailers, Result *);
HOST("drop-input") void drop_input(int32_t stream);
HOST("drop-output") void drop_output(int32_t stream);

enum { GET = 0, PIECE = 4096 }; /* a write takes at most 4096 bytes */

static uint8_t piece[PIECE];

/* Where the host puts what it returns; the next call may overwrite it. */
__attribute__((export_name("realloc"))) void *host_realloc(void *old, uint32_t old_size, uint32_t align, uint32_t size) {
    (void)old, (void)old_size, (void)align;
    if (size > PIECE)
        __builtin_trap();
    return piece;
}

static void answer(int32_t stream, const char *text, uint32_t size) {
    Result written;
    write_some(stream, text, size, &written);
}

static void capitals(int32_t request, int32_t stream) {
    Result got, written;
    consume(request, &got);
    incoming_stream(got.handle, &got);
    int32_t from = got.handle;
    for (;;) {
        read_some(from, PIECE, &got);
        if (got.is_error) /* the end of the body, too */
            break;
        uint8_t *bytes = (uint8_t *)got.handle;
        for (uint32_t i = 0; i < got.size; i++)
            if (bytes[i] >= 'a' && bytes[i] <= 'z')
                bytes[i] -= 'a' - 'A';
        write_some(stream, bytes, got.size, &written);
    }
    drop_input(from);
}

__attribute__((export_name("handle"))) void handle(int32_t request, int32_t outparam) {
    static const char usage[] = "POST something\n";
    Result got;
    int32_t fields = new_fields();
    append(fields, "content-type", 12, "text/plain", 10, &got);
    int32_t response = new_response(fields);
    response_body(response, &got);
    int32_t body = got.handle;
    set(outparam, 0, response, 0, 0, 0, 0, 0, 0);
    outgoing_stream(body, &got);
    int32_t stream = got.handle;
    method_of(request, &got);
    if (got.is_error == GET) /* where a variant has its case */
        answer(stream, usage, sizeof usage - 1);
    else
        capitals(request, stream);
    drop_output(stream);
    finish(body, 0, 0, &got);
}
