/* A wasi:http guest: the last segment of the path says what it does. */
#include "guest.h"

static Text target, wanted;
static int request_;

/* The path's last segment, without the query. */
static void find_wanted(void) {
    path(request_, &r);
    target = (Text){(u8 *)r.words[1], r.words[2]};
    u32 end = 0, start = 0;
    while (end < target.size && target.at[end] != '?')
        end++;
    for (u32 i = 0; i < end; i++)
        if (target.at[i] == '/')
            start = i + 1;
    wanted = (Text){target.at + start, end - start};
}

static int is(const char *word) {
    return same(wanted, word);
}

static u32 query_number(void) {
    u32 value = 0, i = 0;
    while (i < target.size && target.at[i] != '?')
        i++;
    for (i++; i < target.size; i++)
        if (target.at[i] >= '0' && target.at[i] <= '9')
            value = value * 10 + target.at[i] - '0';
    return value;
}

static void add(int headers, const char *name, const char *value) {
    append(headers, name, length(name), value, length(value), &r);
}

static void sleep_ms(u64 ms) {
    int t = timer(ms * 1000000);
    block(t);
    drop_pollable(t);
}

static int plain(void) {
    int headers = fields();
    add(headers, "content-type", "text/plain");
    return headers;
}

static void show_request(void) {
    int stream = begin(200, plain());
    put(stream, "method ");
    method(request_, &r);
    put_number(stream, r.bytes[0]);
    if (r.bytes[0] == 9) {
        put(stream, " ");
        put_bytes(stream, (u8 *)r.words[1], r.words[2]);
    }
    put(stream, "\npath ");
    put_bytes(stream, target.at, target.size);
    scheme(request_, &r);
    put(stream, "\nscheme ");
    put_number(stream, r.bytes[4]);
    authority(request_, &r);
    put(stream, "\nauthority ");
    put_bytes(stream, (u8 *)r.words[1], r.words[2]);
    put(stream, "\n");
    Text list;
    int headers = request_headers(request_);
    entries(headers, &list);
    drop_fields(headers);
    for (u32 i = 0; i < list.size; i++) {
        Text *pair = (Text *)list.at + 2 * i;
        put(stream, "header ");
        put_bytes(stream, pair[0].at, pair[0].size);
        put(stream, "=");
        put_bytes(stream, pair[1].at, pair[1].size);
        put(stream, "\n");
    }
    environment(&list);
    for (u32 i = 0; i < list.size; i++) {
        Text *pair = (Text *)list.at + 2 * i;
        put(stream, "env ");
        put_bytes(stream, pair[0].at, pair[0].size);
        put(stream, "=");
        put_bytes(stream, pair[1].at, pair[1].size);
        put(stream, "\n");
    }
    arguments(&list);
    put(stream, "arguments ");
    put_number(stream, list.size);
    put(stream, "\n");
    done(stream);
}

static int incoming_stream(int *body) {
    consume(request_, &r);
    *body = r.words[1];
    body_stream(*body, &r);
    return r.words[1];
}

static void echo(void) {
    int body, input = incoming_stream(&body), stream = begin(201, plain());
    for (;;) {
        u32 before = mark();
        read_(input, 65536, &r);
        if (r.bytes[0])
            break;
        put_bytes(stream, (u8 *)r.words[1], r.words[2]);
        reset(before);
    }
    drop_input(input);
    trailers(body_finish(body), &r);
    done(stream);
}

/* Count the body's bytes, and say what its trailers are: some, ok, ok, none. */
static void count(void) {
    int body, input = incoming_stream(&body);
    u32 total = 0;
    for (;;) {
        u32 before = mark();
        read_(input, 65536, &r);
        if (r.bytes[0])
            break;
        total += r.words[2];
        reset(before);
    }
    drop_input(input);
    trailers(body_finish(body), &r);
    Result t = r;
    int stream = begin(200, plain());
    put_number(stream, total);
    put(stream, " ");
    for (int i = 0; i < 4; i++)
        put_number(stream, t.bytes[8 * i]);
    put(stream, "\n");
    done(stream);
}

