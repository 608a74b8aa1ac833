/* `outgoing-handler` for guests that make requests: Wasmtime's own client, which connects to the
 * gateway alone.
 *
 * Each request is put to the gateway first (`admit`), with where it is to go. The answer is the
 * gateway's own address and a word that stands for the destination; the word goes before the path,
 * and the request to that address. There the gateway resolves the name, looks at what it resolves
 * to, connects and passes the bytes on. Bodies are the host's own streams in both directions. What
 * goes wrong before there is an answer comes as one with the status 599 and the same word in a
 * field, which no server outside has seen.
 */
#include "outgoing.h"

#define NATIVE(name) IMPORT("native", name)

NATIVE("admit") void admit(const uint8_t *scheme, uint32_t scheme_size, const uint8_t *at, uint32_t size, Result *admitted);
NATIVE("from-list") void native_fields(const Text *entries, uint32_t count, Result *fields);
NATIVE("entries") void native_entries(Handle fields, Text *list);
NATIVE("request") Handle native_request(Handle headers);
NATIVE("body") void native_body(Handle request, Result *body);
NATIVE("set-method") bool native_set_method(Handle request, uint32_t which, const uint8_t *at, uint32_t size);
NATIVE("set-target") bool native_set_target(Handle request, int32_t some, const uint8_t *at, uint32_t size);
NATIVE("set-scheme") bool native_set_scheme(Handle request, int32_t some, uint32_t which, const uint8_t *at, uint32_t size);
NATIVE("set-authority") bool native_set_authority(Handle request, int32_t some, const uint8_t *at, uint32_t size);
NATIVE("options") Handle native_options(void);
NATIVE("set-first") bool native_set_first(Handle options, int32_t some, uint64_t nanoseconds);
NATIVE("set-between") bool native_set_between(Handle options, int32_t some, uint64_t nanoseconds);
NATIVE("write") void native_write(Handle body, Result *stream);
NATIVE("finish") void native_finish(Handle body, int32_t has_trailers, Handle trailers, Result *error);
NATIVE("status") uint32_t native_status(Handle answer);
NATIVE("headers") Handle native_headers(Handle answer);
NATIVE("consume") void native_consume(Handle answer, Result *body);
NATIVE("stream") void native_stream(Handle body, Result *stream);
NATIVE("body-finish") Handle native_body_finish(Handle body);
NATIVE("trailers-subscribe") Handle native_trailers_subscribe(Handle trailers);
NATIVE("trailers-get") void native_trailers_get(Handle trailers, Result *got);
NATIVE("subscribe") Handle native_subscribe(Handle future);
NATIVE("get") void native_get(Handle future, Result *got);
NATIVE("handle") void native_handle(Handle request, int32_t has_options, Handle options, Result *future);
NATIVE("drop-fields") void native_drop_fields(Handle fields);
NATIVE("drop-response") void native_drop_response(Handle answer);

typedef struct {
    Handle native;
    Fields *headers;
    bool consumed;
} Answer;

typedef struct {
    Handle native;
    uint32_t error; /* the case of error-code where there is no native future */
    Text word;
    bool taken;
} Future;

NATIVE("new-incoming-response") Handle new_incoming_response(Answer *answer);
NATIVE("new-future") Handle new_future(Future *future);
NATIVE("rep-outgoing-request") Outgoing *outgoing_request_rep(Handle handle);
NATIVE("rep-request-options") Options *request_options_rep(Handle handle);

enum { URI_INVALID = 19, PROTOCOL_ERROR = 35, INTERNAL_ERROR = 38 }; /* of error-code */

static const Text error_field = WORD("wsgi-wasm-error"), length_field = WORD("wsgi-wasm-length");

/* --- making the host's own request --- */

/* The length of a body goes under another name, so that the host's client takes it for one of
 * unknown length: of others it drops its end as soon as they are whole, and guests that look at the
 * stream once more find it closed. */
