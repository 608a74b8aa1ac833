/* One run of a guest without the interpreter: what `guest.py` and `wasi.py` do for the common
 * guest, in C.
 *
 * A guest that reads its environment and its body and writes its output needs nothing of Python
 * while it runs. Here its store is made, it is called, its output is gathered, and its store is
 * freed, in one call.
 *
 * A guest that was short the last time keeps the interpreter's lock: handing the lock over
 * costs more than such a guest. The first tick of the clock lets go of it; one that may wait
 * for a file never has it, and neither has one with much memory, as a tick comes only after
 * what one instruction does with all of it. Who kept it past a tick all the same does not get
 * it again (gil.py).
 *
 * Everything else is a call into Python, to the very functions that serve where this file was
 * not compiled: files, sleeping, errors, a full buffer, each tick of the clock. Before any such
 * call what was gathered is handed over, so Python never sees an order of events that the guest
 * did not make.
 *
 * A plain shared library: it uses neither the interpreter's headers nor Wasmtime's. `native.py`
 * passes the addresses of Wasmtime's functions, and has the same structures; both sides compare
 * their sizes when it is loaded.
 *
 * Addresses come from a guest. Each is a 32-bit offset into its memory, and is compared with the
 * memory's size, in 64 bits, before it is used. What is wrong with a call is left to Python to say.
 */
#include "native.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { FUNCTION = 0, MEMORY = 3 }; /* WASMTIME_EXTERN_FUNC and _MEMORY */
/* errno of WASI preview 1 */
enum { SUCCESS = 0, BADF = 8, FAULT = 21, IO = 29, NAMETOOLONG = 37, NOTDIR = 54 };
enum { FIRST_PREOPEN = 3, FILESTAT_SIZE = 64 };
enum { MAX_VECTORS = 1024, MAX_READ = 1 << 20, MAX_ENGINES = 64 };
/* files.py: bytes of a path; bytes that are read or written between two looks at the clock */
enum { MAX_PATH = 4096, MAX_PIECE = 1 << 18, MAX_PARAMETERS = 16 };
enum { MAX_RANDOM = 1 << 12 }; /* bytes; more take their time */
enum { SMALL = 1 << 20 }; /* bytes; a larger memory takes longer to be given back */
/* nanoseconds; ticks without a run before the ticker sleeps */
enum { TICK = 10000000, IDLE_TICKS = 100 };

struct functions w;
__thread struct run *current;
static const char ENDS[] = "the run ends";
static const char NO_CALL[] = "does not export the function to call";

EXPORTED uint64_t wsgi_wasm_sizes(void) { return sizeof(struct run) << 16 | sizeof(struct functions); }

EXPORTED void wsgi_wasm_functions(const struct functions *functions) { w = *functions; }

double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- the ticker: advances the epochs while guests run --- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int started;
    _Atomic int running, asleep;
    int engine_count; /* and the engines: only with the lock */
    void *engines[MAX_ENGINES];
} ticker = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void *tick(void *unused)
{
    int idle = 0;
    for (;;) {
        struct timespec pause = {0, TICK};
        nanosleep(&pause, NULL);
        /* None is freed meanwhile. */
        pthread_mutex_lock(&ticker.lock);
        for (int i = 0; i < ticker.engine_count; i++)
            w.engine_increment_epoch(ticker.engines[i]);
        pthread_mutex_unlock(&ticker.lock);
        idle = ticker.running ? 0 : idle + 1;
        if (idle > IDLE_TICKS) {
            pthread_mutex_lock(&ticker.lock);
            ticker.asleep = 1;
            /* A run that came before this line is seen here; one that comes after it sees
             * `asleep`. */
            while (!ticker.running)
                pthread_cond_wait(&ticker.wake, &ticker.lock);
            ticker.asleep = 0;
            pthread_mutex_unlock(&ticker.lock);
            idle = 0;
        }
    }
    return unused;
}

/* Adds an engine whose epoch is to be advanced, and starts the thread with the first. 0, or an
 * errno. */