static void big(void) {
    static u8 block_[4096];
    for (u32 i = 0; i < sizeof block_; i++)
        block_[i] = 'a' + i % 26;
    u32 left = query_number();
    int stream = begin(200, plain());
    while (left) {
        u32 n = left < sizeof block_ ? left : sizeof block_;
        put_bytes(stream, block_, n);
        left -= n;
    }
    done(stream);
}

/* The beginning of an answer, and a second in which it is sent. */
static void begun(void) {
    put(begin(200, plain()), "no end");
    sleep_ms(1000);
}

/* The body is lines `name=value`; each becomes a response field by `append`, or the error's number on a line. */
static void headers_from_body(int by_list) {
    int body, input = incoming_stream(&body);
    read_(input, 65536, &r);
    Text text = {(u8 *)r.words[1], r.bytes[0] ? 0 : r.words[2]};
    u8 errors[64];
    u32 n = 0;
    int headers = fields();
    for (u32 i = 0; i < text.size && n < sizeof errors;) {
        Text pair[2] = {{text.at + i, 0}};
        while (i < text.size && text.at[i] != '=')
            i++;
        pair[0].size = text.at + i - pair[0].at;
        pair[1].at = text.at + ++i;
        while (i < text.size && text.at[i] != 1) /* byte 1 ends a pair, as values may hold any other */
            i++;
        pair[1].size = text.at + i++ - pair[1].at;
        if (by_list == 1) {
            from_list(pair, 1, &r);
            errors[n++] = r.bytes[0] ? '0' + r.bytes[4] : '-';
        } else if (by_list == 2) {
            set(headers, pair[0].at, pair[0].size, &pair[1], 1, &r);
            errors[n++] = r.bytes[0] ? '0' + r.bytes[1] : '-';
        } else {
            append(headers, pair[0].at, pair[0].size, pair[1].at, pair[1].size, &r);
            errors[n++] = r.bytes[0] ? '0' + r.bytes[1] : '-';
        }
    }
    int stream = begin(200, headers);
    put_bytes(stream, errors, n);
    done(stream);
}

/* The views that a request and a response give cannot be changed: "22". */
static void immutable(void) {
    u8 found[2];
    add(request_headers(request_), "x-a", "b");
    found[0] = r.bytes[0] ? '0' + r.bytes[1] : '-';
    int answer = response(fields());
    add(response_headers(answer), "x-a", "b");
    found[1] = r.bytes[0] ? '0' + r.bytes[1] : '-';
    int stream = begin(200, plain());
    put_bytes(stream, found, 2);
    done(stream);
}

static void with_status(void) {
    int answer = response(plain()), refused = status(answer, query_number());
    int stream = begin(refused ? 599 : query_number(), plain());
    put(stream, "status");
    done(stream);
}

static void wait_for_two(void) {
    int list[2] = {timer(3600000000000ull), timer(150000000)};
    Text ready;
    poll(list, 2, &ready);
    int stream = begin(200, plain());
    put_number(stream, ready.size);
    put(stream, " ");
    put_number(stream, *(u32 *)ready.at);
    done(stream);
}

