/* What native.c and native_component.c share: Wasmtime's functions, and one run of a guest. */
#ifndef WSGI_WASM_NATIVE_H
#define WSGI_WASM_NATIVE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { TABLE_ELEMENTS = 100000 };

/* What a guest knows of its directories: it has asked, or could not; it has not asked so far; it
 * uses them without having asked (root.py). */
enum directories { KNOWN, UNASKED, FROZEN };

enum step { PREPARE, INSTANTIATE, CALL, TEARDOWN, STEPS };

/* wasmtime_val_raw_t: one argument or result */
typedef union {
    int32_t i32;
    int64_t i64;
    unsigned char v128[16];
} raw;

typedef void *host_call(void *data, void *caller, raw *arguments, size_t count);
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
    void (*failed)(void *error); /* keeps it as the run's failure, and frees it */
};

/* What a linker has for a function of preview 1. `index` is its place in a forwarder, `count` the
 * number of its parameters; bits stand for those that are an i64, and those that are the length of
 * a path. */
struct host_function {
    host_call *python; /* answers what is not answered here */
    uint32_t index, count;
    uint64_t wide, lengths;
};

/* wasmtime_extern_t; `of` begins the union at offset 8 */
struct item {
    uint8_t kind;
    uint64_t of[3];
};

/* One run. The first part is written by Python before the call, the second by us, the third is ours
 * alone. */
struct run {
    void *engine, *prepared;
    /* wasi_config_t, NULL for one without directories; freed with the store, and set to NULL */
    void *wasi;
    /* strings that end in NUL; `input` NULL: Python reads the body */
    const uint8_t *environment, *arguments, *input;
    uint64_t environment_size, environment_count, arguments_size, arguments_count, input_size;
    const uint8_t *first, *second; /* names of the exports to call, NULL for none */
    uint64_t first_size, second_size;
    uint64_t memory_limit, output_limit;
    uint8_t *output;
    uint64_t output_capacity;
    void *python_epoch;
    const uint8_t *preopens; /* names of the guest's directories, each ends in NUL */
    uint64_t preopens_count, begins_unasked;

    uint64_t output_size; /* gathered and not handed over */
    uint64_t input_at;
    void *error, *trap;
    double wall_start, cpu_start; /* seconds of CLOCK_MONOTONIC, and of this thread's CPU time */
    double wall, cpu;             /* seconds from the first instruction to the last */
    double gil_seconds;           /* of CPU time for which a run kept the interpreter's lock */
    uint32_t exited, code;
    /* set by Python once descriptors 0 to 2 are no longer what they were */
    uint32_t python_streams;
    uint32_t directories; /* of that enum; Python sets it too */
    /* set by Python: the descriptor of the file that the body lies in, -1 for none */
    int32_t input_file;
    uint32_t keeps_gil; /* set by Python: the call came with the interpreter's lock */
    uint32_t inside; /* calls into Python that have not returned */
    void *thread;  /* what Python needs to get its lock again, once we have let go of it */
    /* set by Python once the guest's forwarder is there (forwarding.py): its functions */
    struct item *forwarder;

    double steps[STEPS]; /* seconds of each step, where Python has set `profiled` */
    uint64_t profiled;

    uint64_t handed;
    void *context;
    uint8_t *memory;
    uint64_t memory_size;
    struct item memory_item, start;
    uint64_t instance[2];
};

/* Python calls what is EXPORTED; the rest is this library's own. */
#define EXPORTED __attribute__((visibility("default")))
#pragma GCC visibility push(hidden)

extern struct functions w;
extern __thread struct run *current; /* of this thread */

double now(clockid_t clock);

/* Notes what a step took since `*since`, where Python has asked for it. */
void ended(struct run *r, enum step step, double *since);

/* The run's wasi_config_t, which is the caller's from here on. */
void *take_wasi(struct run *r);

/* A store for a run that begins anew. The run's `context` is set. */
void *open_store(struct run *r);

/* From `enter` to `leave` the guest's code runs on this thread. `enter` returns the run around this
 * one, NULL unless a server's write() has come back to us. */
struct run *enter(struct run *r);
void leave(struct run *r, struct run *outer);

/* Lets go of the interpreter's lock, where the call came with it. */
void let_go(struct run *r);

/* Frees the store; where that takes long, without the interpreter's lock. The lock is held again
 * afterwards. */
void close_store(struct run *r, void *store, int takes_long, double *since);

#pragma GCC visibility pop
#endif
