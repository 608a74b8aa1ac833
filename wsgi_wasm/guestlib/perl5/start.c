/* A Perl that is started before the snapshot is taken, and in each request runs one script as its
 * main program: what perl_parse() does for the first program is done for the second one here. */
#define PERL_CORE 1
#include "EXTERN.h"
#include "perl.h"
#include "XSUB.h"

#include "library.h"

#include <wasi/api.h>
#include <wasi/libc-environ.h>

#define PRELOAD "/wsgi_wasm/preload.pl" /* in the directory that the snapshot is taken in */

#define PACKAGES "/usr/share/perl5/" /* modules of Debian's packages */

extern char **environ;
extern pid_t process; /* of host.c */
void __wasm_call_ctors(void);
void boot_ask(pTHX);     /* of ask.c */
void boot_instead(pTHX); /* of instead.c */
void xs_init(pTHX);      /* of extensions.c */
int clock_runops(pTHX);  /* of clock.c */

static PerlInterpreter *perl;
static SV *old_arenas;

/* A site may have a version of its own of what is no part of Perl. So `require` looks for these
 * once more, and where it finds those that are loaded, they have nothing more to say. */
static void forget_loaded(void)
{
    HV *table = GvHVn(PL_incgv);
    HE *entry;
    hv_iterinit(table);
    while ((entry = hv_iternext(table))) {
        const char *path = SvPV_nolen_const(HeVAL(entry));
        if (strnEQ(path, PACKAGES, sizeof PACKAGES - 1)) {
            library_loaded(path);
            (void)hv_delete_ent(table, hv_iterkeysv(entry), G_DISCARD, 0);
        }
    }
}

static void boot(pTHX)
{
    xs_init(aTHX);
    boot_ask(aTHX);
    boot_instead(aTHX);
}

__attribute__((export_name("wizer-initialize"))) void initialize(void)
{
    static char *arguments[] = {"perl", "-e", "require '" PRELOAD "' if -e '" PRELOAD "'", NULL};
    char **argv = arguments;
    int argc = 3;

    __wasm_call_ctors();
    PERL_SYS_INIT3(&argc, &argv, &environ);
    perl = perl_alloc();
    perl_construct(perl);
    PL_runops = clock_runops;
    PL_perl_destruct_level = 0;
    PL_exit_flags |= PERL_EXIT_DESTRUCT_END; /* so that END blocks wait for the script's end */
    if (perl_parse(perl, boot, argc, argv, NULL) || perl_run(perl))
        abort();

    forget_loaded();
    /* A second program. */
    PL_main_root = NULL;
    PL_main_start = NULL;
    PL_curcop = &PL_compiling;
    PL_phase = PERL_PHASE_START;
    my_fflush_all();
    /* Memory that a request writes to is to lie together, not in the gaps of what is there. And at
     * the end objects are looked for among what came after these. */
    PL_sv_root = NULL;
    old_arenas = PL_sv_arenaroot;
}

static void leave_packages(void)
{
    if (PL_curstash != PL_defstash) {
        SvREFCNT_dec(PL_curstash);
        PL_curstash = MUTABLE_HV(SvREFCNT_inc(PL_defstash));
    }
}

/* What must not be the same in each request. */
static void wake(void)
{
    U32 random[4];
    if (getentropy(random, sizeof random))
        abort();
    process = 2 + random[0] % 4194302;
    PL_basetime = time(NULL);
    seedDrand01(random[1]);
    PL_srand_called = TRUE;
    Perl_drand48_init_r(&PL_internal_random_state, random[2]);
#ifdef PERL_HASH_RANDOMIZE_KEYS
    PL_hash_rand_bits = random[3];
#endif
    SETERRNO(0, SS_NORMAL);
}

static void set_environment(void)
{
    __wasilibc_deinitialize_environ();
    __wasilibc_initialize_environ();
    HV *table = GvHVn(PL_envgv);
    for (char **variable = environ; *variable; variable++) {
        char *equals = strchr(*variable, '=');
        if (!equals || equals == *variable)
            continue;
        SV *value = newSVpv(equals + 1, 0);
        if (TAINTING_get)
            SvTAINTED_on(value);
        (void)hv_store(table, *variable, equals - *variable, value, 0);
    }
}

static void set_arguments(int count, char **arguments)
{
    AV *list = GvAVn(PL_argvgv);
    av_clear(list);
    for (int i = 0; i < count; i++) {
        SV *value = newSVpv(arguments[i], 0);
        if (TAINTING_get)
            SvTAINTED_on(value);
        av_push(list, value);
    }
}

