/* One run of a guest without the interpreter: what `guest.py` and `wasi.py` do for the common guest, in C.
 *
 * A guest that reads its environment and its body and writes its output needs nothing of Python while it runs. Here its
 * store is made, it is called, its output is gathered, and its store is freed, in one call.
 *
 * A guest that was short the last time is run with the interpreter's lock held: handing the lock over costs more than
 * such a guest. The first tick of the clock lets go of it, so that no guest keeps it for longer; one that may wait for a
 * file never has it.
 *
 * Everything else is a call into Python, to the very functions that serve where this file was not compiled: files,
 * sleeping, errors, a full buffer, each tick of the clock. Before any such call what was gathered is handed over, so
 * Python never sees an order of events that the guest did not make.
 *
 * A plain shared library: it uses neither the interpreter's headers nor Wasmtime's. `native.py` passes the addresses of
 * Wasmtime's functions, and has the same structures; both sides compare their sizes when it is loaded.
 *
 * Addresses come from a guest. Each is a 32-bit offset into its memory, and is compared with the memory's size, in 64
 * bits, before it is used. What is wrong with a call is left to Python to say.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SUCCESS = 0, FAULT = 21, IO = 29 }; /* errno of WASI preview 1 */
enum { MAX_VECTORS = 1024, MAX_READ = 1 << 20, TABLE_ELEMENTS = 100000, MAX_ENGINES = 64 };
enum { SMALL = 1 << 20 }; /* bytes; a larger memory takes longer to be given back */
enum { TICK = 10000000, IDLE_TICKS = 100 }; /* nanoseconds; ticks without a run before the ticker sleeps */

enum step { PREPARE, INSTANTIATE, CALL, TEARDOWN, STEPS };

/* wasmtime_val_raw_t: one argument or result */
typedef union {
    int32_t i32;
    int64_t i64;
    unsigned char v128[16];
} raw;

typedef void *host_function(void *data, void *caller, raw *arguments, size_t count);
typedef void *epoch_function(void *context, void *data, uint64_t *delta, uint8_t *kind);

/* Wasmtime's functions, in the order of native.py's _FUNCTIONS, then Python's. */
struct functions {
    void *(*store_new)(void *engine, void *data, void (*finalizer)(void *));
    void *(*store_context)(void *store);
    void (*store_delete)(void *store);
    void (*store_limiter)(void *store, int64_t memory, int64_t elements, int64_t instances, int64_t tables,
                          int64_t memories);
    void (*store_epoch_callback)(void *store, epoch_function *callback, void *data, void (*finalizer)(void *));
    void (*set_epoch_deadline)(void *context, uint64_t ticks);
    void *(*wasi_new)(void);
    void *(*set_wasi)(void *context, void *config);
    void *(*instantiate)(void *prepared, void *context, void *instance, void **trap);
    _Bool (*export_get)(void *context, void *instance, const char *name, size_t length, void *item);
    void *(*call)(void *context, void *function, void *arguments, size_t arguments_count, void *results,
                  size_t results_count, void **trap);
    _Bool (*caller_export_get)(void *caller, const char *name, size_t length, void *item);
    uint8_t *(*memory_data)(void *context, void *memory);
    size_t (*memory_data_size)(void *context, void *memory);
    void *(*trap_new)(const char *message, size_t length);
    void *(*error_new)(const char *message);
    void (*engine_increment_epoch)(void *engine);
    void *(*save_thread)(void); /* PyEval_SaveThread: lets go of the interpreter's lock */
    void (*restore_thread)(void *thread);
    int (*take)(const uint8_t *output, size_t size); /* not 0 where the run must end */
};
static struct functions w;

/* wasmtime_extern_t; `of` begins the union at offset 8 */
struct item {
    uint8_t kind;
    uint64_t of[3];
};

/* One run. The first part is written by Python before the call, the second by us, the third is ours alone. */
struct run {
    void *engine, *prepared;
    void *wasi; /* wasi_config_t, NULL for one without directories; freed with the store */
    const uint8_t *environment, *arguments, *input; /* strings that end in NUL; `input` NULL: Python reads the body */
    uint64_t environment_size, environment_count, arguments_size, arguments_count, input_size;
    uint64_t memory_limit, output_limit;
    uint8_t *output;
    uint64_t output_capacity;
    void *python_epoch;

    uint64_t output_size; /* gathered and not handed over */
    uint64_t input_at;
    void *error, *trap;
    double wall_start, cpu_start; /* seconds of CLOCK_MONOTONIC, and of this thread's CPU time */
    double wall, cpu;             /* seconds from the first instruction to the last */
    uint32_t exited, code;
    uint32_t python_streams; /* set by Python once descriptors 0 to 2 are no longer what they were */
    int32_t input_file;      /* set by Python: the descriptor of the file that the body lies in, -1 for none */
    uint32_t held; /* set by Python: the call came with the interpreter's lock */
    uint32_t inside; /* calls into Python that have not returned */
    void *thread;  /* what Python needs to get its lock again, once we have let go of it */

