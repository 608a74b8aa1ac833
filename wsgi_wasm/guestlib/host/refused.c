/* What a process may not do here, refused as a system refuses it: no children, no other user, no
 * signals from outside. All are weak, so a program may have its own. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WEAK __attribute__((weak))
#define NOBODY 65534u

static int refused(int error)
{
    errno = error;
    return -1;
}

/* As on a busy system: programs that can do without a child go on. */
WEAK pid_t fork(void) { return refused(EAGAIN); }
WEAK pid_t vfork(void) { return refused(EAGAIN); }
WEAK int daemon(int stay, int keep) { return (void)stay, (void)keep, refused(EAGAIN); }
WEAK pid_t wait(int *status) { return (void)status, refused(ECHILD); }
WEAK pid_t waitpid(pid_t child, int *status, int how) { return (void)child, (void)status, (void)how, refused(ECHILD); }
WEAK int execv(const char *file, char *const words[]) { return (void)file, (void)words, refused(EACCES); }
WEAK int execvp(const char *file, char *const words[]) { return execv(file, words); }
WEAK int execve(const char *file, char *const words[], char *const env[]) { return (void)env, execv(file, words); }
WEAK int execl(const char *file, const char *word, ...) { return (void)file, (void)word, refused(EACCES); }
WEAK int execle(const char *file, const char *word, ...) { return (void)file, (void)word, refused(EACCES); }
WEAK int execlp(const char *file, const char *word, ...) { return (void)file, (void)word, refused(EACCES); }

/* WASI moves a descriptor to another number, and copies none. */
WEAK int pipe(int ends[2]) { return (void)ends, refused(EMFILE); }
WEAK int dup(int file) { return (void)file, refused(EMFILE); }
WEAK int dup2(int file, int as) { return file == as ? as : refused(EMFILE); }
WEAK int fchdir(int folder) { return (void)folder, refused(ENOSYS); }
WEAK int mkfifo(const char *path, mode_t mode) { return (void)path, (void)mode, refused(EPERM); }
WEAK int mknod(const char *path, mode_t mode, dev_t device) { return (void)device, mkfifo(path, mode); }

WEAK uid_t getuid(void) { return NOBODY; }
WEAK uid_t geteuid(void) { return NOBODY; }
WEAK gid_t getgid(void) { return NOBODY; }
WEAK gid_t getegid(void) { return NOBODY; }
static int become(unsigned who) { return who == NOBODY || who == -1u ? 0 : refused(EPERM); }
WEAK int setuid(uid_t who) { return become(who); }
WEAK int seteuid(uid_t who) { return become(who); }
WEAK int setgid(gid_t who) { return become(who); }
WEAK int setegid(gid_t who) { return become(who); }
WEAK int setreuid(uid_t real, uid_t effective) { return become(real) || become(effective) ? -1 : 0; }
WEAK int setregid(gid_t real, gid_t effective) { return become(real) || become(effective) ? -1 : 0; }
WEAK int getgroups(int room, gid_t list[]) { return (void)room, (void)list, 0; }
WEAK int setgroups(size_t size, const gid_t *list) { return (void)size, (void)list, refused(EPERM); }
WEAK int initgroups(const char *user, gid_t group) { return (void)user, (void)group, refused(EPERM); }
WEAK int chown(const char *path, uid_t user, gid_t group) { return (void)path, become(user) || become(group) ? -1 : 0; }
WEAK int lchown(const char *path, uid_t user, gid_t group) { return chown(path, user, group); }
WEAK int fchown(int file, uid_t user, gid_t group) { return (void)file, chown("", user, group); }
WEAK int chroot(const char *path) { return (void)path, refused(EPERM); }
WEAK int nice(int more) { return more < 0 ? refused(EPERM) : 0; }
WEAK int getpriority(int which, unsigned who) { return (void)which, (void)who, 0; }
WEAK int setpriority(int which, unsigned who, int value) { return (void)which, (void)who, value < 0 ? refused(EPERM) : 0; }
WEAK int getrlimit(int which, struct rlimit *limit)
{
    (void)which;
    limit->rlim_cur = limit->rlim_max = RLIM_INFINITY;
    return 0;
}
WEAK int setrlimit(int which, const struct rlimit *limit) { return (void)which, (void)limit, 0; }
static mode_t mask = 022;
WEAK mode_t umask(mode_t next)
{
    mode_t before = mask;
    mask = next & 0777;
    return before;
}
WEAK void sync(void) {}

