/* Fuzzes native.c and native_component.c: Wasmtime and Python are stubs, the guest is the input.
 *
 * The input is a list of what a guest does: write its memory, call a function of preview 1 with any
 * arguments, grow, wait for a tick. Its memory ends where AddressSanitizer says that nothing more
 * may be touched. What each call must do is worked out a second time here, in the plainest way, and
 * compared.
 *
 * With libFuzzer this is all (`cc -fsanitize=fuzzer,address,undefined`); `replay.c` has a `main` for
 * compilers without it.
 */
#define _GNU_SOURCE
#include "native.h"

#include <assert.h>
#include <fcntl.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void wsgi_wasm_functions(const struct functions *functions);
void wsgi_wasm_component_functions(const void *functions);
void wsgi_wasm_run(struct run *r);
void wsgi_wasm_run_component(void *c);

host_call wsgi_wasm_args_get, wsgi_wasm_args_sizes_get, wsgi_wasm_environ_get, wsgi_wasm_environ_sizes_get,
    wsgi_wasm_fd_read, wsgi_wasm_fd_write, wsgi_wasm_fd_pread, wsgi_wasm_fd_pwrite, wsgi_wasm_random_get,
    wsgi_wasm_proc_exit, wsgi_wasm_forwarded, wsgi_wasm_in_python;

static const struct {
    host_call *call;
    uint32_t count; /* parameters */
    uint64_t wide, lengths;
} calls[] = {
    {wsgi_wasm_args_get, 2, 0, 0},
    {wsgi_wasm_args_sizes_get, 2, 0, 0},
    {wsgi_wasm_environ_get, 2, 0, 0},
    {wsgi_wasm_environ_sizes_get, 2, 0, 0},
    {wsgi_wasm_fd_read, 4, 0, 0},
    {wsgi_wasm_fd_write, 4, 0, 0},
    {wsgi_wasm_fd_pread, 5, 1 << 3, 0},
    {wsgi_wasm_fd_pwrite, 5, 1 << 3, 0},
    {wsgi_wasm_random_get, 2, 0, 0},
    {wsgi_wasm_proc_exit, 1, 0, 0},
    {wsgi_wasm_forwarded, 9, 1 << 5 | 1 << 6, 1 << 3}, /* path_open */
    {wsgi_wasm_in_python, 1, 0, 0},
};
enum { CALLS = sizeof calls / sizeof *calls, FD_READ = 4, FD_WRITE = 5, RESERVED = 1 << 16, GATHERED = 1 << 17 };

/* --- the input --- */

static const uint8_t *next_byte, *end_byte;

static uint8_t byte(void) { return next_byte < end_byte ? *next_byte++ : 0; }

static uint32_t word(void)
{
    uint32_t value = byte();
    for (int i = 1; i < 4; i++)
        value |= (uint32_t)byte() << 8 * i;
    return value;
}

/* --- the guest's memory, and what the stubs keep --- */

static struct {
    struct run *run;
    uint8_t *memory;
    uint64_t size, most;
    int has_memory;
    uint8_t gathered[GATHERED]; /* what `take` was given */
    size_t taken;
    uint8_t expected[GATHERED]; /* what fd_write has taken on, here and in "Python" */
    size_t wanted;
    int python_calls, wants_end, stores, errors, deleted;
    epoch_function *epoch;
    void *epoch_data;
    struct item functions[CALLS];
} g;

static void *token(void)
{
    g.errors++;
    return malloc(1);
}

static void release(void *token)
{
    if (token) {
        g.errors--;
        free(token);
    }
}

static void resize(uint64_t size)
{
    g.size = size;
    ASAN_UNPOISON_MEMORY_REGION(g.memory, RESERVED);
    ASAN_POISON_MEMORY_REGION(g.memory + size, RESERVED - size);
}

/* --- Wasmtime --- */

