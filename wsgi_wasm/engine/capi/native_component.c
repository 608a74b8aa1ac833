/* One run of a component: what `component_guest.py` and `component_wasi.py` do where the guest
 * needs nothing of Python.
 *
 * A component's streams are Wasmtime's own. Output and errors are files in memory: what lies in
 * them at the end is read here, where it is little, and by Python where it is much or where a tick
 * of the clock has begun to read it.
 *
 * The interpreter's lock may be held, as for core modules, for a component that imports nothing in
 * which it could stay for long unnoticed. Where it waits, the adapter says so before, and the lock
 * is let go of.
 */
#include "native.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* what could not be given to the guest: component_wasi.py's REFUSALS */
enum refusal { NOTHING, OUTPUT, INPUT, TEXTS };

/* Wasmtime's functions for components, in the order of native.py's _COMPONENT_FUNCTIONS. */
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
static struct component_functions k;

/* One run. Python writes the first part before the call. `environment` has name and value of each
 * variable as strings of their own; of `struct run`, what is only for core modules is not used. */
struct component_run {
    struct run run;
    void *linker, *component, *run_index;
    /* the file that the body lies in, where `input` is NULL; NULL: Python has seen to it */
    const char *input_path;
    const char *output_path, *errors_path;
    int32_t output_file, errors_file; /* descriptors of these */
    int64_t core_instances, tables, memories;
    uint32_t outbound, small; /* whether it makes requests, and whether its memory begins small */

    uint32_t well; /* `run` returned ok */
    uint32_t refused;
    /* bytes in the files; of the output up to `output_capacity` have been read */
    uint64_t output_waiting, errors_waiting;
};

/* wasmtime_component_val_t of a result without payload */
struct result {
    uint8_t kind;
    struct {
        uint8_t is_ok;
        void *value;
    } of;
    uint64_t rest;
};

enum { RESULT = 19 }; /* WASMTIME_COMPONENT_RESULT */
static const char NO_RUN[] = "exports no function run";

/* seconds; one that ran for longer may have much memory to give back */
static const double SHORT = 0.001;

EXPORTED uint64_t wsgi_wasm_component_sizes(void)
{
    return sizeof(struct component_run) << 16 | sizeof(struct component_functions);
}

EXPORTED void wsgi_wasm_component_functions(const struct component_functions *functions) { k = *functions; }

/* The string at `*text`, which moves on to the next one. */
static const char *next(const uint8_t **text, const uint8_t *end)
{
    const char *found = *text < end ? (const char *)*text : "";
    *text += strlen(found) + 1;
    return found;
}

static enum refusal give_texts(struct run *r, void *config)
{
    uint64_t arguments = r->arguments_count, variables = r->environment_count;
    const char **list = calloc(arguments + 2 * variables + 1, sizeof *list), **names = list + arguments;
    if (!list)
        return TEXTS;
    const uint8_t *text = r->arguments;
    for (uint64_t i = 0; i < arguments; i++)
        list[i] = next(&text, r->arguments + r->arguments_size);
    text = r->environment;
    for (uint64_t i = 0; i < variables; i++) {
        names[i] = next(&text, r->environment + r->environment_size);
        names[variables + i] = next(&text, r->environment + r->environment_size);
    }
    _Bool well = k.wasi_argv(config, arguments, list) && k.wasi_env(config, variables, names, names + variables);
    free(list);
    return well ? NOTHING : TEXTS;
}

static enum refusal give_all(struct component_run *c, void *config)
{
    if (!k.wasi_stdout_file(config, c->output_path) || !k.wasi_stderr_file(config, c->errors_path))
        return OUTPUT;
    if (c->run.input) {
        struct { size_t size; uint8_t *bytes; } vector;
        k.byte_vec_new(&vector, c->run.input_size, c->run.input);
        k.wasi_stdin_bytes(config, &vector);
    } else if (c->input_path && !k.wasi_stdin_file(config, c->input_path))
        return INPUT;
    return give_texts(&c->run, config);
}

static void instantiate_and_call(struct component_run *c, double *since)
{
    struct run *r = &c->run;
    uint64_t function[4];
    struct result result = {0};
    r->error = k.instantiate(c->linker, r->context, c->component, r->instance);
    ended(r, INSTANTIATE, since);
    if (r->error)
        return;
    if (!k.instance_func(r->instance, r->context, c->run_index, function)) {
        r->error = w.error_new(NO_RUN);
        return;
    }
    r->error = k.call(function, r->context, NULL, 0, &result, 1);
    c->well = !r->error && result.kind == RESULT && result.of.is_ok;
    k.val_delete(&result); /* the type was looked at: this one owns nothing */
    ended(r, CALL, since);
}

/* More than any buffer holds where that cannot be told: then Python looks. */
static uint64_t waiting_in(int file)
{
    struct stat status;
    return fstat(file, &status) ? UINT64_MAX : (uint64_t)status.st_size;
}

static void read_files(struct component_run *c)
{
    struct run *r = &c->run;
    c->errors_waiting = waiting_in(c->errors_file);
    c->output_waiting = waiting_in(c->output_file);
    if (c->output_waiting && c->output_waiting <= r->output_capacity) {
        ssize_t got = pread(c->output_file, r->output, c->output_waiting, 0);
        r->output_size = got < 0 ? 0 : (uint64_t)got;
    }
}

/* What the adapter calls before the guest waits. A function of the host, as components have
 * them. */
EXPORTED void *wsgi_wasm_waits(void *data, void *context, void *type, void *arguments, size_t arguments_count,
                               void *results, size_t results_count)
{
    let_go(current);
    return NULL;
}

/* Runs a component to its end in a store of its own. The caller frees `error`. */
EXPORTED void wsgi_wasm_run_component(struct component_run *c)
{
    struct run *r = &c->run;
    double since = r->profiled ? now(CLOCK_MONOTONIC) : 0;
    void *store = open_store(r), *config = take_wasi(r);
    c->well = 0;
    c->output_waiting = c->errors_waiting = 0;
    w.store_limiter(store, (int64_t)r->memory_limit, TABLE_ELEMENTS, c->core_instances, c->tables, c->memories);
    c->refused = give_all(c, config);
    if (c->refused)
        k.wasi_delete(config);
    else if (!(r->error = w.set_wasi(r->context, config))) {
        if (c->outbound)
            k.set_http(r->context);
        struct run *outer = enter(r);
        ended(r, PREPARE, &since);
        instantiate_and_call(c, &since);
        leave(r, outer);
        read_files(c);
    }
    close_store(r, store, !c->small || r->wall > SHORT, &since);
}