EXPORTED int wsgi_wasm_ticks(void *engine)
{
    int failed = 0;
    pthread_mutex_lock(&ticker.lock);
    if (ticker.engine_count == MAX_ENGINES)
        failed = -1;
    if (!failed && !ticker.started) {
        pthread_t thread;
        sigset_t all, before;
        /* Signals belong to the interpreter's threads. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        failed = pthread_create(&thread, NULL, tick, NULL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (!failed) {
            pthread_detach(thread);
            ticker.started = 1;
        }
    }
    if (!failed) {
        ticker.engines[ticker.engine_count] = engine;
        ticker.engine_count++;
    }
    pthread_mutex_unlock(&ticker.lock);
    return failed;
}

/* Before an engine is freed: the ticker lets go of it. */
EXPORTED void wsgi_wasm_ticks_no_more(void *engine)
{
    pthread_mutex_lock(&ticker.lock);
    for (int i = 0; i < ticker.engine_count; i++)
        if (ticker.engines[i] == engine) {
            ticker.engine_count--;
            ticker.engines[i] = ticker.engines[ticker.engine_count];
            break;
        }
    pthread_mutex_unlock(&ticker.lock);
}

/* In a child after fork: the thread and the engines are the parent's. */
EXPORTED void wsgi_wasm_forget(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
    ticker.lock = lock;
    ticker.wake = wake;
    ticker.started = 0;
    ticker.running = ticker.asleep = ticker.engine_count = 0;
    current = NULL;
}

static void begin(void)
{
    atomic_fetch_add(&ticker.running, 1);
    if (ticker.asleep) {
        pthread_mutex_lock(&ticker.lock);
        pthread_cond_signal(&ticker.wake);
        pthread_mutex_unlock(&ticker.lock);
    }
}

/* --- what goes to Python --- */

static int hand_over(struct run *r)
{
    size_t size = r->output_size;
    r->output_size = 0;
    r->handed += size;
    return size ? w.take(r->output, size) : 0;
}

/* By the host function that answers where this library is not used. */
EXPORTED void *wsgi_wasm_in_python(void *function, void *caller, raw *arguments, size_t count)
{
    struct run *r = current;
    if (hand_over(r))
        return w.trap_new(ENDS, sizeof ENDS - 1);
    r->inside++;
    void *trap = ((struct host_function *)function)->python(NULL, caller, arguments, count);
    r->inside--;
    return trap;
}

/* Python takes the lock again by itself where it is called from here on. */
void let_go(struct run *r)
{
    if (r->keeps_gil && !r->inside && !r->thread) {
        r->gil_seconds = now(CLOCK_THREAD_CPUTIME_ID) - r->cpu_start;
        r->thread = w.save_thread();
    }
}

static void *on_epoch(void *context, void *python, uint64_t *delta, uint8_t *kind)
{
    let_go(current);
    if (hand_over(current))
        return w.error_new(ENDS);
    return ((epoch_function *)python)(context, NULL, delta, kind);
}

/* --- the guest's memory --- */

/* The bytes [at, at + size) of the guest's memory, NULL where they do not all lie in it. A memory
 * never moves: its slot of the pool reserves all addresses. */
static uint8_t *guest_bytes(struct run *r, void *caller, uint32_t at, uint64_t size)
{
    if (!r->memory) {
        if (!w.caller_export_get(caller, "memory", 6, &r->memory_item) || r->memory_item.kind != MEMORY)
            return NULL;
        r->memory = w.memory_data(r->context, r->memory_item.of);
    }
    if (at + size > r->memory_size) {
        r->memory_size = w.memory_data_size(r->context, r->memory_item.of);
        if (at + size > r->memory_size)
            return NULL;
    }
    return r->memory + at;
}

static void *answer(raw *arguments, int32_t error)
{
    arguments[0].i32 = error;
    return NULL;
}

/* --- files: Wasmtime's own functions, called in the guest's name (forwarding.py) --- */

/* wasmtime_val_t for i32 and i64 */
struct value {
    uint8_t kind;
    uint64_t of, rest[2];
};

static void *forward(struct run *r, const struct host_function *f, raw *arguments)
{
    struct value values[MAX_PARAMETERS] = {0}, result = {0};
    void *trap = NULL;
    for (uint32_t i = 0; i < f->count; i++) {
        values[i].kind = f->wide >> i & 1;
        values[i].of = values[i].kind ? (uint64_t)arguments[i].i64 : (uint32_t)arguments[i].i32;
    }
    void *error = w.call(r->context, r->forwarder[f->index].of, values, f->count, &result, 1, &trap);
    if (error) {
        w.failed(error);
        return w.trap_new(ENDS, sizeof ENDS - 1);
    }
    return trap ? trap : answer(arguments, (int32_t)result.of);
}

/* A function that takes paths, where they are as short as paths can be. */
EXPORTED void *wsgi_wasm_forwarded(void *function, void *caller, raw *arguments, size_t count)
{
    const struct host_function *f = function;
    struct run *r = current;
    _Bool small = r->forwarder != NULL && r->directories == KNOWN;
    for (uint32_t i = 0; small && i < f->count; i++)
        small = !(f->lengths >> i & 1) || (uint32_t)arguments[i].i32 <= MAX_PATH;
    return small ? forward(r, f, arguments) : wsgi_wasm_in_python(function, caller, arguments, count);
}

/* ciovec: address and length */
struct vector {
    uint32_t address, length;
};

/* Whether the first vector that is not empty, the only one that Wasmtime looks at, is of a file and
 * short enough for one call. */
static _Bool is_small_file_vector(struct run *r, void *caller, const raw *arguments)
{
    uint32_t vectors = (uint32_t)arguments[2].i32;
    struct vector v;
    if ((uint32_t)arguments[0].i32 <= 2 || r->python_streams || !r->forwarder || vectors > MAX_VECTORS)
        return 0;
    uint8_t *list = guest_bytes(r, caller, (uint32_t)arguments[1].i32, sizeof v * vectors);
    for (uint32_t i = 0; list && i < vectors; i++) {
        memcpy(&v, list + sizeof v * i, sizeof v);
        if (v.length)
            return v.length <= MAX_PIECE;
    }
    return list != NULL;
}

/* --- WASI preview 1 --- */

static void *string_sizes(void *caller, raw *arguments, uint64_t count, uint64_t size)
{
    struct run *r = current;
    uint8_t *count_at = guest_bytes(r, caller, (uint32_t)arguments[0].i32, 4);
    uint8_t *size_at = guest_bytes(r, caller, (uint32_t)arguments[1].i32, 4);
    uint32_t values[2] = {(uint32_t)count, (uint32_t)size};
    if (!count_at || !size_at)
        return answer(arguments, FAULT);
    memcpy(count_at, &values[0], 4);
    memcpy(size_at, &values[1], 4);
    return answer(arguments, SUCCESS);
}

static void *strings(void *caller, raw *arguments, const uint8_t *text, uint64_t count, uint64_t size)
{
    struct run *r = current;
    uint32_t address = (uint32_t)arguments[1].i32;
    uint8_t *pointers = guest_bytes(r, caller, (uint32_t)arguments[0].i32, 4 * count);
    uint8_t *copy = guest_bytes(r, caller, address, size);
    if (!pointers || !copy)
        return answer(arguments, FAULT);
    const uint8_t *end = text + size;
    memcpy(copy, text, size);
    for (uint64_t i = 0; i < count; i++) {
        memcpy(pointers + 4 * i, &address, 4);
        const uint8_t *nul = memchr(text, 0, (size_t)(end - text));
        if (!nul)
            break;
        address += (uint32_t)(nul + 1 - text);
        text = nul + 1;
    }
    return answer(arguments, SUCCESS);
}

EXPORTED void *wsgi_wasm_environ_sizes_get(void *function, void *caller, raw *arguments, size_t count)
{
    return string_sizes(caller, arguments, current->environment_count, current->environment_size);
}

EXPORTED void *wsgi_wasm_environ_get(void *function, void *caller, raw *arguments, size_t count)
{
    return strings(caller, arguments, current->environment, current->environment_count, current->environment_size);
}

EXPORTED void *wsgi_wasm_args_sizes_get(void *function, void *caller, raw *arguments, size_t count)
{
    return string_sizes(caller, arguments, current->arguments_count, current->arguments_size);
}

EXPORTED void *wsgi_wasm_args_get(void *function, void *caller, raw *arguments, size_t count)
{
    return strings(caller, arguments, current->arguments, current->arguments_count, current->arguments_size);
}

EXPORTED void *wsgi_wasm_fd_write(void *function, void *caller, raw *arguments, size_t count)
{
    struct run *r = current;
    uint32_t vectors = (uint32_t)arguments[2].i32;
    if (is_small_file_vector(r, caller, arguments))
        return forward(r, function, arguments);
    if (arguments[0].i32 != 1 || r->python_streams || vectors > MAX_VECTORS)
        return wsgi_wasm_in_python(function, caller, arguments, count);
    uint8_t *list = guest_bytes(r, caller, (uint32_t)arguments[1].i32, sizeof(struct vector) * vectors);
    uint8_t *written_at = guest_bytes(r, caller, (uint32_t)arguments[3].i32, 4);
    if (!list || !written_at)
        return wsgi_wasm_in_python(function, caller, arguments, count);
    uint64_t total = 0;
    struct vector v;
    for (uint32_t i = 0; i < vectors; i++) {
        memcpy(&v, list + sizeof v * i, sizeof v);
        total += v.length;
    }
    if (total > r->output_capacity || r->handed + r->output_size + total > r->output_limit)
        return wsgi_wasm_in_python(function, caller, arguments, count);
    if (r->output_size + total > r->output_capacity && hand_over(r))
        return w.trap_new(ENDS, sizeof ENDS - 1);
    uint64_t size = r->output_size;
    for (uint32_t i = 0; i < vectors; i++) {
        memcpy(&v, list + sizeof v * i, sizeof v);
        uint8_t *bytes = v.length ? guest_bytes(r, caller, v.address, v.length) : list;
        if (!bytes) /* Python writes what comes before the bad one, as other hosts do */
            return wsgi_wasm_in_python(function, caller, arguments, count);
        memcpy(r->output + size, bytes, v.length);
        size += v.length;
    }
    r->output_size = size;
    uint32_t written = (uint32_t)total;
    memcpy(written_at, &written, 4);
    return answer(arguments, SUCCESS);
}

static int64_t read_input(struct run *r, uint8_t *bytes, uint32_t size)
{
    int64_t got;
    if (r->input) {
        uint64_t left = r->input_size - r->input_at;
        got = size < left ? size : (int64_t)left;
        memcpy(bytes, r->input + r->input_at, (size_t)got);
    } else {
        do
            got = pread(r->input_file, bytes, size, (off_t)r->input_at);
        while (got < 0 && errno == EINTR);
    }
    if (got > 0)
        r->input_at += (uint64_t)got;
    return got;
}

EXPORTED void *wsgi_wasm_fd_read(void *function, void *caller, raw *arguments, size_t count)
{
    struct run *r = current;
    uint32_t vectors = (uint32_t)arguments[2].i32, total = 0;
    if (is_small_file_vector(r, caller, arguments))
        return forward(r, function, arguments);
    if (arguments[0].i32 != 0 || r->python_streams || !(r->input || r->input_file >= 0) || vectors > MAX_VECTORS)
        return wsgi_wasm_in_python(function, caller, arguments, count);
    uint8_t *list = guest_bytes(r, caller, (uint32_t)arguments[1].i32, sizeof(struct vector) * vectors);
    uint8_t *read_at = guest_bytes(r, caller, (uint32_t)arguments[3].i32, 4);
    if (!list || !read_at)
        return answer(arguments, FAULT);
    for (uint32_t i = 0; i < vectors; i++) {
        struct vector v;
        memcpy(&v, list + sizeof v * i, sizeof v);
        uint32_t size = v.length < MAX_READ - total ? v.length : MAX_READ - total;
        if (!v.length)
            continue;
        uint8_t *bytes = guest_bytes(r, caller, v.address, size);
        if (!bytes)
            return answer(arguments, FAULT);
        int64_t got = read_input(r, bytes, size);
        if (got < 0)
            return answer(arguments, IO);
        total += (uint32_t)got;
        if (got < v.length)
            break;
    }
    memcpy(read_at, &total, 4);
    return answer(arguments, SUCCESS);
}

EXPORTED void *wsgi_wasm_fd_pread(void *function, void *caller, raw *arguments, size_t count)
{
    struct run *r = current;
    if (is_small_file_vector(r, caller, arguments))
        return forward(r, function, arguments);
    return wsgi_wasm_in_python(function, caller, arguments, count);
}

EXPORTED void *wsgi_wasm_fd_pwrite(void *function, void *caller, raw *arguments, size_t count)
{
    return wsgi_wasm_fd_pread(function, caller, arguments, count);
}

/* The name of a directory that the guest is granted, NULL where the descriptor is none. */
static const char *preopen(const struct run *r, uint32_t descriptor)
{
    if (descriptor < FIRST_PREOPEN || descriptor - FIRST_PREOPEN >= r->preopens_count)
        return NULL;
    const char *name = (const char *)r->preopens;
    for (uint32_t i = FIRST_PREOPEN; i < descriptor; i++)
        name += strlen(name) + 1;
    return name;
}

EXPORTED void *wsgi_wasm_fd_prestat_get(void *function, void *caller, raw *arguments, size_t count)
{
    struct run *r = current;
    if (r->python_streams || r->directories == FROZEN)
        return wsgi_wasm_in_python(function, caller, arguments, count);
    r->directories = KNOWN;
    const char *name = preopen(r, (uint32_t)arguments[0].i32);
    uint8_t *at = guest_bytes(r, caller, (uint32_t)arguments[1].i32, 8);
    if (!at || !name)
        return answer(arguments, at ? BADF : FAULT);
    uint32_t values[2] = {0, (uint32_t)strlen(name)};
    memcpy(at, values, sizeof values);
    return answer(arguments, SUCCESS);
}

EXPORTED void *wsgi_wasm_fd_prestat_dir_name(void *function, void *caller, raw *arguments, size_t count)
{
    struct run *r = current;
    if (r->python_streams || r->directories == FROZEN)
        return wsgi_wasm_in_python(function, caller, arguments, count);
    const char *name = preopen(r, (uint32_t)arguments[0].i32);
    if (!name)
        return answer(arguments, NOTDIR);
    size_t length = strlen(name);
    if ((uint32_t)arguments[2].i32 < length)
        return answer(arguments, NAMETOOLONG);
    uint8_t *at = guest_bytes(r, caller, (uint32_t)arguments[1].i32, length);
    if (!at)
        return answer(arguments, FAULT);
    memcpy(at, name, length);
    return answer(arguments, SUCCESS);
}

EXPORTED void *wsgi_wasm_fd_filestat_get(void *function, void *caller, raw *arguments, size_t count)
{
    struct run *r = current;
    if (r->forwarder && r->directories == KNOWN)
        return forward(r, function, arguments);
    if ((uint32_t)arguments[0].i32 > 2 || r->python_streams)
        return wsgi_wasm_in_python(function, caller, arguments, count);
    uint8_t *at = guest_bytes(r, caller, (uint32_t)arguments[1].i32, FILESTAT_SIZE);
    if (!at)
        return answer(arguments, FAULT);
    memset(at, 0, FILESTAT_SIZE);
    return answer(arguments, SUCCESS);
}

EXPORTED void *wsgi_wasm_random_get(void *function, void *caller, raw *arguments, size_t count)
{
    uint32_t size = (uint32_t)arguments[1].i32;
    if (size > MAX_RANDOM)
        return wsgi_wasm_in_python(function, caller, arguments, count);
    uint8_t *bytes = guest_bytes(current, caller, (uint32_t)arguments[0].i32, size);
    if (!bytes)
        return answer(arguments, FAULT);
    for (uint32_t done = 0; done < size;) {
        ssize_t got = getrandom(bytes + done, size - done, 0);
        if (got < 0 && errno != EINTR)
            return answer(arguments, IO);
        done += got < 0 ? 0 : (uint32_t)got;
    }
    return answer(arguments, SUCCESS);
}

EXPORTED void *wsgi_wasm_proc_exit(void *function, void *caller, raw *arguments, size_t count)
{
    current->exited = 1;
    current->code = (uint32_t)arguments[0].i32;
    return w.trap_new(ENDS, sizeof ENDS - 1);
}

/* --- the run --- */

void ended(struct run *r, enum step step, double *since)
{
    if (r->profiled) {
        double moment = now(CLOCK_MONOTONIC);
        r->steps[step] = moment - *since;
        *since = moment;
    }
}

void *take_wasi(struct run *r)
{
    void *config = r->wasi ? r->wasi : w.wasi_new();
    r->wasi = NULL;
    return config;
}

void *open_store(struct run *r)
{
    void *store = w.store_new(r->engine, NULL, NULL);
    r->context = w.store_context(store);
    r->output_size = r->input_at = r->handed = 0;
    r->gil_seconds = 0;
    r->error = r->trap = NULL;
    r->exited = r->code = r->python_streams = r->inside = 0;
    r->thread = NULL;
    r->forwarder = NULL;
    r->directories = r->begins_unasked ? UNASKED : KNOWN;
    r->memory = NULL;
    r->memory_size = 0;
    if (r->profiled)
        memset(r->steps, 0, sizeof r->steps);
    w.set_epoch_deadline(r->context, 1);
    w.store_epoch_callback(store, on_epoch, r->python_epoch, NULL);
    return store;
}

struct run *enter(struct run *r)
{
    struct run *outer = current;
    current = r;
    r->wall_start = now(CLOCK_MONOTONIC);
    r->cpu_start = now(CLOCK_THREAD_CPUTIME_ID);
    begin();
    return outer;
}

void leave(struct run *r, struct run *outer)
{
    ticker.running--;
    r->cpu = now(CLOCK_THREAD_CPUTIME_ID) - r->cpu_start;
    r->wall = now(CLOCK_MONOTONIC) - r->wall_start;
    if (r->keeps_gil && !r->thread)
        r->gil_seconds = r->cpu;
    current = outer;
}

void close_store(struct run *r, void *store, int takes_long, double *since)
{
    if (takes_long)
        let_go(r);
    w.store_delete(store);
    ended(r, TEARDOWN, since);
    if (r->thread)
        w.restore_thread(r->thread);
}

static void call_export(struct run *r, const uint8_t *name, uint64_t size)
{
    if (!name || r->error || r->trap)
        return;
    if (!w.export_get(r->context, r->instance, (const char *)name, size, &r->start) || r->start.kind != FUNCTION) {
        r->error = w.error_new(NO_CALL);
        return;
    }
    r->error = w.call(r->context, r->start.of, NULL, 0, NULL, 0, &r->trap);
}

static void instantiate_and_call(struct run *r, double *since)
{
    r->error = w.instantiate(r->prepared, r->context, r->instance, &r->trap);
    ended(r, INSTANTIATE, since);
    if (r->error || r->trap)
        return;
    call_export(r, r->first, r->first_size);
    call_export(r, r->second, r->second_size);
    ended(r, CALL, since);
}

/* Runs a guest to its end in a store of its own. The caller frees `error` and `trap`. */
EXPORTED void wsgi_wasm_run(struct run *r)
{
    double since = r->profiled ? now(CLOCK_MONOTONIC) : 0;
    void *store = open_store(r);
    w.store_limiter(store, (int64_t)r->memory_limit, TABLE_ELEMENTS, 2, 8, 1);
    r->error = w.set_wasi(r->context, take_wasi(r));
    if (!r->error) {
        struct run *outer = enter(r);
        ended(r, PREPARE, &since);
        instantiate_and_call(r, &since);
        leave(r, outer);
    }
    close_store(r, store, r->memory_size > SMALL, &since);
}
