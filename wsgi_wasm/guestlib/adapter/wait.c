/* `wasi:io/poll`, waiting in slices.
 *
 * A call of the host cannot be interrupted: a guest that waits an hour would hold its thread for an
 * hour, past every limit, and what it has written would not be sent. The loop below comes back to
 * WebAssembly, where the host looks at the limits and sends what there is. Slices begin at the
 * gateway's own tick, so that output is not late, and grow.
 */
#include "adapter.h"

#define FIRST_SLICE 10000000ull /* nanoseconds */
#define LAST_SLICE 50000000ull

#define MOST 4096 /* pollables in one call: the host looks at all of them at once */

#define PIECE 65536 /* bytes that one read takes at most */

static bool any_ready(const Handle *pollables, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (host_ready(pollables[i]))
            return true;
    return false;
}

/* Wait until one of `count` pollables is ready; the list has room for one more. Which ones, goes to
 * `ready`. The host is told before: what it holds for guests that are short is not held while one
 * waits. */
static Text wait(Handle *pollables, uint32_t count) {
    uint64_t slice = FIRST_SLICE;
    Text ready;
    if (any_ready(pollables, count)) {
        host_poll(pollables, count, &ready);
        return ready;
    }
    host_waits();
    for (;;) {
        pollables[count] = host_timer(slice);
        host_poll(pollables, count + 1, &ready);
        host_drop_pollable(pollables[count]);
        uint32_t *indexes = (uint32_t *)ready.at, kept = 0;
        for (uint32_t i = 0; i < ready.size; i++)
            if (indexes[i] != count)
                indexes[kept++] = indexes[i];
        ready.size = kept;
        if (kept)
            return ready;
        slice = slice * 2 > LAST_SLICE ? LAST_SLICE : slice * 2;
    }
}

EXPORT("block") void block(Handle pollable) {
    Handle list[2] = {pollable};
    wait(list, 1);
    host_drop_pollable(pollable);
    release();
}

/* `input-stream.blocking-read`, which waits too: for a client that sends its body slowly, or a
 * server that answers so. result<list<u8>, stream-error>: its case, then the list, or the error
 * with its handle. */
EXPORT("blocking-read") uint32_t *blocking_read(Handle stream, uint64_t size) {
    static uint32_t got[3];
    for (;;) {
        host_read(stream, size < PIECE ? size : PIECE, got);
        if ((uint8_t)got[0] || got[2] || size == 0) {
            host_drop_input(stream); /* what was lent for this call */
            return got;
        }
        Handle list[2] = {host_subscribe(stream)};
        wait(list, 1);
        host_drop_pollable(list[0]);
    }
}

EXPORT("poll") Text *poll(const Handle *pollables, uint32_t count) {
    static Text ready;
    if (count == 0 || count > MOST)
        __builtin_trap(); /* the first as the interface says */
    Handle *list = allocate((count + 1) * sizeof *list);
    for (uint32_t i = 0; i < count; i++)
        list[i] = pollables[i];
    ready = wait(list, count);
    for (uint32_t i = 0; i < count; i++)
        host_drop_pollable(pollables[i]);
    return &ready;
}

/* What the host calls when it has read a list that was returned. */
EXPORT("release") void release_returned(const void *returned) {
    (void)returned;
    release();
}
