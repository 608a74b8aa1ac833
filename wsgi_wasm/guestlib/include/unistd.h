/* What wasi-libc's header leaves out and guestlib/host has. */
#include <sys/types.h>
#include_next <unistd.h>

#ifndef WSGI_WASM_UNISTD_H
#define WSGI_WASM_UNISTD_H

#ifndef F_LOCK
#define F_ULOCK 0
#define F_LOCK 1
#define F_TLOCK 2
#define F_TEST 3
#endif

#ifdef __cplusplus
extern "C" {
#endif

pid_t fork(void);
pid_t vfork(void);
int execv(const char *, char *const[]);
int execve(const char *, char *const[], char *const[]);
int execvp(const char *, char *const[]);
int execl(const char *, const char *, ...);
int execle(const char *, const char *, ...);
int execlp(const char *, const char *, ...);
int pipe(int[2]);
int dup(int);
int dup2(int, int);
pid_t getppid(void);
pid_t getpgrp(void);
pid_t getpgid(pid_t);
int setpgid(pid_t, pid_t);
pid_t setsid(void);
pid_t tcgetpgrp(int);
uid_t getuid(void);
uid_t geteuid(void);
gid_t getgid(void);
gid_t getegid(void);
int setuid(uid_t);
int seteuid(uid_t);
int setgid(gid_t);
int setegid(gid_t);
int setreuid(uid_t, uid_t);
int setregid(gid_t, gid_t);
int getgroups(int, gid_t[]);
char *getlogin(void);
char *ttyname(int);
int gethostname(char *, size_t);
int sethostname(const char *, size_t);
int getdomainname(char *, size_t);
char *getpass(const char *);
int chown(const char *, uid_t, gid_t);
int fchown(int, uid_t, gid_t);
int lchown(const char *, uid_t, gid_t);
int chroot(const char *);
int fchdir(int);
int daemon(int, int);
int nice(int);
void sync(void);
int lockf(int, int, off_t);
unsigned alarm(unsigned);
unsigned ualarm(unsigned, unsigned);
int pause(void);

#ifdef __cplusplus
}
#endif
#endif
