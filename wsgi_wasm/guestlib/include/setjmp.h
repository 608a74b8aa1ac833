/* The other names of setjmp and longjmp. */
#include_next <setjmp.h>

#ifndef WSGI_WASM_SETJMP_H
#define WSGI_WASM_SETJMP_H
#ifdef __cplusplus
extern "C" {
#endif

/* The compiler knows setjmp by this name alone, and nothing is blocked that could be restored. */
#undef sigjmp_buf
#define sigjmp_buf jmp_buf
#define sigsetjmp(buffer, save) setjmp(buffer)
#define siglongjmp(buffer, value) longjmp(buffer, value)
#define _setjmp(buffer) setjmp(buffer)
#define _longjmp(buffer, value) longjmp(buffer, value)

#ifdef __cplusplus
}
#endif
#endif
