/* A CGI program as a component: the query says what it does. */
#include "guest.h"

static int out;
static Text query;

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
