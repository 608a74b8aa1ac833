/* The request: `incoming-request`, `incoming-body`, `future-trailers`.
 *
 * It comes as arguments: method, path and query, scheme, authority, then name and value of each
 * header field. Values are bytes, which the host could not hand over as text: byte N came as
 * character N, and is one byte again here.
 */
#include "adapter.h"

typedef struct {
    Named method, scheme;
    Text target, authority;
    Fields *headers;
    bool consumed;
} Request;

typedef struct {
    bool taken;
    Handle native; /* the host's own, of an answer to the guest's own request */
} Trailers;

IMPORT("host", "arguments") void host_arguments(Text *list);
IMPORT("host", "stdin") Handle host_stdin(void);
IMPORT("resource", "new-incoming-request") Handle new_incoming_request(Request *request);
IMPORT("resource", "new-incoming-body") Handle new_incoming_body(Body *body);
IMPORT("resource", "rep-incoming-body") Body *incoming_body_rep(Handle handle);
IMPORT("resource", "new-future-trailers") Handle new_future_trailers(Trailers *trailers);

static Text bytes_of(Text text) {
    uint8_t *to = text.at;
    for (uint32_t i = 0; i < text.size; i++) {
        uint8_t c = text.at[i];
        if (c >= 0xc2 && c <= 0xc3 && i + 1 < text.size)
            *to++ = (uint8_t)(c << 6) | (text.at[++i] & 63);
        else
            *to++ = c;
    }
    text.size = to - text.at;
    return text;
}

static Named method_of(Text text) {
    static const Text methods[METHOD_OTHER] = {
        WORD("GET"),     WORD("HEAD"),    WORD("POST"),  WORD("PUT"),   WORD("DELETE"),
        WORD("CONNECT"), WORD("OPTIONS"), WORD("TRACE"), WORD("PATCH"),
    };
    uint32_t which = 0;
    while (which < METHOD_OTHER && !same(text, methods[which]))
        which++;
    return (Named){which, text};
}

EXPORT("request") Handle take_request(void) {
    Text list;
    host_arguments(&list);
    const Text *arguments = (Text *)list.at;
    if (list.size < 4)
        __builtin_trap();
    Request *request = allocate(sizeof *request);
    *request = (Request){
        .method = method_of(arguments[0]),
        .target = arguments[1],
        .scheme = {same(arguments[2], WORD("https")) ? SCHEME_HTTPS : SCHEME_HTTP, {0, 0}},
        .authority = arguments[3],
        .headers = fields_empty(),
    };
    for (uint32_t i = 4; i + 1 < list.size; i += 2)
        fields_add(request->headers, arguments[i], bytes_of(arguments[i + 1]));
    keep();
    return new_incoming_request(request);
}

EXPORT("incoming-request.method") Result *request_method(const Request *request) {
    return result_named(request->method);
}

EXPORT("incoming-request.path-with-query") Result *request_target(const Request *request) {
    return result_option_text(true, request->target);
}

EXPORT("incoming-request.scheme") Result *request_scheme(const Request *request) {
    return result_option_named(true, request->scheme);
}

EXPORT("incoming-request.authority") Result *request_authority(const Request *request) {
    return result_option_text(request->authority.size > 0, request->authority);
}

EXPORT("incoming-request.headers") Handle request_headers(const Request *request) {
    return fields_view(request->headers);
}

EXPORT("incoming-request.consume") Result *request_consume(Request *request) {
    if (request->consumed)
        return result_error();
    request->consumed = true;
    return result_handle(incoming_body(0));
}

Handle incoming_body(Handle native) {
    Body *body = allocate(sizeof *body);
    *body = (Body){.native = native, .outbound = native != 0};
    keep();
    return new_incoming_body(body);
}

EXPORT("incoming-body.stream") Result *body_stream(Body *body) {
    if (body->taken)
        return result_error();
    body->taken = true;
    return result_handle(body->outbound ? outbound_stream(body->native) : host_stdin());
}

/* Trailers of a request are the server's: there are none here. */
EXPORT("incoming-body.finish") Handle body_finish(Handle handle) {
    Body *body = incoming_body_rep(handle);
    Trailers *trailers = allocate(sizeof *trailers);
    *trailers = (Trailers){.native = body->outbound ? outbound_trailers(body->native) : 0};
    keep();
    return new_future_trailers(trailers);
}

EXPORT("future-trailers.subscribe") Handle trailers_subscribe(const Trailers *trailers) {
    return trailers->native ? outbound_trailers_subscribe(trailers->native) : host_timer(0);
}

EXPORT("future-trailers.get") Result *trailers_get(Trailers *trailers) {
    /* option<result<result<option<trailers>, error-code>>>, each layer aligned to 8: some, then ok
     * and ok and none, or an error where they have been taken. */
    if (trailers->native)
        return outbound_trailers_get(trailers->native);
    zeroed()->bytes[0] = 1;
    result.bytes[8] = trailers->taken;
    trailers->taken = true;
    return &result;
}