    double steps[STEPS]; /* seconds of each step, where Python has set `profiled` */
    uint64_t profiled;

    uint64_t handed;
    void *context;
    uint8_t *memory;
    uint64_t memory_size;
    struct item memory_item, start;
    uint64_t instance[2];
};

static __thread struct run *current;
static const char ENDS[] = "the run ends";

size_t wsgi_wasm_sizes(void) { return sizeof(struct run) << 16 | sizeof(struct functions); }

void wsgi_wasm_functions(const struct functions *functions) { w = *functions; }

static double now(clockid_t clock)
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
    _Atomic int running, asleep, engine_count;
    void *engines[MAX_ENGINES];
} ticker = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void *tick(void *unused)
{
    int idle = 0;
    for (;;) {
        struct timespec pause = {0, TICK};
        nanosleep(&pause, NULL);
        for (int i = 0; i < ticker.engine_count; i++)
            w.engine_increment_epoch(ticker.engines[i]);
        idle = ticker.running ? 0 : idle + 1;
        if (idle > IDLE_TICKS) {
            pthread_mutex_lock(&ticker.lock);
            ticker.asleep = 1;
            /* A run that came before this line is seen here; one that comes after it sees `asleep`. */
            while (!ticker.running)
                pthread_cond_wait(&ticker.wake, &ticker.lock);
            ticker.asleep = 0;
            pthread_mutex_unlock(&ticker.lock);
            idle = 0;
        }
    }
    return unused;
}

/* Adds an engine whose epoch is to be advanced, and starts the thread with the first. 0, or an errno. */
int wsgi_wasm_ticks(void *engine)
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

/* In a child after fork: the thread and the engines are the parent's. */
void wsgi_wasm_forget(void)
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

/* `python` is the host function that answers where this library is not used. */
void *wsgi_wasm_in_python(void *python, void *caller, raw *arguments, size_t count)
{
    struct run *r = current;
    if (hand_over(r))
        return w.trap_new(ENDS, sizeof ENDS - 1);
    r->inside++;
    void *trap = ((host_function *)python)(NULL, caller, arguments, count);
    r->inside--;
    return trap;
}

/* Python takes the lock again by itself where it is called from here on. */
static void let_go(struct run *r)
{
    if (r->held && !r->inside && !r->thread)
        r->thread = w.save_thread();
}

static void *on_epoch(void *context, void *python, uint64_t *delta, uint8_t *kind)
{
    let_go(current);
    if (hand_over(current))
        return w.error_new(ENDS);
    return ((epoch_function *)python)(context, NULL, delta, kind);
}

/* --- the guest's memory --- */

/* The bytes [at, at + size) of the guest's memory, NULL where they do not all lie in it. A memory never moves: its slot
 * of the pool reserves all addresses. */
