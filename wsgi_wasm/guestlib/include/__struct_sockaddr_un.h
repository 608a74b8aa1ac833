/* In place of wasi-libc's, which has no room for a path: for programs that fill it before socket()
 * refuses. */
#ifndef __wasilibc___struct_sockaddr_un_h
#define __wasilibc___struct_sockaddr_un_h
#include <__typedef_sa_family_t.h>

struct sockaddr_un {
    __attribute__((aligned(16))) sa_family_t sun_family;
    char sun_path[108];
};
#endif
