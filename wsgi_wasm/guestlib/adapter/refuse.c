/* `outgoing-handler` for guests that have no business outside: every request is denied. A guest may
 * still make them. */
#include "outgoing.h"

Handle outbound_body(Outgoing *request) {
    (void)request;
    return 0;
}

bool outbound_write(Handle body, Handle *stream) {
    (void)body, (void)stream;
    return false;
}

Result *outbound_finish(Handle body) {
    (void)body;
    return zeroed();
}

Handle outbound_stream(Handle body) {
    (void)body;
    return 0;
}

Handle outbound_trailers(Handle body) {
    (void)body;
    return 0;
}

Handle outbound_trailers_subscribe(Handle trailers) {
    (void)trailers;
    return 0;
}

Result *outbound_trailers_get(Handle trailers) {
    (void)trailers;
    return zeroed();
}

EXPORT("handle") Result *handle(Handle request, bool has_options, Handle options) {
    (void)request, (void)has_options, (void)options;
    zeroed()->bytes[0] = 1;
    result.bytes[8] = DENIED;
    return &result;
}

/* No guest has one of these, as no request is answered. */
EXPORT("incoming-response.status") uint32_t answer_status(const void *answer) {
    (void)answer;
    __builtin_trap();
}

EXPORT("incoming-response.headers") Handle answer_headers(const void *answer) {
    (void)answer;
    __builtin_trap();
}

EXPORT("incoming-response.consume") Result *answer_consume(const void *answer) {
    (void)answer;
    __builtin_trap();
}

EXPORT("future-incoming-response.subscribe") Handle future_subscribe(const void *future) {
    (void)future;
    __builtin_trap();
}

EXPORT("future-incoming-response.get") Result *future_get(const void *future) {
    (void)future;
    __builtin_trap();
}