static uint8_t *guest_bytes(struct run *r, void *caller, uint32_t at, uint64_t size)
{
    if (!r->memory) {
        if (!w.caller_export_get(caller, "memory", 6, &r->memory_item))
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

void *wsgi_wasm_environ_sizes_get(void *python, void *caller, raw *arguments, size_t count)
{
    return string_sizes(caller, arguments, current->environment_count, current->environment_size);
}

void *wsgi_wasm_environ_get(void *python, void *caller, raw *arguments, size_t count)
{
    return strings(caller, arguments, current->environment, current->environment_count, current->environment_size);
}

void *wsgi_wasm_args_sizes_get(void *python, void *caller, raw *arguments, size_t count)
{
    return string_sizes(caller, arguments, current->arguments_count, current->arguments_size);
}

void *wsgi_wasm_args_get(void *python, void *caller, raw *arguments, size_t count)
{
    return strings(caller, arguments, current->arguments, current->arguments_count, current->arguments_size);
}

/* ciovec: address and length */
struct vector {
    uint32_t address, length;
};

void *wsgi_wasm_fd_write(void *python, void *caller, raw *arguments, size_t count)
{
    struct run *r = current;
    uint32_t vectors = (uint32_t)arguments[2].i32;
    if (arguments[0].i32 != 1 || r->python_streams || vectors > MAX_VECTORS)
        return wsgi_wasm_in_python(python, caller, arguments, count);
    uint8_t *list = guest_bytes(r, caller, (uint32_t)arguments[1].i32, sizeof(struct vector) * vectors);
    uint8_t *written_at = guest_bytes(r, caller, (uint32_t)arguments[3].i32, 4);
    if (!list || !written_at)
        return wsgi_wasm_in_python(python, caller, arguments, count);
    uint64_t total = 0;
    struct vector v;
    for (uint32_t i = 0; i < vectors; i++) {
        memcpy(&v, list + sizeof v * i, sizeof v);
        total += v.length;
    }
    if (total > r->output_capacity || r->handed + r->output_size + total > r->output_limit)
        return wsgi_wasm_in_python(python, caller, arguments, count);
    if (r->output_size + total > r->output_capacity && hand_over(r))
        return w.trap_new(ENDS, sizeof ENDS - 1);
    uint64_t size = r->output_size;
    for (uint32_t i = 0; i < vectors; i++) {
        memcpy(&v, list + sizeof v * i, sizeof v);
        uint8_t *bytes = v.length ? guest_bytes(r, caller, v.address, v.length) : list;
        if (!bytes) /* Python writes what comes before the bad one, as other hosts do */
            return wsgi_wasm_in_python(python, caller, arguments, count);
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

void *wsgi_wasm_fd_read(void *python, void *caller, raw *arguments, size_t count)
{
    struct run *r = current;
    uint32_t vectors = (uint32_t)arguments[2].i32, total = 0;
    if (arguments[0].i32 != 0 || r->python_streams || !(r->input || r->input_file >= 0) || vectors > MAX_VECTORS)
        return wsgi_wasm_in_python(python, caller, arguments, count);
    uint8_t *list = guest_bytes(r, caller, (uint32_t)arguments[1].i32, sizeof(struct vector) * vectors);
    uint8_t *read_at = guest_bytes(r, caller, (uint32_t)arguments[3].i32, 4);
    if (!list || !read_at)
        return answer(arguments, FAULT);
    for (uint32_t i = 0; i < vectors; i++) {
        struct vector v;
        memcpy(&v, list + sizeof v * i, sizeof v);
        uint32_t size = v.length < MAX_READ ? v.length : MAX_READ;
        if (!size)
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

void *wsgi_wasm_proc_exit(void *python, void *caller, raw *arguments, size_t count)
{
    current->exited = 1;
    current->code = (uint32_t)arguments[0].i32;
    return w.trap_new(ENDS, sizeof ENDS - 1);
}

/* --- the run --- */

static void ended(struct run *r, enum step step, double *since)
{
    if (r->profiled) {
        double moment = now(CLOCK_MONOTONIC);
        r->steps[step] = moment - *since;
        *since = moment;
    }
}

static void instantiate_and_call(struct run *r, void *context, double *since)
{
    r->error = w.instantiate(r->prepared, context, r->instance, &r->trap);
    ended(r, INSTANTIATE, since);
    if (r->error || r->trap || !w.export_get(context, r->instance, "_start", 6, &r->start))
        return;
    r->error = w.call(context, r->start.of, NULL, 0, NULL, 0, &r->trap);
    ended(r, CALL, since);
}

/* Runs a guest to its end in a store of its own. The caller frees `error` and `trap`. */
void wsgi_wasm_run(struct run *r)
{
    double since = r->profiled ? now(CLOCK_MONOTONIC) : 0;
    void *store = w.store_new(r->engine, NULL, NULL), *context = w.store_context(store);
    struct run *outer = current; /* NULL, unless a server's write() has come back to us */
    r->output_size = r->input_at = r->handed = 0;
    r->error = r->trap = NULL;
    r->exited = r->code = r->python_streams = r->inside = 0;
    r->thread = NULL;
    if (r->profiled)
        memset(r->steps, 0, sizeof r->steps);
    r->context = context;
    r->memory = NULL;
    r->memory_size = 0;
    w.store_limiter(store, (int64_t)r->memory_limit, TABLE_ELEMENTS, 2, 8, 1);
    r->error = w.set_wasi(context, r->wasi ? r->wasi : w.wasi_new());
    if (!r->error) {
        w.set_epoch_deadline(context, 1);
        w.store_epoch_callback(store, on_epoch, r->python_epoch, NULL);
        current = r;
        r->wall_start = now(CLOCK_MONOTONIC);
        r->cpu_start = now(CLOCK_THREAD_CPUTIME_ID);
        begin();
        ended(r, PREPARE, &since);
        instantiate_and_call(r, context, &since);
        ticker.running--;
        r->cpu = now(CLOCK_THREAD_CPUTIME_ID) - r->cpu_start;
        r->wall = now(CLOCK_MONOTONIC) - r->wall_start;
        current = outer;
    }
    if (r->memory_size > SMALL)
        let_go(r);
    w.store_delete(store);
    ended(r, TEARDOWN, &since);
    if (r->thread)
        w.restore_thread(r->thread);
}
