/* Programs of the host for `system`, backticks and pipes of `open`, by the channel. They stand for
 * Perl's own functions, which fork: those are compiled under other names (see __init__.py). */
#define PERL_CORE 1
#include "EXTERN.h"
#include "perl.h"
#include "XSUB.h"

#include "perliol.h"

#include "library.h"

#include <sys/wait.h>
#include <wasi/api.h>
#include <wsgi_wasm/host.h>

enum { FIRST_CHILD = 1000 }; /* what a child's number is counted from */

/* What to start: a line, or words. */
static int start(SV *request, U32 flags, U32 *handle)
{
    size_t size;
    memcpy(SvPVX(request), &flags, sizeof flags);
    return wsgi_wasm_call(WASM_HOST_START, SvPVX(request), SvCUR(request), handle, sizeof *handle, &size);
}

static SV *request_of_line(const char *line)
{
    SV *request = sv_2mortal(newSVpvn("\0\0\0\0", 4));
    sv_catpvn(request, line, strlen(line) + 1);
    return request;
}

/* `program` stands for the first word, where there is one. */
static SV *request_of_words(SV *program, SV **words, SSize_t count)
{
    SV *request = sv_2mortal(newSVpvn("\0\0\0\0", 4));
    for (SSize_t i = 0; i < count; i++) {
        const char *word = SvPV_nolen_const(i == 0 && program ? program : words[i]);
        sv_catpvn(request, word, strlen(word) + 1);
    }
    return request;
}

/* The status as wait() gives it, or -1. */
static int ended(U32 handle)
{
    I32 status = -1;
    size_t size;
    int error = wsgi_wasm_call(WASM_HOST_WAIT, &handle, sizeof handle, &status, sizeof status, &size);
    wsgi_wasm_call(WASM_HOST_RELEASE, &handle, sizeof handle, NULL, 0, NULL);
    if (!error)
        return status;
    errno = error;
    return -1;
}

static PerlIO *piped(SV *request, const char *mode, U32 flags)
{
    U32 handle;
    bool reads = *mode == 'r';
    PERL_FLUSHALL_FOR_CHILD;
    int error = start(request, flags | (reads ? 0 : WASM_HOST_INPUT), &handle);
    int file = error ? -1 : library_process(handle, reads);
    if (file < 0) {
        if (error)
            errno = error;
        return NULL;
    }
    SV *child = *av_fetch(PL_fdpid, file, TRUE);
    SvUPGRADE(child, SVt_IV);
    SvIV_set(child, FIRST_CHILD + handle);
    PL_forkprocess = FIRST_CHILD + handle;
    return PerlIO_fdopen(file, mode);
}

PerlIO *Perl_my_popen(pTHX_ const char *line, const char *mode)
{
    if (strEQ(line, "-")) { /* a copy of the script itself */
        errno = EAGAIN;
        return NULL;
    }
    if (TAINTING_get) {
        TAINT_ENV();
        taint_proper("Insecure %s%s", "EXEC");
    }
    return piped(request_of_line(line), mode, WASM_HOST_LINE);
}

PerlIO *Perl_my_popen_list(pTHX_ const char *mode, int count, SV **words)
{
    if (TAINTING_get) {
        TAINT_ENV();
        taint_proper("Insecure %s%s", "EXEC");
    }
    return piped(request_of_words(NULL, words, count), mode, 0);
}

/* Standard output is the script's own, where it does not read it. */
static int pass_on(U32 handle)
{
    static char piece[1 << 14];
    U32 request[2] = {handle, sizeof piece};
    for (;;) {
        size_t size = 0;
        int error = wsgi_wasm_call(WASM_HOST_READ, request, sizeof request, piece, sizeof piece, &size);
        if (error || !size)
            return error;
        for (size_t done = 0; done < size;) {
            ssize_t written = write(STDOUT_FILENO, piece + done, size - done);
            if (written <= 0)
                return errno;
            done += written;
        }
    }
}

I32 Perl_my_pclose(pTHX_ PerlIO *pipe)
{
    int file = PerlIO_fileno(pipe);
    SV *child = *av_fetch(PL_fdpid, file, TRUE);
    IV number = SvTYPE(child) == SVt_IV ? SvIVX(child) : 0;
    SvUPGRADE(child, SVt_IV);
    SvIV_set(child, 0);
    bool written = PerlIOValid(pipe) && PerlIOBase(pipe)->flags & PERLIO_F_CANWRITE;
    bool failed = PerlIO_close(pipe) == EOF;
    if (number < FIRST_CHILD)
        return -1;
    if (written) {
        PERL_FLUSHALL_FOR_CHILD;
        pass_on(number - FIRST_CHILD);
    }
    int status = ended(number - FIRST_CHILD);
    return failed && status == 0 ? -1 : status;
}

/* A program in this one's place: it runs, and with it the script ends. */
static bool replaced(SV *request, U32 flags)
{
    U32 handle;
    int error = start(request, flags, &handle);
    if (!error)
        error = pass_on(handle);
    if (error) {
        errno = error;
        return FALSE;
    }
    int status = ended(handle);
    __wasi_proc_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

bool Perl_do_aexec5(pTHX_ SV *really, SV **mark, SV **sp, int fd, int do_report)
{
    return replaced(request_of_words(really, mark + 1, sp - mark), 0);
}

bool Perl_do_exec3(pTHX_ const char *line, int fd, int do_report)
{
    return replaced(request_of_line(line), WASM_HOST_LINE);
}

PP(pp_system)
{
    dSP;
    dMARK;
    dORIGMARK;
    dTARGET;
    SV *program = PL_op->op_flags & OPf_STACKED ? *++MARK : NULL;
    U32 handle;
    int status;

    if (TAINTING_get) {
        TAINT_ENV();
        for (SV **word = MARK; word < SP && !TAINT_get;)
            (void)SvPV_nolen_const(*++word);
        TAINT_PROPER("system");
    }
    PERL_FLUSHALL_FOR_CHILD;
    bool is_line = SP - MARK == 1 && !program;
    SV *request = is_line ? request_of_line(SvPV_nolen(*SP)) : request_of_words(program, MARK + 1, SP - MARK);
    int error = start(request, is_line ? WASM_HOST_LINE : 0, &handle);
    if (!error)
        error = pass_on(handle);
    status = error ? -1 : ended(handle);
    if (error)
        errno = error;
    STATUS_NATIVE_CHILD_SET(status);
    SP = ORIGMARK;
    XPUSHi(status == -1 ? -1 : STATUS_CURRENT);
    RETURN;
}

/* For `-r`, `-w` and `-x`: the process is not the owner that stat tells, and may do all the same
 * what the route grants. */
bool Perl_cando(pTHX_ Mode_t mode, bool effective, const Stat_t *status)
{
    PERL_UNUSED_ARG(effective);
    return cBOOL(status->st_mode & mode);
}
