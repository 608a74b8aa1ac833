/* The guest's own requests while they are made: `outgoing-request` and `request-options`. */
#include "outgoing.h"

IMPORT("resource", "new-outgoing-request") Handle new_outgoing_request(Outgoing *request);
IMPORT("resource", "new-request-options") Handle new_request_options(Options *options);

EXPORT("outgoing-request") Handle outgoing_constructor(Handle headers) {
    Outgoing *request = allocate(sizeof *request);
    *request = (Outgoing){.headers = fields_of(headers)};
    keep();
    return new_outgoing_request(request);
}

EXPORT("outgoing-request.body") Result *outgoing_take_body(Outgoing *request) {
    if (request->has_body)
        return result_error();
    request->has_body = true;
    return result_handle(outgoing_body(0, outbound_body(request)));
}

EXPORT("outgoing-request.method") Result *outgoing_method(const Outgoing *request) {
    return result_named(request->method);
}

/* Each setter returns whether the value is refused. */
static bool refuse(void) {
    release();
    return true;
}

static bool take(void) {
    keep();
    return false;
}

EXPORT("outgoing-request.set-method")
bool outgoing_set_method(Outgoing *request, uint32_t which, uint8_t *at, uint32_t size) {
    Named method = {which, {at, size}};
    if (which == METHOD_OTHER && !is_token(method.other))
        return refuse();
    request->method = method;
    return take();
}

EXPORT("outgoing-request.path-with-query") Result *outgoing_target(const Outgoing *request) {
    return result_option_text(request->has_target, request->target);
}

EXPORT("outgoing-request.set-path-with-query")
bool outgoing_set_target(Outgoing *request, bool some, uint8_t *at, uint32_t size) {
    Text target = {at, size};
    if (some && !is_visible(target))
        return refuse();
    request->has_target = some;
    request->target = target;
    return take();
}

EXPORT("outgoing-request.scheme") Result *outgoing_scheme(const Outgoing *request) {
    return result_option_named(request->has_scheme, request->scheme);
}

EXPORT("outgoing-request.set-scheme")
bool outgoing_set_scheme(Outgoing *request, bool some, uint32_t which, uint8_t *at, uint32_t size) {
    Named scheme = {which, {at, size}};
    if (some && which > SCHEME_HTTPS && !is_token(scheme.other))
        return refuse();
    request->has_scheme = some;
    request->scheme = scheme;
    return take();
}

EXPORT("outgoing-request.authority") Result *outgoing_authority(const Outgoing *request) {
    return result_option_text(request->has_authority, request->authority);
}

EXPORT("outgoing-request.set-authority")
bool outgoing_set_authority(Outgoing *request, bool some, uint8_t *at, uint32_t size) {
    Text authority = {at, size};
    if (some && !is_visible(authority))
        return refuse();
    request->has_authority = some;
    request->authority = authority;
    return take();
}

EXPORT("outgoing-request.headers") Handle outgoing_headers(const Outgoing *request) {
    return fields_view(request->headers);
}

EXPORT("request-options") Handle options_constructor(void) {
    Options *options = allocate(sizeof *options);
    *options = (Options){0};
    keep();
    return new_request_options(options);
}

static Result *timeout(Timeout value) { /* option<duration> */
    zeroed()->bytes[0] = value.set;
    result.longs[1] = value.nanoseconds;
    return &result;
}

EXPORT("request-options.connect-timeout") Result *options_connect(const Options *options) {
    return timeout(options->connect);
}

EXPORT("request-options.set-connect-timeout") bool options_set_connect(Options *options, bool some, uint64_t value) {
    options->connect = (Timeout){some, value};
    return false;
}

EXPORT("request-options.first-byte-timeout") Result *options_first(const Options *options) {
    return timeout(options->first_byte);
}

EXPORT("request-options.set-first-byte-timeout") bool options_set_first(Options *options, bool some, uint64_t value) {
    options->first_byte = (Timeout){some, value};
    return false;
}

EXPORT("request-options.between-bytes-timeout") Result *options_between(const Options *options) {
    return timeout(options->between_bytes);
}

EXPORT("request-options.set-between-bytes-timeout")
bool options_set_between(Options *options, bool some, uint64_t value) {
    options->between_bytes = (Timeout){some, value};
    return false;
}
