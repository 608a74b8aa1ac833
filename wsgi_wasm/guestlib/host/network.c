/* The network: there is none but what the host connects, so names have only their own numbers, and
 * sockets are refused as by a kernel without the protocol. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>

#define WEAK __attribute__((weak))

static int refused(int error)
{
    errno = error;
    return -1;
}

WEAK int socket(int family, int type, int protocol) { return (void)family, (void)type, (void)protocol, refused(EAFNOSUPPORT); }
WEAK int socketpair(int family, int type, int protocol, int ends[2]) { return (void)ends, socket(family, type, protocol); }
WEAK int connect(int s, const struct sockaddr *to, socklen_t size) { return (void)s, (void)to, (void)size, refused(EBADF); }
WEAK int bind(int s, const struct sockaddr *at, socklen_t size) { return (void)s, (void)at, (void)size, refused(EBADF); }
WEAK int listen(int s, int most) { return (void)s, (void)most, refused(EBADF); }
WEAK int getsockname(int s, struct sockaddr *restrict a, socklen_t *restrict n) { return (void)s, (void)a, (void)n, refused(ENOTSOCK); }
WEAK int getpeername(int s, struct sockaddr *restrict a, socklen_t *restrict n) { return (void)s, (void)a, (void)n, refused(ENOTSOCK); }
WEAK int setsockopt(int s, int l, int o, const void *v, socklen_t n) { return (void)s, (void)l, (void)o, (void)v, (void)n, refused(EBADF); }
WEAK ssize_t sendto(int s, const void *d, size_t n, int f, const struct sockaddr *to, socklen_t size)
{
    return (void)s, (void)d, (void)n, (void)f, (void)to, (void)size, refused(EBADF);
}
WEAK ssize_t recvfrom(int s, void *restrict d, size_t n, int f, struct sockaddr *restrict from, socklen_t *restrict size)
{
    return (void)s, (void)d, (void)n, (void)f, (void)from, (void)size, refused(EBADF);
}

WEAK in_addr_t inet_addr(const char *text)
{
    struct in_addr address;
    return inet_aton(text, &address) ? address.s_addr : INADDR_NONE;
}

WEAK char *inet_ntoa(struct in_addr address)
{
    static char text[INET_ADDRSTRLEN];
    return (char *)inet_ntop(AF_INET, &address, text, sizeof text);
}

static int failure;
WEAK int *__h_errno_location(void) { return &failure; }

WEAK struct hostent *gethostbyname(const char *name)
{
    static char address[4], *addresses[2] = {address, NULL}, *aliases[1];
    static struct hostent host = {NULL, aliases, AF_INET, 4, addresses};
    struct in_addr number;
    if (!inet_aton(strcmp(name, "localhost") ? name : "127.0.0.1", &number)) {
        h_errno = HOST_NOT_FOUND;
        return NULL;
    }
    memcpy(address, &number, 4);
    host.h_name = (char *)name;
    return &host;
}

WEAK struct hostent *gethostbyaddr(const void *address, socklen_t size, int family)
{
    (void)address, (void)size, (void)family;
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

WEAK int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
                     struct addrinfo **restrict result)
{
    struct found {
        struct addrinfo info;
        struct sockaddr_in address;
    } *found;
    struct hostent *host = gethostbyname(name ? name : "127.0.0.1");
    if (!host)
        return EAI_NONAME;
    if (!(found = calloc(1, sizeof *found)))
        return EAI_MEMORY;
    found->address.sin_family = AF_INET;
    found->address.sin_port = htons((uint16_t)(service ? atoi(service) : 0));
    memcpy(&found->address.sin_addr, host->h_addr_list[0], 4);
    found->info.ai_family = AF_INET;
    found->info.ai_socktype = hints && hints->ai_socktype ? hints->ai_socktype : SOCK_STREAM;
    found->info.ai_addrlen = sizeof found->address;
    found->info.ai_addr = (struct sockaddr *)&found->address;
    *result = &found->info;
    return 0;
}

WEAK void freeaddrinfo(struct addrinfo *info) { free(info); }
WEAK const char *gai_strerror(int error) { return error == EAI_MEMORY ? "Out of memory" : "Name or service not known"; }
WEAK const char *hstrerror(int error) { return (void)error, "Host not found"; }
WEAK void herror(const char *what) { fprintf(stderr, "%s%sHost not found\n", what ? what : "", what ? ": " : ""); }
WEAK struct servent *getservbyname(const char *name, const char *protocol) { return (void)name, (void)protocol, NULL; }
WEAK struct servent *getservbyport(int port, const char *protocol) { return (void)port, (void)protocol, NULL; }
WEAK struct protoent *getprotobyname(const char *name) { return (void)name, NULL; }

/* Nor are there terminals. */
WEAK int tcgetattr(int file, struct termios *now) { return (void)file, (void)now, refused(ENOTTY); }
WEAK int tcsetattr(int file, int when, const struct termios *next) { return (void)file, (void)when, (void)next, refused(ENOTTY); }
