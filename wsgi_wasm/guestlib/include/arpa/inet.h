/* What wasi-libc's header leaves out and guestlib/host has. */
#include_next <arpa/inet.h>

#ifndef WSGI_WASM_ARPA_INET_H
#define WSGI_WASM_ARPA_INET_H
#ifdef __cplusplus
extern "C" {
#endif

in_addr_t inet_addr(const char *);
char *inet_ntoa(struct in_addr);

#ifdef __cplusplus
}
#endif
#endif