static void *store_new(void *engine, void *data, void (*finalizer)(void *))
{
    g.stores++;
    return token();
}
static void *store_context(void *store) { return store; }
static void store_delete(void *store)
{
    g.stores--;
    release(store);
}
static void store_limiter(void *store, int64_t memory, int64_t elements, int64_t instances, int64_t tables,
                          int64_t memories)
{
}
static void store_epoch_callback(void *store, epoch_function *callback, void *data, void (*finalizer)(void *))
{
    g.epoch = callback;
    g.epoch_data = data;
}
static void set_epoch_deadline(void *context, uint64_t ticks) {}
static void *wasi_new(void) { return token(); }
static void *set_wasi(void *context, void *config)
{
    release(config);
    return byte() == 255 ? token() : NULL;
}
static void *instantiate(void *prepared, void *context, void *instance, void **trap)
{
    uint8_t how = byte();
    if (how == 255)
        *trap = token();
    return how == 254 ? token() : NULL;
}
static _Bool export_get(void *context, void *instance, const char *name, size_t length, void *item)
{
    ((struct item *)item)->kind = byte() == 255 ? 3 : 0;
    return byte() != 255;
}
static _Bool caller_export_get(void *caller, const char *name, size_t length, void *item)
{
    if (!g.has_memory)
        return 0;
    ((struct item *)item)->kind = 3;
    return 1;
}
static uint8_t *memory_data(void *context, void *memory) { return g.memory; }
static size_t memory_data_size(void *context, void *memory) { return g.size; }
static void *trap_new(const char *message, size_t length)
{
    assert(message[length] == '\0');
    return token();
}
static void *error_new(const char *message)
{
    assert(*message);
    return token();
}
static void engine_increment_epoch(void *engine) {}

/* --- Python --- */

static void *save_thread(void)
{
    assert(g.run->keeps_gil);
    return &g;
}
static void restore_thread(void *thread) { assert(thread == &g); }

static int take(const uint8_t *output, size_t size)
{
    assert(size && size <= g.run->output_capacity);
    assert(g.taken + size <= GATHERED);
    memcpy(g.gathered + g.taken, output, size);
    g.taken += size;
    return g.wants_end;
}

static void failed(void *error) { release(error); }

static int python_epoch_calls;
static void *python_epoch(void *context, void *data, uint64_t *delta, uint8_t *kind)
{
    assert(context == g.run->context);
    *delta = 1;
    *kind = 0;
    python_epoch_calls++;
    return byte() == 255 ? token() : NULL;
}

/* Whatever is left to Python, but for what it writes, changes nothing that we look at. */
static void *in_python(void *data, void *caller, raw *arguments, size_t count)
{
    assert(g.run->output_size == 0); /* nothing gathered is older than what Python does */
    g.python_calls++;
    uint8_t how = byte();
    if (how & 1)
        g.run->python_streams = 1;
    if (how & 2) {
        for (uint32_t i = 0; i < CALLS; i++)
            g.functions[i].kind = 0;
        g.run->forwarder = g.functions;
    }
    arguments[0].i32 = 8;
    return how == 255 ? token() : NULL;
}

/* --- what a call must do, once more --- */

static int inside(uint64_t at, uint64_t size) { return g.has_memory && at + size <= g.size; }

/* Appends what an fd_write of these arguments has to write, if all of it is well. */
static int64_t note_write(const raw *a)
{
    uint32_t list = (uint32_t)a[1].i32, count = (uint32_t)a[2].i32;
    uint64_t total = 0;
    size_t before = g.wanted;
    if (a[0].i32 != 1 || count > 1024 || !inside(list, 8 * (uint64_t)count) || !inside((uint32_t)a[3].i32, 4))
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t v[2];
        memcpy(v, g.memory + list + 8 * i, 8);
        if (v[1] && !inside(v[0], v[1]))
            goto bad;
        if (g.wanted + v[1] > GATHERED)
            goto bad;
        memcpy(g.expected + g.wanted, g.memory + (v[1] ? v[0] : 0), v[1]);
        g.wanted += v[1];
        total += v[1];
    }
    return (int64_t)total;
bad:
    g.wanted = before;
    return -1;
}

