/* A wasi:http guest that makes a request of its own: its query is the URL, its path's last segment says how.
 *
 *   get        GET; the answer is that of the server: status, fields that begin with x-, body as it comes
 *   post       POST with the request's body as it comes
 *   unread     GET, and then nothing is read of the answer
 *   spin       GET with a host field, which is refused
 *   many?URL   20 at a time; the answer counts those that got one, and names the error of the first that did not
 * What has no answer is 502 with the number of its error-code.
 */
#include "guest.h"

static Text word, scheme_name, server, target;
static u32 scheme_kind;
static int incoming;

/* "/x/get?http://host:port/path" */
static void read_query(void) {
    path(incoming, &r);
    u8 *at = (u8 *)r.words[1];
    u32 size = r.words[2], i = 0, start = 0;
    for (; i < size && at[i] != '?'; i++)
        if (at[i] == '/')
            start = i + 1;
    word = (Text){at + start, i - start};
    i++;
    scheme_name = (Text){at + i, 0};
    while (i < size && at[i] != ':')
        i++;
    scheme_name.size = at + i - scheme_name.at;
    scheme_kind = scheme_name.size == 5 ? 1 : scheme_name.size == 4 ? 0 : 2; /* https, http, other */
    i += 3;
    start = i;
    while (i < size && at[i] != '/')
        i++;
    server = (Text){at + start, i - start};
    target = (Text){at + i, size - i};
}

static int is(const char *name) {
    return same(word, name);
}

static void failed(u32 code) {
    int stream = begin(502, fields());
    put_number(stream, code);
    done(stream);
}

static void copy(int from, int to) {
    for (;;) {
        u32 before = mark();
        read_(from, 65536, &r);
        if (r.bytes[0])
            return;
        put_bytes(to, (u8 *)r.words[1], r.words[2]);
        reset(before);
    }
}

static int make(void) {
    int headers = fields();
    append(headers, "x-from", 6, "a guest", 7, &r);
    if (is("spin"))
        append(headers, "host", 4, "elsewhere.example", 17, &r);
    int made = request(headers);
    if (is("post"))
        set_method(made, 2, 0, 0);
    set_scheme(made, 1, scheme_kind, scheme_name.at, scheme_name.size);
    set_authority(made, 1, server.at, server.size);
    set_path(made, 1, target.at, target.size);
    return made;
}

/* The answer's handle, or -1 and the error's number in `code`. */
static int wait_for(int future, u32 *code) {
    int pollable = subscribe(future);
    block(pollable);
    drop_pollable(pollable);
    get(future, &r);
    if (r.bytes[0] && !r.bytes[8] && !r.bytes[16])
        return r.words[6];
    *code = r.bytes[8] ? 98 : r.bytes[24];
    return -1;
}

static void relay(int answer) {
    Text list;
    int headers = fields();
    entries(answer_headers(answer), &list);
    for (u32 i = 0; i < list.size; i++) {
        Text *pair = (Text *)list.at + 2 * i;
        if (pair[0].at[0] == 'x' && pair[0].at[1] == '-')
            append(headers, pair[0].at, pair[0].size, pair[1].at, pair[1].size, &r);
    }
    int stream = begin(answer_status(answer), headers);
    answer_consume(answer, &r);
    body_stream(r.words[1], &r);
    int from = r.words[1];
    if (!is("unread"))
        copy(from, stream);
    drop_input(from);
    done(stream);
}

static void many(void) {
    int futures[20];
    u32 answered = 0, first = 99, code;
    for (int i = 0; i < 20; i++) {
        send(make(), 0, 0, &r);
        futures[i] = r.words[2];
    }
    for (int i = 0; i < 20; i++) {
        code = 0;
        if (wait_for(futures[i], &code) >= 0)
            answered++;
        else if (first == 99)
            first = code;
    }
    int stream = begin(200, fields());
    put_number(stream, answered);
    put(stream, " ");
    put_number(stream, first);
    done(stream);
}

__attribute__((export_name("handle"))) void handle(int request_, int outparam) {
    incoming = request_;
    outparam_ = outparam;
    read_query();
    if (is("many")) {
        many();
        return;
    }
    int made = make(), own_body = -1;
    if (is("post")) {
        request_body(made, &r);
        own_body = r.words[1];
    }
    send(made, 0, 0, &r);
    if (r.bytes[0]) {
        failed(r.bytes[8]);
        return;
    }
    int future = r.words[2];
    if (own_body >= 0) {
        consume(incoming, &r);
        body_stream(r.words[1], &r);
        int from = r.words[1];
        body_write(own_body, &r);
        int to = r.words[1];
        copy(from, to);
        drop_output(to);
        drop_input(from);
        body_done(own_body, 0, 0, &r);
    }
    u32 code;
    int answer = wait_for(future, &code);
    if (answer < 0)
        failed(code);
    else
        relay(answer);
}