static Handle request_of(Outgoing *request) {
    if (request->native)
        return request->native;
    Text *entries = allocate(2 * request->headers->count * sizeof *entries);
    uint32_t count = 0;
    for (Field *field = request->headers->first; field && count < request->headers->count; field = field->next) {
        entries[2 * count] = same_name(field->name, WORD("content-length")) ? length_field : field->name;
        entries[2 * count + 1] = field->value;
        count++;
    }
    Result fields;
    native_fields(entries, count, &fields);
    if (fields.bytes[0])
        __builtin_trap(); /* they have been checked as the host checks them */
    request->native = native_request(fields.words[1]);
    return request->native;
}

Handle outbound_body(Outgoing *request) {
    Result body;
    native_body(request_of(request), &body);
    keep();
    return body.bytes[0] ? 0 : (Handle)body.words[1];
}

bool outbound_write(Handle body, Handle *stream) {
    Result got;
    native_write(body, &got);
    *stream = got.words[1];
    return !got.bytes[0];
}

Result *outbound_finish(Handle body) {
    native_finish(body, 0, 0, zeroed());
    return &result;
}

static Text joined(Text one, Text two, Text three) {
    Text text = {allocate(one.size + two.size + three.size), one.size + two.size + three.size};
    __builtin_memcpy(text.at, one.at, one.size);
    __builtin_memcpy(text.at + one.size, two.at, two.size);
    __builtin_memcpy(text.at + one.size + two.size, three.at, three.size);
    return text;
}

/* The case of error-code for which the request cannot go out, or 0. */
static uint32_t prepare(Outgoing *request, Future *future) {
    static const Text schemes[] = {WORD("http"), WORD("https")};
    Named scheme = request->has_scheme ? request->scheme : (Named){SCHEME_HTTPS, {0, 0}};
    Text name = scheme.which <= SCHEME_HTTPS ? schemes[scheme.which] : scheme.other;
    Text authority = request->has_authority ? request->authority : (Text){0, 0};
    Result admitted;
    admit(name.at, name.size, authority.at, authority.size, &admitted);
    if (admitted.bytes[0])
        return admitted.bytes[4];
    Text address = {(uint8_t *)admitted.words[1], admitted.words[2]};
    future->word = (Text){(uint8_t *)admitted.words[3], admitted.words[4]};
    Text target = request->has_target && request->target.size ? request->target : WORD("/");
    /* A GET has no body for the host's client, which drops its end of one at once: see above. A
     * full stop behind the word tells the forwarder what the request really is. */
    bool gets = request->method.which == METHOD_GET && request->has_body;
    Text word = gets ? joined(future->word, WORD("."), WORD("")) : future->word;
    Text path = joined(WORD("/"), word, target.at[0] == '/' ? target : joined(WORD("/"), target, WORD("")));
    Handle native = request_of(request);
    Named method = gets ? (Named){METHOD_POST, {0, 0}} : request->method;
    if (native_set_method(native, method.which, method.other.at, method.other.size) ||
        native_set_scheme(native, 1, SCHEME_HTTP, 0, 0) ||
        native_set_authority(native, 1, address.at, address.size) || native_set_target(native, 1, path.at, path.size))
        return URI_INVALID;
    return 0;
}

static Handle options_of(const Options *options) {
    Handle native = native_options();
    native_set_first(native, options->first_byte.set, options->first_byte.nanoseconds);
    native_set_between(native, options->between_bytes.set, options->between_bytes.nanoseconds);
    return native;
}

/* A request that is refused has an answer all the same: a future of the error, as Spin has it. */
EXPORT("handle") Result *handle(Handle request, bool has_options, Handle options) {
    Outgoing *outgoing = outgoing_request_rep(request);
    Future *future = allocate(sizeof *future);
    *future = (Future){0};
    future->error = prepare(outgoing, future);
    if (!future->error) {
        native_handle(outgoing->native, has_options, has_options ? options_of(request_options_rep(options)) : 0, zeroed());
        if (result.bytes[0]) {
            keep();
            return &result; /* the host's own error, which is laid out alike */
        }
        future->native = result.words[2];
    }
    keep();
    zeroed();
    result.words[2] = new_future(future); /* the other case is aligned to 8 */
    return &result;
}