/* One call of a guest; the trap that ends it. */
static void *guest_call(void)
{
    uint32_t which = byte() % CALLS, python_before = (uint32_t)g.python_calls;
    struct host_function f = {in_python, which, calls[which].count, calls[which].wide, calls[which].lengths};
    raw a[16] = {0};
    for (uint32_t i = 0; i < f.count; i++) {
        uint8_t how = byte();
        switch (how & 7) {
        case 0: a[i].i64 = word(); break;
        case 1: a[i].i64 = (int64_t)g.size - (how >> 3); break;
        case 2: a[i].i64 = -(how >> 3); break;
        default: a[i].i64 = (int64_t)(how >> 3) << (how & 4); break;
        }
    }
    size_t before = g.wanted;
    uint64_t input_before = g.run->input_at;
    raw given[16];
    memcpy(given, a, sizeof a);
    int64_t written = which == FD_WRITE && !g.run->python_streams ? note_write(a) : -1;
    void *trap = calls[which].call(&f, &g, a, f.count);
    if (which == FD_WRITE && (trap || (uint32_t)g.python_calls != python_before || a[0].i32))
        g.wanted = before; /* nothing of it is ours */
    else if (which == FD_WRITE && given[0].i32 == 1) {
        uint32_t count;
        assert(written >= 0);
        memcpy(&count, g.memory + (uint32_t)given[3].i32, 4);
        assert(count == written);
    }
    if (which == FD_READ && !trap && !a[0].i32 && (uint32_t)g.python_calls == python_before && !given[0].i32) {
        uint32_t count;
        memcpy(&count, g.memory + (uint32_t)given[3].i32, 4);
        assert(count == g.run->input_at - input_before);
    }
    assert(!g.run->input || g.run->input_at <= g.run->input_size);
    assert(g.taken + g.run->output_size <= g.run->output_limit);
    return trap;
}

static void *call(void *context, void *function, void *arguments, size_t arguments_count, void *results,
                  size_t results_count, void **trap)
{
    if (results_count) { /* a forwarded call */
        uint8_t how = byte();
        assert(function >= (void *)g.functions && function < (void *)(g.functions + CALLS));
        if (how == 255)
            *trap = token();
        return how == 254 ? token() : NULL;
    }
    while (next_byte < end_byte && !*trap) {
        switch (byte() & 3) {
        case 0: {
            uint32_t at = word() % (uint32_t)(g.size + 1), size = byte();
            for (uint32_t i = 0; i < size && at + i < g.size; i++)
                g.memory[at + i] = byte();
            break;
        }
        case 1: {
            uint64_t size = g.size + ((uint64_t)byte() << 4);
            if (size <= g.most)
                resize(size);
            break;
        }
        case 2: {
            uint64_t delta;
            uint8_t kind;
            void *error = g.epoch(g.run->context, g.epoch_data, &delta, &kind);
            if (error)
                return error;
            break;
        }
        default:
            *trap = guest_call();
        }
    }
    return byte() == 255 ? token() : NULL;
}

/* --- components --- */

struct component_functions {
    void (*wasi_delete)(void *config);
    _Bool (*wasi_argv)(void *config, size_t count, const char **arguments);
    _Bool (*wasi_env)(void *config, size_t count, const char **names, const char **values);
    void (*wasi_stdin_bytes)(void *config, void *bytes);
    _Bool (*wasi_stdin_file)(void *config, const char *path);
    _Bool (*wasi_stdout_file)(void *config, const char *path);
    _Bool (*wasi_stderr_file)(void *config, const char *path);
    void (*byte_vec_new)(void *vector, size_t size, const uint8_t *bytes);
    void (*set_http)(void *context);
    void *(*instantiate)(void *linker, void *context, void *component, void *instance);
    _Bool (*instance_func)(void *instance, void *context, void *index, void *function);
    void *(*call)(void *function, void *context, void *arguments, size_t arguments_count, void *results,
                  size_t results_count);
    void (*val_delete)(void *value);
};