__attribute__((export_name("handle"))) void handle(int request, int outparam) {
    request_ = request;
    outparam_ = outparam;
    find_wanted();
    int stream;
    if (is("request"))
        show_request();
    else if (is("echo"))
        echo();
    else if (is("count"))
        count();
    else if (is("big"))
        big();
    else if (is("append"))
        headers_from_body(0);
    else if (is("from-list"))
        headers_from_body(1);
    else if (is("set"))
        headers_from_body(2);
    else if (is("immutable"))
        immutable();
    else if (is("status"))
        with_status();
    else if (is("two"))
        wait_for_two();
    else if (is("stream")) {
        stream = begin(200, plain());
        for (int i = 0; i < 3; i++) {
            put(stream, "piece\n");
            sleep_ms(150);
        }
        done(stream);
    } else if (is("print")) {
        int out = stdout_();
        put(out, "printed by the guest\n");
        drop_output(out);
        stream = begin(200, plain());
        put(stream, "answered\n");
        done(stream);
    } else if (is("length")) {
        int headers = plain();
        add(headers, "content-length", "5");
        stream = begin(200, headers);
        put(stream, "longer than five");
        done(stream);
    } else if (is("empty")) {
        int answer = response(plain());
        status(answer, 204);
        outparam_set(outparam_, 0, answer, 0, 0, 0, 0, 0, 0);
    } else if (is("fields-forever")) {
        int headers = fields();
        for (;;)
            add(headers, "x-again", "and again");
    } else if (is("handles-forever")) {
        for (;;)
            fields();
    } else if (is("twice-taken")) { /* what can be had once: the second time is an error, "1111" */
        u8 found[4];
        int body;
        consume(request_, &r);
        body = r.words[1];
        consume(request_, &r);
        found[0] = '0' + r.bytes[0];
        body_stream(body, &r);
        body_stream(body, &r);
        found[1] = '0' + r.bytes[0];
        int answer = response(plain());
        response_body(answer, &r);
        body_ = r.words[1];
        response_body(answer, &r);
        found[2] = '0' + r.bytes[0];
        outparam_set(outparam_, 0, answer, 0, 0, 0, 0, 0, 0);
        body_write(body_, &r);
        stream = r.words[1];
        body_write(body_, &r);
        found[3] = '0' + r.bytes[0];
        put_bytes(stream, found, 4);
        done(stream);
    } else if (is("body-first")) { /* the body's stream is taken, and may be written to, before the response is given */
        int answer = response(plain());
        response_body(answer, &r);
        body_ = r.words[1];
        body_write(body_, &r);
        stream = r.words[1];
        for (u32 left = query_number(); left; left--)
            put(stream, "0123456789");
        u8 refused = '0' + status(answer, 404);
        if (!query_number())
            status(answer, 202);
        outparam_set(outparam_, 0, answer, 0, 0, 0, 0, 0, 0);
        put(stream, "then ");
        put_bytes(stream, &refused, 1);
        done(stream);
    } else if (is("body-alone")) { /* finished before its response is given */
        int answer = response(plain());
        response_body(answer, &r);
        body_ = r.words[1];
        body_write(body_, &r);
        stream = r.words[1];
        put(stream, "body");
        done(stream);
        status(answer, 203);
        outparam_set(outparam_, 0, answer, 0, 0, 0, 0, 0, 0);
    } else if (is("body-of-another")) { /* what was written belongs to no response that is given */
        response_body(response(plain()), &r);
        body_write(r.words[1], &r);
        put(r.words[1], "body");
        outparam_set(outparam_, 0, response(plain()), 0, 0, 0, 0, 0, 0);
    } else if (is("body-and-error")) {
        response_body(response(plain()), &r);
        body_write(r.words[1], &r);
        put(r.words[1], "body");
        outparam_set(outparam_, 1, 36, 0, 0, 0, 0, 0, 0); /* loop-detected */
    } else if (is("wrong-handle"))
        method(request_ + 40, &r);
    else if (is("trap"))
        __builtin_trap();
    else if (is("half")) {
        begun();
        __builtin_trap();
    } else if (is("unfinished")) {
        begun();
    } else if (is("loop"))
        for (volatile int i = 0;; i++)
            ;
    else if (is("loop-after")) {
        stream = begin(200, plain());
        put(stream, "then nothing");
        for (volatile int i = 0;; i++)
            ;
    } else if (is("sleep"))
        sleep_ms(3600000);
    else if (is("sleep-after")) {
        stream = begin(200, plain());
        put(stream, "then nothing");
        sleep_ms(3600000);
    } else if (is("none"))
        return;
    else if (is("error"))
        outparam_set(outparam_, 1, 38, 1, (u64)(u32) "own words", 9, 0, 0, 0);
    else if (is("refused"))
        outparam_set(outparam_, 1, 6, 0, 0, 0, 0, 0, 0);
    else if (is("twice")) {
        int first = response(plain()), second = response(plain());
        response_body(first, &r);
        body_write(r.words[1], &r);
        outparam_set(outparam_, 0, second, 0, 0, 0, 0, 0, 0);
    } else {
        stream = begin(200, plain());
        put(stream, "hello from wasi:http\n");
        done(stream);
    }
}