WEAK pid_t getppid(void) { return 1; }
WEAK pid_t getpgrp(void) { return getpid(); }
WEAK pid_t getpgid(pid_t who) { return (void)who, getpid(); }
WEAK int setpgid(pid_t who, pid_t group) { return (void)who, (void)group, refused(EPERM); }
WEAK pid_t setsid(void) { return refused(EPERM); }
WEAK pid_t tcgetpgrp(int terminal) { return (void)terminal, refused(ENOTTY); }
WEAK char *ttyname(int terminal) { return (void)terminal, errno = ENOTTY, NULL; }
WEAK char *ctermid(char *room)
{
    static char own[20];
    return strcpy(room ? room : own, "/dev/tty");
}
WEAK char *getpass(const char *prompt) { return (void)prompt, errno = ENXIO, NULL; }
WEAK char *getlogin(void) { return errno = ENXIO, NULL; }
WEAK int gethostname(char *name, size_t room)
{
    if (room <= strlen("localhost"))
        return refused(ENAMETOOLONG);
    strcpy(name, "localhost");
    return 0;
}
WEAK int sethostname(const char *name, size_t size) { return (void)name, (void)size, refused(EPERM); }
WEAK int getdomainname(char *name, size_t room) { return room ? *name = 0 : refused(EINVAL); }
WEAK int getloadavg(double *loads, int count) { return (void)loads, (void)count, -1; }
WEAK int stime(const time_t *now) { return (void)now, refused(EPERM); }
WEAK int settimeofday(const struct timeval *now, const struct timezone *zone) { return (void)now, (void)zone, refused(EPERM); }

/* A program's own signals reach it, and those alone. The host bounds how long it runs. */
WEAK int kill(int process, int which)
{
    if (process != getpid() && process != 0)
        return refused(process > 1 ? ESRCH : EPERM);
    return which ? raise(which) : 0;
}
WEAK int killpg(int group, int which) { return kill(group, which); }
WEAK int sigaction(int which, const struct sigaction *restrict next, struct sigaction *restrict before)
{
    void (*was)(int) = signal(which, next && !(next->sa_flags & SA_SIGINFO) ? next->sa_handler : SIG_DFL);
    if (was == SIG_ERR)
        return -1;
    if (!next || next->sa_flags & SA_SIGINFO)
        signal(which, was);
    if (before) {
        memset(before, 0, sizeof *before);
        before->sa_handler = was;
    }
    return 0;
}
WEAK int sigprocmask(int how, const sigset_t *restrict next, sigset_t *restrict before)
{
    (void)how, (void)next;
    return before ? sigemptyset(before) : 0;
}
WEAK int sigemptyset(sigset_t *set) { return *set = 0; }
WEAK int sigfillset(sigset_t *set) { return *set = (sigset_t)-1, 0; }
WEAK int sigaddset(sigset_t *set, int which) { return (void)set, which > 0 && which < 65 ? 0 : refused(EINVAL); }
WEAK int sigdelset(sigset_t *set, int which) { return sigaddset(set, which); }
WEAK int sigismember(const sigset_t *set, int which) { return (void)which, *set != 0; }
WEAK int sigpending(sigset_t *set) { return sigemptyset(set); }
WEAK int sigsuspend(const sigset_t *set) { return (void)set, refused(EINTR); }
WEAK int siginterrupt(int which, int flag) { return (void)which, (void)flag, 0; }
WEAK int pause(void) { return refused(EINTR); }
WEAK unsigned alarm(unsigned seconds) { return (void)seconds, 0; }
WEAK unsigned ualarm(unsigned time, unsigned again) { return (void)time, (void)again, 0; }
WEAK int getitimer(int which, struct itimerval *now) { return (void)which, memset(now, 0, sizeof *now), 0; }
WEAK int setitimer(int which, const struct itimerval *restrict next, struct itimerval *restrict before)
{
    (void)which, (void)next;
    if (before)
        memset(before, 0, sizeof *before);
    return 0;
}
WEAK void flockfile(FILE *file) { (void)file; }
WEAK int ftrylockfile(FILE *file) { return (void)file, 0; }
WEAK void funlockfile(FILE *file) { (void)file; }