/* --- the answer --- */

static Fields *fields_from(Handle native) {
    Text list;
    native_entries(native, &list);
    native_drop_fields(native);
    Fields *fields = fields_empty();
    const Text *entries = (Text *)list.at;
    for (uint32_t i = 0; i < list.size; i++)
        fields_add(fields, entries[2 * i], entries[2 * i + 1]);
    return fields;
}

EXPORT("future-incoming-response.subscribe") Handle future_subscribe(const Future *future) {
    return future->native ? native_subscribe(future->native) : host_timer(0);
}

/* The number of the error that the gateway says, or -1 where the answer is a server's. */
static int32_t gateway_error(const Fields *fields, Text word) {
    for (Field *field = fields->first; field; field = field->next) {
        Text value = field->value;
        if (!same_name(field->name, error_field) || value.size < word.size + 2)
            continue;
        Text begins = {value.at, word.size};
        if (same(begins, word)) {
            int32_t code = 0;
            for (uint32_t i = word.size + 1; i < value.size; i++)
                code = code * 10 + value.at[i] - '0';
            return code;
        }
    }
    return -1;
}

/* option<result<result<incoming-response, error-code>>>: some at 0, the results at 8 and 16, what
 * they hold at 24. */
static Result *got_error(uint32_t code) {
    zeroed()->bytes[0] = 1;
    result.bytes[16] = 1;
    result.bytes[24] = code;
    return &result;
}

EXPORT("future-incoming-response.get") Result *future_get(Future *future) {
    if (!future->native) {
        Result *got = got_error(future->error);
        got->bytes[8] = future->taken;
        future->taken = true;
        return got;
    }
    native_get(future->native, zeroed());
    if (!result.bytes[0] || result.bytes[8] || result.bytes[16]) {
        keep();
        return &result;
    }
    Handle native = result.words[6];
    Fields *fields = fields_from(native_headers(native));
    int32_t error = native_status(native) == 599 ? gateway_error(fields, future->word) : -1;
    if (error >= 0) {
        native_drop_response(native);
        release();
        return got_error(error);
    }
    Answer *answer = allocate(sizeof *answer);
    *answer = (Answer){.native = native, .headers = fields};
    keep();
    zeroed()->bytes[0] = 1;
    result.words[6] = new_incoming_response(answer);
    return &result;
}

EXPORT("incoming-response.status") uint32_t answer_status(const Answer *answer) {
    return native_status(answer->native);
}

EXPORT("incoming-response.headers") Handle answer_headers(const Answer *answer) {
    return fields_view(answer->headers);
}

EXPORT("incoming-response.consume") Result *answer_consume(Answer *answer) {
    if (answer->consumed)
        return result_error();
    answer->consumed = true;
    Result body;
    native_consume(answer->native, &body);
    return body.bytes[0] ? result_error() : result_handle(incoming_body(body.words[1]));
}

Handle outbound_stream(Handle body) {
    Result stream;
    native_stream(body, &stream);
    if (stream.bytes[0])
        __builtin_trap(); /* it is asked for once */
    return stream.words[1];
}

Handle outbound_trailers(Handle body) {
    return native_body_finish(body);
}

Handle outbound_trailers_subscribe(Handle trailers) {
    return native_trailers_subscribe(trailers);
}

Result *outbound_trailers_get(Handle trailers) {
    /* option<result<result<option<trailers>, error-code>>>: the option at 24, its handle at 28. */
    native_trailers_get(trailers, zeroed());
    if (result.bytes[0] && !result.bytes[8] && !result.bytes[16] && result.bytes[24]) {
        Handle native = result.words[7];
        Result kept = result;
        kept.words[7] = fields_view(fields_from(native));
        result = kept;
    }
    keep();
    return &result;
}