/* As in native_component.c, whose `wsgi_wasm_component_sizes` says whether it still is. */
struct component_run {
    struct run run;
    void *linker, *component, *run_index;
    const char *input_path;
    const char *output_path, *errors_path;
    int32_t output_file, errors_file;
    int64_t core_instances, tables, memories;
    uint32_t outbound, small;
    uint32_t well;
    uint32_t refused;
    uint64_t output_waiting, errors_waiting;
};
uint64_t wsgi_wasm_component_sizes(void);
void *wsgi_wasm_waits(void *data, void *context, void *type, void *arguments, size_t arguments_count, void *results,
                      size_t results_count);

static struct component_run *component;
static size_t strings_seen;

static void wasi_delete(void *config) { release(config); }
static void look_at(const char *text)
{
    strings_seen += strlen(text) + 1; /* to its end, wherever that is */
}
static _Bool wasi_argv(void *config, size_t count, const char **arguments)
{
    for (size_t i = 0; i < count; i++)
        look_at(arguments[i]);
    return byte() != 255;
}
static _Bool wasi_env(void *config, size_t count, const char **names, const char **values)
{
    for (size_t i = 0; i < count; i++) {
        look_at(names[i]);
        look_at(values[i]);
    }
    return byte() != 255;
}
static void byte_vec_new(void *vector, size_t size, const uint8_t *bytes)
{
    struct {
        size_t size;
        uint8_t *bytes;
    } *v = vector;
    v->size = size;
    v->bytes = malloc(size + 1);
    memcpy(v->bytes, bytes, size);
}
static void wasi_stdin_bytes(void *config, void *vector) { free(((uint8_t **)vector)[1]); }
static _Bool wasi_file(void *config, const char *path)
{
    look_at(path);
    return byte() != 255;
}
static void set_http(void *context) {}
static void *component_instantiate(void *linker, void *context, void *one, void *instance)
{
    return byte() == 255 ? token() : NULL;
}
static _Bool instance_func(void *instance, void *context, void *index, void *function) { return byte() != 255; }
static void *component_call(void *function, void *context, void *arguments, size_t arguments_count, void *results,
                            size_t results_count)
{
    uint8_t *result = results;
    while (next_byte < end_byte) {
        uint8_t how = byte();
        if (how & 1)
            assert(!wsgi_wasm_waits(NULL, context, NULL, NULL, 0, NULL, 0));
        else if (how & 2) {
            uint64_t delta;
            uint8_t kind;
            void *error = g.epoch(context, g.epoch_data, &delta, &kind);
            if (error)
                return error;
        } else if (how & 4) {
            uint8_t text[64];
            memset(text, how, sizeof text);
            if (write(component->output_file, text, how >> 2) < 0)
                abort();
        } else
            break;
    }
    result[0] = byte();
    result[8] = byte() & 1;
    return byte() == 255 ? token() : NULL;
}
static void val_delete(void *value) {}

static void run_component(const struct run *like)
{
    static char output[] = "/dev/null";
    struct component_run c = {0};
    c.run = *like;
    c.output_path = c.errors_path = output;
    c.output_file = memfd_create("output", MFD_CLOEXEC);
    c.errors_file = byte() & 1 ? memfd_create("errors", MFD_CLOEXEC) : -1;
    c.input_path = byte() & 1 ? output : NULL;
    c.outbound = byte() & 1;
    c.small = byte() & 1;
    component = &c;
    g.run = &c.run;
    wsgi_wasm_run_component(&c);
    assert(c.run.output_size <= c.run.output_capacity);
    assert(c.refused <= 3);
    close(c.output_file);
    close(c.errors_file);
    release(c.run.error);
}

/* --- one input --- */

