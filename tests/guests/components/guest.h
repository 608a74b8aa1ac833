/* What components import through their `.wat`, and the few things that all of them do with it. What a guest does not
   call is not imported. */
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

HOST("environment") void environment(Text *);
HOST("arguments") void arguments(Text *);
HOST("exit") void exit_(int);
HOST("stdin") int stdin_(void);
HOST("stdout") int stdout_(void);
HOST("stderr") int stderr_(void);

HOST("block") void block(int);
HOST("timer") int timer(u64);
HOST("poll") void poll(const int *, u32, Text *);
HOST("read") void read_(int, u64, Result *);
HOST("write") void write_(int, const void *, u32, Result *);
HOST("drop-pollable") void drop_pollable(int);
HOST("drop-input") void drop_input(int);
HOST("drop-output") void drop_output(int);

HOST("fields") int fields(void);
HOST("from-list") void from_list(const Text *, u32, Result *);
HOST("append") void append(int, const void *, u32, const void *, u32, Result *);
HOST("set") void set(int, const void *, u32, const Text *, u32, Result *);
HOST("entries") void entries(int, Text *);
HOST("drop-fields") void drop_fields(int);

HOST("method") void method(int, Result *);
HOST("path") void path(int, Result *);
HOST("scheme") void scheme(int, Result *);
HOST("authority") void authority(int, Result *);
HOST("request-headers") int request_headers(int);
HOST("consume") void consume(int, Result *);
HOST("body-stream") void body_stream(int, Result *);
HOST("body-finish") int body_finish(int);
HOST("trailers") void trailers(int, Result *);

HOST("response") int response(int);
HOST("status") int status(int, u32);
HOST("response-headers") int response_headers(int);
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

static Result r; /* of the last call */

static inline u32 length(const char *s) {
    u32 n = 0;
    while (s[n])
        n++;
    return n;
}

static inline int same(Text text, const char *word) {
    if (text.size != length(word))
        return 0;
    for (u32 i = 0; i < text.size; i++)
        if (text.at[i] != (u8)word[i])
            return 0;
    return 1;
}

static inline void put_bytes(int stream, const u8 *at, u32 size) {
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

static inline void put(int stream, const char *text) {
    put_bytes(stream, (const u8 *)text, length(text));
}

static inline void put_number(int stream, u32 value) {
    u8 digits[10];
    int n = 10;
    do
        digits[--n] = '0' + value % 10;
    while (value /= 10);
    put_bytes(stream, digits + n, 10 - n);
}

static int outparam_, body_;

/* Begin an answer: its stream, which `done` ends. */
static inline int begin(u32 code, int headers) {
    int answer = response(headers);
    if (code != 200)
        status(answer, code);
    response_body(answer, &r);
    body_ = r.words[1];
    outparam_set(outparam_, 0, answer, 0, 0, 0, 0, 0, 0);
    body_write(body_, &r);
    return r.words[1];
}

static inline void done(int stream) {
    drop_output(stream);
    body_done(body_, 0, 0, &r);
}
