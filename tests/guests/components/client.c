/* A wasi:http guest that makes a request of its own: its query is the URL, its path's last segment says how.
 *
 *   get        GET; the answer is that of the server: status, fields that begin with x-, body as it comes
 *   post       POST with the request's body as it comes
 *   unread     GET, and then nothing is read of the answer
 *   spin       GET with a host field, which is refused
 *   many?URL   20 at a time; the answer counts those that got one, and names the error of the first that did not
 * What has no answer is 502 with the number of its error-code.
 */
typedef unsigned u32;
typedef unsigned long long u64;
typedef unsigned char u8;
#define HOST(name) __attribute__((import_module("host"), import_name(name)))
#define MEMORY(name) __attribute__((import_module("memory"), import_name(name)))

typedef struct {
    u8 *at;
    u32 size;
} Text;
typedef union {
    u8 bytes[64];
    u32 words[16];
    u64 longs[8];
} Result;

MEMORY("mark") u32 mark(void);
MEMORY("reset") void reset(u32);
HOST("block") void block(int);
HOST("read") void read_(int, u64, Result *);
HOST("write") void write_(int, const void *, u32, Result *);
HOST("fields") int fields(void);
HOST("append") void append(int, const void *, u32, const void *, u32, Result *);
HOST("entries") void entries(int, Text *);
HOST("path") void path(int, Result *);
HOST("consume") void consume(int, Result *);
HOST("body-stream") void body_stream(int, Result *);
HOST("response") int response(int);
HOST("status") int status(int, u32);
HOST("response-body") void response_body(int, Result *);
HOST("body-write") void body_write(int, Result *);
HOST("body-done") void body_done(int, int, int, Result *);
HOST("outparam-set") void outparam_set(int, int, int, int, u64, int, int, int, int);
HOST("request") int request(int);
HOST("request-body") void request_body(int, Result *);
HOST("set-method") int set_method(int, u32, const void *, u32);
HOST("set-path") int set_path(int, int, const void *, u32);
HOST("set-scheme") int set_scheme(int, int, u32, const void *, u32);
HOST("set-authority") int set_authority(int, int, const void *, u32);
HOST("send") void send(int, int, int, Result *);
HOST("subscribe") int subscribe(int);
HOST("get") void get(int, Result *);
HOST("answer-status") u32 answer_status(int);
HOST("answer-headers") int answer_headers(int);
HOST("answer-consume") void answer_consume(int, Result *);
HOST("drop-pollable") void drop_pollable(int);
HOST("drop-input") void drop_input(int);
HOST("drop-output") void drop_output(int);

static Result r;
static Text word, scheme_name, authority, target;
static u32 scheme;
static int incoming, outparam_, body_;

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
    scheme = scheme_name.size == 5 ? 1 : scheme_name.size == 4 ? 0 : 2; /* https, http, other */
    i += 3;
    start = i;
    while (i < size && at[i] != '/')
        i++;
    authority = (Text){at + start, i - start};
    target = (Text){at + i, size - i};
}

static int is(const char *name) {
    u32 i = 0;
    for (; name[i]; i++)
        if (i >= word.size || word.at[i] != (u8)name[i])
            return 0;
    return i == word.size;
}

static int begin(u32 code, int headers) {
    int answer = response(headers);
    status(answer, code);
    response_body(answer, &r);
    body_ = r.words[1];
    outparam_set(outparam_, 0, answer, 0, 0, 0, 0, 0, 0);
    body_write(body_, &r);
    return r.words[1];
}

static void put(int stream, const u8 *at, u32 size) {
    Result w;
    while (size) {
        u32 n = size < 4096 ? size : 4096;
        write_(stream, at, n, &w);
        if (w.bytes[0])
            return;
        at += n;
        size -= n;
    }
}

static void put_number(int stream, u32 value) {
    u8 digits[10];
    int n = 10;
    do
        digits[--n] = '0' + value % 10;
    while (value /= 10);
    put(stream, digits + n, 10 - n);
}

static void done(int stream) {
    drop_output(stream);
    body_done(body_, 0, 0, &r);
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
        put(to, (u8 *)r.words[1], r.words[2]);
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
    set_scheme(made, 1, scheme, scheme_name.at, scheme_name.size);
    set_authority(made, 1, authority.at, authority.size);
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
    put(stream, (const u8 *)" ", 1);
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