static void start(void)
{
    static const struct component_functions k = {
        wasi_delete, wasi_argv, wasi_env, wasi_stdin_bytes, wasi_file, wasi_file, wasi_file, byte_vec_new, set_http,
        component_instantiate, instance_func, component_call, val_delete,
    };
    static const struct functions w = {
        .store_new = store_new,
        .store_context = store_context,
        .store_delete = store_delete,
        .store_limiter = store_limiter,
        .store_epoch_callback = store_epoch_callback,
        .set_epoch_deadline = set_epoch_deadline,
        .wasi_new = wasi_new,
        .set_wasi = set_wasi,
        .instantiate = instantiate,
        .export_get = export_get,
        .call = call,
        .caller_export_get = caller_export_get,
        .memory_data = memory_data,
        .memory_data_size = memory_data_size,
        .trap_new = trap_new,
        .error_new = error_new,
        .engine_increment_epoch = engine_increment_epoch,
        .save_thread = save_thread,
        .restore_thread = restore_thread,
        .take = take,
        .failed = failed,
    };
    /* A function that was added there and not here would be called as NULL. */
    for (size_t i = 0; i < sizeof w / sizeof(void *); i++)
        assert(((void *const *)&w)[i]);
    if (wsgi_wasm_component_sizes() != (sizeof(struct component_run) << 16 | sizeof k)) {
        fputs("harness.c has other structures than native_component.c\n", stderr);
        abort();
    }
    wsgi_wasm_functions(&w);
    wsgi_wasm_component_functions(&k);
    g.memory = malloc(RESERVED);
}

/* So many strings of the input as a block of its own, of the size that they have. */
static uint8_t *block(uint64_t *count, uint64_t *size, uint32_t most, uint32_t each)
{
    uint8_t text[512];
    *size = 0;
    *count = byte() % (most + 1);
    for (uint64_t i = 0; i < each * *count; i++) {
        for (uint32_t left = byte() % 8; left; left--)
            text[(*size)++] = byte() | 1;
        text[(*size)++] = 0;
    }
    uint8_t *copy = malloc(*size + !*size);
    memcpy(copy, text, *size);
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!g.memory)
        start();
    next_byte = data;
    end_byte = data + size;
    struct run r = {0};
    uint8_t flags = byte();
    g.run = &r;
    g.has_memory = !!(flags & 7);
    g.taken = g.wanted = 0;
    g.python_calls = 0;
    g.wants_end = flags >> 7;
    g.most = RESERVED >> (byte() & 7);
    resize(g.most >> (byte() & 7));
    memset(g.memory, 0, g.size);
    int is_component = (flags >> 3 & 7) == 7;
    uint8_t *environment = block(&r.environment_count, &r.environment_size, 8, is_component ? 2 : 1);
    uint8_t *arguments = block(&r.arguments_count, &r.arguments_size, 8, 1);
    r.environment = environment;
    r.arguments = arguments;
    r.input_size = byte();
    uint8_t *input = malloc(r.input_size + 1);
    memset(input, 'i', r.input_size + 1);
    r.input_file = -1;
    if (flags & 64) {
        r.input_file = memfd_create("input", MFD_CLOEXEC);
        if (write(r.input_file, input, r.input_size) < 0)
            abort();
    } else if (byte() != 255)
        r.input = input;
    r.output_capacity = byte() * 4 + 1;
    r.output_limit = 1 + byte() * 8;
    uint8_t *output = malloc(r.output_capacity);
    r.output = output;
    r.keeps_gil = byte() & 1;
    uint8_t calls = byte();
    r.profiled = calls & 1;
    r.first = calls & 2 ? NULL : (const uint8_t *)"_initialize";
    r.second = calls & 4 ? (const uint8_t *)"_start" : NULL;
    r.first_size = 11;
    r.second_size = 6;
    r.wasi = byte() & 1 ? token() : NULL;
    r.python_epoch = python_epoch;
    if (is_component)
        run_component(&r);
    else {
        wsgi_wasm_run(&r);
        /* All that was written is there, in order and whole. */
        assert(g.taken + r.output_size == g.wanted);
        assert(!memcmp(g.gathered, g.expected, g.taken));
        assert(!memcmp(r.output, g.expected + g.taken, r.output_size));
        release(r.error);
        release(r.trap);
    }
    assert(!g.stores);
    assert(!g.errors); /* of what Wasmtime handed over, nothing is left or freed twice */
    if (r.input_file >= 0)
        close(r.input_file);
    free(environment);
    free(arguments);
    free(input);
    free(output);
    return 0;
}
