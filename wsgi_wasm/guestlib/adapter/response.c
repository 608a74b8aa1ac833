/* The response: `outgoing-response`, `outgoing-body`, `response-outparam`, and how the guest ended.
 *
 * The head goes out when the guest gives its response away, and says what the response is then.
 * A guest that takes the body's stream before may write to it at once, and its bytes are not
 * seen here; then a mark goes out first, and another one before the head, and the gateway puts
 * the bytes between them behind it (protocols/component_head.py). A response is whole once its
 * body is finished.
 */
#include "adapter.h"

typedef struct Response {
    uint32_t status;
    Fields *headers;
    bool has_body;    /* body() was called */
    bool finished;    /* and the body is finished */
} Response;

IMPORT("host", "stdout") Handle host_stdout(void);
IMPORT("host", "stderr") Handle host_stderr(void);
IMPORT("host", "write") void host_write(Handle stream, const void *at, uint32_t size, Result *error);
IMPORT("host", "drop-output") void host_drop_output(Handle stream);
IMPORT("host", "drop-error") void host_drop_error(Handle error);
IMPORT("resource", "new-outgoing-response") Handle new_outgoing_response(Response *response);
IMPORT("resource", "rep-outgoing-response") Response *outgoing_response_rep(Handle handle);
IMPORT("resource", "new-outgoing-body") Handle new_outgoing_body(Body *body);
IMPORT("resource", "rep-outgoing-body") Body *outgoing_body_rep(Handle handle);
IMPORT("resource", "new-response-outparam") Handle new_response_outparam(void *nothing);

Text error_name(uint32_t code);

static Response *answer; /* whose stream standard output is */
static bool early;       /* it was handed out before the head */
static bool given;       /* the guest has given that response to its outparam */
static bool failed;      /* or an error, or something went wrong */

static const Text mark = WORD("\0wsgi-wasm head follows\n"); /* no head begins like this */

static void put(Handle stream, Text text) {
    Result error;
    while (text.size && !failed) {
        uint32_t size = text.size < 4096 ? text.size : 4096; /* what one call takes at most */
        host_write(stream, text.at, size, &error);
        failed |= error.bytes[0];
        text.at += size;
        text.size -= size;
    }
}

static uint8_t *copied(uint8_t *to, const void *from, uint32_t size) {
    __builtin_memcpy(to, from, size);
    return to + size;
}

/* `Status` is how a CGI program says its status: a field of that name is not the client's to
 * see. */
static bool is_status(Text name) {
    return same_name(name, WORD("status"));
}

static void send_mark(void) {
    Handle stream = host_stdout();
    put(stream, mark);
    host_drop_output(stream);
}

static void send_head(Response *response) {
    if (early)
        send_mark();
    uint32_t size = sizeof "Status: 200\r\n\r\n";
    for (Field *field = response->headers->first; field; field = field->next)
        size += field->name.size + field->value.size + 4;
    Text head = {allocate(size), 0};
    uint8_t *to = copied(head.at, "Status: ", 8);
    *to++ = '0' + response->status / 100;
    *to++ = '0' + response->status / 10 % 10;
    *to++ = '0' + response->status % 10;
    to = copied(to, "\r\n", 2);
    for (Field *field = response->headers->first; field; field = field->next)
        if (!is_status(field->name)) {
            to = copied(to, field->name.at, field->name.size);
            to = copied(to, ": ", 2);
            to = copied(to, field->value.at, field->value.size);
            to = copied(to, "\r\n", 2);
        }
    to = copied(to, "\r\n", 2);
    head.size = to - head.at;
    Handle stream = host_stdout();
    put(stream, head);
    host_drop_output(stream);
    release();
}

EXPORT("outgoing-response") Handle response_constructor(Handle headers) {
    Response *response = allocate(sizeof *response);
    *response = (Response){.status = 200, .headers = fields_of(headers)};
    keep();
    return new_outgoing_response(response);
}

EXPORT("outgoing-response.status-code") uint32_t response_status(const Response *response) {
    return response->status;
}

/* Until the response is given away; after that there is no handle of it any more. */
EXPORT("outgoing-response.set-status-code") bool response_set_status(Response *response, uint32_t status) {
    if (status < 100 || status > 999)
        return true;
    response->status = status;
    return false;
}

EXPORT("outgoing-response.headers") Handle response_headers(const Response *response) {
    return fields_view(response->headers);
}

Handle outgoing_body(Response *response, Handle native) {
    Body *body = allocate(sizeof *body);
    *body = (Body){.response = response, .native = native, .outbound = response == 0};
    keep();
    return new_outgoing_body(body);
}

EXPORT("outgoing-response.body") Result *response_body(Response *response) {
    if (response->has_body)
        return result_error();
    response->has_body = true;
    return result_handle(outgoing_body(response, 0));
}

EXPORT("outgoing-body.write") Result *body_write(Body *body) {
    Handle stream;
    if (body->taken)
        return result_error();
    body->taken = true;
    if (body->outbound)
        return outbound_write(body->native, &stream) ? result_handle(stream) : result_error();
    if (!answer) {
        answer = body->response;
        early = true;
        send_mark();
    }
    return answer == body->response && !failed ? result_handle(host_stdout()) : result_error();
}

/* Trailers are left out: few servers could send them, and WSGI has no way to. */
EXPORT("outgoing-body.finish") Result *body_done(Handle handle, int32_t has_trailers, Handle trailers) {
    (void)has_trailers;
    (void)trailers;
    Body *body = outgoing_body_rep(handle);
    if (body->outbound)
        return outbound_finish(body->native);
    body->response->finished = true;
    return zeroed();
}

/* The second argument is result<outgoing-response, error-code>: its case, then the handle or the
 * number of the error, then what belongs to the error; only internal-error's option<string> is
 * looked at. */
EXPORT("response-outparam.set")
void outparam_set(Handle outparam, int32_t is_error, int32_t value, int32_t some, uint64_t at, int32_t size, int32_t d,
                  int32_t e, int32_t f) {
    (void)outparam, (void)d, (void)e, (void)f;
    if (is_error) {
        Handle log = host_stderr();
        put(log, WORD("wasi:http error-code "));
        put(log, error_name(value));
        if (value == 38 && some) {
            put(log, WORD(": "));
            put(log, (Text){(uint8_t *)(uint32_t)at, size});
        }
        put(log, WORD("\n"));
        host_drop_output(log);
        failed = true;
        release();
        return;
    }
    Response *response = outgoing_response_rep(value);
    if (answer && answer != response) {
        failed = true; /* what was written belongs to another one */
        return;
    }
    answer = response;
    given = true;
    send_head(response);
}

/* An answer of 1xx before the response: WSGI has no way to send one. It is taken and left out. */
EXPORT("response-outparam.send-informational")
Result *outparam_informational(void *outparam, int32_t status, Handle headers) {
    (void)outparam, (void)status, (void)headers;
    return zeroed();
}

EXPORT("http-error-code") Result *http_error_code(Handle error) {
    host_drop_error(error);
    return zeroed(); /* none: errors of the streams used here are of files */
}

EXPORT("outparam") Handle make_outparam(void) {
    return new_response_outparam(0);
}

/* 0: the response is whole. */
EXPORT("finish") uint32_t finish(void) {
    return !(given && !failed && (answer->finished || !answer->has_body));
}
