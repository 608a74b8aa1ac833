/* The adapter: `wasi:http/types` for one request, on top of what a CGI program has.
 *
 * A guest that exports `wasi:http/incoming-handler` is given this component's exports
 * (adapter.wat). The request comes as arguments, the response's head goes to standard output as a
 * CGI program writes it, and the bodies are the host's own streams: the guest reads standard input
 * and writes standard output itself, and no byte of a body passes here.
 *
 * Exports and imports are those of the canonical ABI (Component Model, CanonicalABI.md): a string
 * or list is an address and a length; what does not fit into one number is returned through memory,
 * laid out as its type is. An instance serves one request, so nothing is freed by itself. A call
 * that keeps nothing in memory gives back what it took.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

/* A string or a list of bytes. */
typedef struct {
    uint8_t *at;
    uint32_t size;
} Text;

#define WORD(literal) ((Text){(uint8_t *)(literal), sizeof(literal) - 1})

typedef int32_t Handle;

/* --- memory.wat --- */

IMPORT("memory", "allocate") void *allocate(uint32_t size);
IMPORT("memory", "release") void release(void); /* give back what this call allocated */
IMPORT("memory", "keep") void keep(void);       /* do not */

/* --- the host --- */

IMPORT("host", "poll") void host_poll(const Handle *pollables, uint32_t count, Text *ready);
IMPORT("host", "ready") int32_t host_ready(Handle pollable);
IMPORT("host", "waits") void host_waits(void); /* the guest is about to wait */
IMPORT("host", "timer") Handle host_timer(uint64_t nanoseconds);
IMPORT("host", "drop-pollable") void host_drop_pollable(Handle pollable);
IMPORT("host", "read") void host_read(Handle stream, uint64_t size, void *got);
IMPORT("host", "drop-input") void host_drop_input(Handle stream);
IMPORT("host", "subscribe") Handle host_subscribe(Handle stream);

/* --- result.c: where results are laid out --- */

typedef union {
    uint8_t bytes[64];
    uint32_t words[16];
    uint64_t longs[8];
} Result;

extern Result result; /* of the call that is running */

Result *zeroed(void);
Result *result_list(const void *at, uint32_t count);    /* list<T> */
Result *result_option_text(bool some, Text text);       /* option<string> */
Result *result_handle(Handle handle);                   /* result<own<T>>, ok */
Result *result_error(void);                             /* result<T>, an error without payload */

/* --- text.c --- */

bool same(Text one, Text other);
bool same_name(Text one, Text other); /* letters of either case are the same */
bool is_token(Text text);             /* RFC 9110 5.6.2 */
bool is_field_value(Text text);       /* RFC 9110 5.5, without folded lines */
bool is_visible(Text text);           /* no space, no control character */

/* --- fields.c --- */

typedef struct Field {
    struct Field *next;
    Text name, value;
} Field;

typedef struct {
    Field *first, **end;
    uint32_t count;
    bool immutable;
} Fields;

Fields *fields_empty(void);
void fields_add(Fields *fields, Text name, Text value);
Handle fields_view(const Fields *fields); /* a handle that cannot change them */
Fields *fields_of(Handle handle);

/* --- request.c, response.c --- */

/* A variant whose last case has a string: `method`, `scheme`. */
typedef struct {
    uint32_t which;
    Text other;
} Named;

enum { METHOD_GET = 0, METHOD_POST = 2, METHOD_OTHER = 9, SCHEME_HTTP = 0, SCHEME_HTTPS = 1 };

Result *result_named(Named named);                     /* variant */
Result *result_option_named(bool some, Named named);   /* option<variant> */

struct Response;

/* An `outgoing-body` or `incoming-body`. */
typedef struct {
    struct Response *response; /* that it belongs to, if it is the one to the client */
    /* the host's own body, if it belongs to a request of the guest's own */
    Handle native;
    bool outbound;             /* whether it does */
    bool taken;                /* its stream has been handed out */
} Body;

Handle outgoing_body(struct Response *response, Handle native);
Handle incoming_body(Handle native);

/* --- outbound.c or refuse.c: bodies of the guest's own requests --- */

enum { DENIED = 15, BODY_SIZE = 17 }; /* error-code: HTTP-request-denied, HTTP-request-body-size */

bool outbound_write(Handle body, Handle *stream);
Result *outbound_finish(Handle body);
Handle outbound_stream(Handle body); /* 0 where it has been taken */
Handle outbound_trailers(Handle body);
Handle outbound_trailers_subscribe(Handle trailers);
Result *outbound_trailers_get(Handle trailers);