/* PERL5LIB before all else, and what lies beside the script after it, as long ago. */
static void set_include(void)
{
    AV *list = GvAVn(PL_incgv);
    const char *path = getenv("PERL5LIB");
    SSize_t place = 0;
    while (path && *path) {
        size_t length = strcspn(path, ":");
        if (length) {
            av_unshift(list, 1);
            for (SSize_t i = 0; i < place; i++)
                av_store(list, i, SvREFCNT_inc(*av_fetch(list, i + 1, 0)));
            av_store(list, place++, newSVpvn(path, length));
        }
        path += length + (path[length] != 0);
    }
    av_push(list, newSVpvs("."));
}

static void fail(const char *what, const char *name)
{
    PerlIO_printf(PerlIO_stderr(), "%s \"%s\": %s\n", what, name, Strerror(errno));
    my_exit(2);
}

/* -T among the options of a #! line, which counts before the first line is read. */
static bool asks_for_taint(const char *line)
{
    const char *option = strncmp(line, "#!", 2) ? NULL : strstr(line, "perl");
    while (option && (option = strstr(option, " -")))
        for (option += 2; isALPHA(*option); option++)
            if (*option == 'T' || *option == 't')
                return TRUE;
    return FALSE;
}

static PerlIO *open_script(char *name)
{
    char line[256];
    PerlIO *file = PerlIO_open(name, PERL_SCRIPT_MODE);
    if (!file)
        fail("Can't open perl script", name);
    SSize_t count = PerlIO_read(file, line, sizeof line - 1);
    if (count < 0)
        fail("Can't open perl script", name);
    line[count] = 0;
    line[strcspn(line, "\r\n")] = 0;
    if (asks_for_taint(line))
        TAINTING_set(TRUE);
    PerlIO_seek(file, 0, SEEK_SET);
    return file;
}

static void parse(int argc, char **argv)
{
    int place = 1;
    for (; place < argc && argv[place][0] == '-' && argv[place][1]; place++)
        for (const char *option = argv[place] + 1; option;)
            option = moreswitches(option);
    if (place >= argc)
        Perl_croak(aTHX_ "there is no script to run; in `args`, {script} stands for the script\n");
    char *name = argv[place];
    PerlIO *file = open_script(name);
    set_environment();
    set_arguments(argc - place - 1, argv + place + 1);
    set_include();
    char *slash = strrchr(name, '/');
    if (slash && slash != name) {
        char *folder = savepvn(name, slash - name);
        PERL_UNUSED_RESULT(chdir(folder));
        Safefree(folder);
    }

    PL_origfilename = savepv(name);
    sv_setpv(get_sv("0", GV_ADD), name);
    CopFILE_set(PL_curcop, PL_origfilename);
    PL_main_cv = PL_compcv = MUTABLE_CV(newSV_type(SVt_PVCV));
    CvUNIQUE_on(PL_compcv);
    CvPADLIST_set(PL_compcv, pad_new(0));
    lex_start(NULL, file, 0);
    PL_subname = newSVpvs("main");
    PL_hints = HINTS_DEFAULT;
    SETERRNO(0, SS_NORMAL);
    if (yyparse(GRAMPROG) || PL_parser->error_count)
        abort_execution("", PL_origfilename);
    CopLINE_set(PL_curcop, 0);
    leave_packages();
    LEAVE;
    FREETMPS;
    ENTER;
    PL_restartjmpenv = NULL;
    PL_restartop = 0;
}

/* As perl_parse() returns: 0 where the program is to be run. */
static int parsed(int argc, char **argv)
{
    I32 before = PL_scopestack_ix;
    int status = 0;
    dJMPENV;

    JMPENV_PUSH(status);
    if (status == 0)
        parse(argc, argv);
    else {
        while (PL_scopestack_ix > before)
            LEAVE;
        FREETMPS;
        leave_packages();
        status = STATUS_EXIT ? STATUS_EXIT : 0x100;
    }
    JMPENV_POP;
    return status;
}

/* Objects are destroyed as at the end of any Perl, but only those of this request: to look at all
 * that the snapshot holds takes longer than most scripts. */
static int ended(void)
{
    SV *last = PL_sv_arenaroot;
    while (last != old_arenas && (SV *)SvANY(last) != old_arenas)
        last = (SV *)SvANY(last);
    if (last != old_arenas)
        SvANY(last) = NULL;
    else
        PL_sv_arenaroot = NULL;
    return perl_destruct(perl);
}

__attribute__((export_name("_start"))) void start(void)
{
    size_t count, size;
    /* The table of directories is the snapshot's, of the one that is `/`: below it the gateway
     * shows all directories of a route, and those that they lie in. */
    if (__wasi_args_sizes_get(&count, &size))
        abort();
    char **argv = safemalloc((count + 1) * sizeof *argv);
    char *text = safemalloc(size);
    if (__wasi_args_get((uint8_t **)argv, (uint8_t *)text))
        abort();
    argv[count] = NULL;
    wake();
    if (!parsed(count, argv))
        perl_run(perl);
    int status = ended();
    if (status)
        __wasi_proc_exit(status);
}
