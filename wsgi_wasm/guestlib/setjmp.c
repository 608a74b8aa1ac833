/* What the compiler calls in place of setjmp and longjmp, which libc declares and ziglang leaves
 * out, with the exception by which longjmp reaches setjmp. The names, and what they take, are
 * those of LLVM's WebAssembly back end. */
#include <stdint.h>

__asm__(".globl __c_longjmp\n.tagtype __c_longjmp i32\n__c_longjmp:\n");

/* The first bytes of a jmp_buf: which call of which function set it, at which of its setjmps, and
 * what longjmp hands over. */
struct mark {
    void *invocation;
    uint32_t label;
    struct {
        void *buffer;
        int value;
    } thrown;
};

void __wasm_setjmp(void *buffer, uint32_t label, void *invocation)
{
    struct mark *mark = buffer;
    mark->invocation = invocation;
    mark->label = label;
}

/* The setjmp of this invocation that the buffer was set by, or 0: then the jump goes further. */
uint32_t __wasm_setjmp_test(void *buffer, void *invocation)
{
    struct mark *mark = buffer;
    return mark->invocation == invocation ? mark->label : 0;
}

void __wasm_longjmp(void *buffer, int value)
{
    struct mark *mark = buffer;
    mark->thrown.buffer = buffer;
    mark->thrown.value = value ? value : 1;
    __builtin_wasm_throw(1, &mark->thrown); /* 1: the tag of C */
}
