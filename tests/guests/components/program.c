/* A CGI program as a component: the query says what it does. */
typedef unsigned u32;
typedef unsigned long long u64;
typedef unsigned char u8;
#define HOST(name) __attribute__((import_module("host"), import_name(name)))

typedef struct {
    u8 *at;
    u32 size;
} Text;
typedef union {
    u8 bytes[16];
    u32 words[4];
} Result;

HOST("block") void block(int);
HOST("timer") int timer(u64);
HOST("read") void read_(int, u64, Result *);
HOST("write") void write_(int, const void *, u32, Result *);
HOST("environment") void environment(Text *);
HOST("arguments") void arguments(Text *);
HOST("exit") void exit_(int);
HOST("stdin") int stdin_(void);
HOST("stdout") int stdout_(void);
HOST("stderr") int stderr_(void);

static int out;
static Text query;

static u32 length(const char *s) {
    u32 n = 0;
    while (s[n])
        n++;
    return n;
}

static int same(Text text, const char *word) {
    u32 n = length(word);
    if (text.size != n)
        return 0;
    for (u32 i = 0; i < n; i++)
        if (text.at[i] != (u8)word[i])
            return 0;
    return 1;
}

static void put_bytes(int stream, const u8 *at, u32 size) {
    Result r;
    while (size) {
        u32 n = size < 4096 ? size : 4096;
        write_(stream, at, n, &r);
        at += n;
        size -= n;
    }
}

static void put(int stream, const char *text) {
    put_bytes(stream, (const u8 *)text, length(text));
}

static void sleep_ms(u64 ms) {
    block(timer(ms * 1000000));
}

__attribute__((export_name("run"))) int run(void) {
    Text list;
    out = stdout_();
    environment(&list);
    Text *pairs = (Text *)list.at;
    for (u32 i = 0; i < list.size; i++)
        if (same(pairs[2 * i], "QUERY_STRING"))
            query = pairs[2 * i + 1];
    if (same(query, "sleep")) {
        put(out, "Content-Type: text/plain\n\nfirst\n");
        sleep_ms(3600000);
    }
    if (same(query, "exit0") || same(query, "exit1")) {
        put(out, "Content-Type: text/plain\n\nbefore\n");
        exit_(query.at[4] - '0');
    }
    put(out, "Content-Type: text/plain\n\n");
    if (same(query, "echo")) {
        int in = stdin_();
        Result r;
        for (;;) {
            read_(in, 4096, &r);
            if (r.bytes[0])
                break;
            put_bytes(out, (u8 *)r.words[1], r.words[2]);
        }
        return 0;
    }
    if (same(query, "fail")) {
        put(stderr_(), "what went wrong\n");
        put(out, "failed\n");
        return 1;
    }
    for (u32 i = 0; i < list.size; i++) {
        put_bytes(out, pairs[2 * i].at, pairs[2 * i].size);
        put(out, "=");
        put_bytes(out, pairs[2 * i + 1].at, pairs[2 * i + 1].size);
        put(out, "\n");
    }
    arguments(&list);
    for (u32 i = 0; i < list.size; i++) {
        put(out, "argument ");
        put_bytes(out, ((Text *)list.at)[i].at, ((Text *)list.at)[i].size);
        put(out, "\n");
    }
    return 0;
}
