/* Included before all else in every file of Perl's: what it calls and finds in no header, of libc's
 * or of guestlib/include, and the files that lie in the module (library.c). */
#ifndef WSGI_WASM_PERL_H
#define WSGI_WASM_PERL_H

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

char *ctermid(char *name);
int flock(int file, int operation);
int futimes(int file, const struct timeval times[2]);
extern char *tzname[2];
struct tm *zone_localtime(const time_t *time); /* zones.c */
struct tm *zone_localtime_r(const time_t *time, struct tm *result);
time_t zone_mktime(struct tm *given);
#define localtime(time) zone_localtime(time)
#define localtime_r(time, result) zone_localtime_r(time, result)
#define mktime(given) zone_mktime(given)
extern long timezone;
extern int daylight;

unsigned clock_sleep(unsigned seconds); /* clock.c */
int clock_nanosleep_relative(const struct timespec *wanted, struct timespec *rest);
int clock_select(int count, fd_set *read, fd_set *written, fd_set *failed, struct timeval *wanted);
#define sleep(seconds) clock_sleep(seconds)
#define nanosleep(wanted, rest) clock_nanosleep_relative(wanted, rest)
#define select(count, read, written, failed, wanted) clock_select(count, read, written, failed, wanted)

void host_openlog(const char *name, int options, int facility); /* host.c */
#define openlog(name, options, facility) host_openlog(name, options, facility)

char *host_crypt(const char *password, const char *setting); /* host.c */
#define crypt(password, setting) host_crypt(password, setting)

#ifndef SOCK_RAW
#define SOCK_RAW 3 /* there are no such sockets, but modules name them */
#endif

int library_dup(int file);
int library_dup2(int file, int target);
#define dup(file) library_dup(file)
#define dup2(file, target) library_dup2(file, target)

pid_t own_pid(void); /* libc answers 42 */
#define getpid() own_pid()

int library_open(const char *path, int flags, ...);
ssize_t library_read(int file, void *data, size_t size);
ssize_t library_write(int file, const void *data, size_t size);
off_t library_lseek(int file, off_t offset, int whence);
int library_close(int file);
int library_fstat(int file, struct stat *status);
int library_stat(const char *path, struct stat *status);
int library_lstat(const char *path, struct stat *status);
int library_unlink(const char *path);
#define unlink(path) library_unlink(path)
#define open(...) library_open(__VA_ARGS__)
#define read(file, data, size) library_read(file, data, size)
#define write(file, data, size) library_write(file, data, size)
#define lseek(file, offset, whence) library_lseek(file, offset, whence)
#define close(file) library_close(file)
#define fstat(file, status) library_fstat(file, status)
#define stat(path, status) library_stat(path, status)
#define lstat(path, status) library_lstat(path, status)

#endif
