/* Modules whose part in C is for the machine's own Perl alone: the library has others in their
 * place, wherever in @INC the site has its own. */
#define PERL_CORE 1
#include "EXTERN.h"
#include "perl.h"

#include "library.h"

#define PLACE "/usr/share/perl/instead/"

static Perl_ppaddr_t own_require;

/* What is loaded from PLACE says itself that `name` is loaded; so Perl finds that it is. */
static OP *pp_require_instead(pTHX)
{
    dSP;
    SV *name = TOPs;
    size_t size;
    if (SvPOK(name) && !hv_exists_ent(GvHVn(PL_incgv), name, 0)) {
        SV *path = sv_2mortal(newSVpvf(PLACE "%" SVf, SVfARG(name)));
        const char *text = SvPV_nolen_const(path);
        if (library_data(text, &size))
            eval_sv(sv_2mortal(newSVpvf("require '%s'", text)), G_DISCARD | G_RETHROW);
    }
    return own_require(aTHX);
}

void boot_instead(pTHX)
{
    own_require = PL_ppaddr[OP_REQUIRE];
    PL_ppaddr[OP_REQUIRE] = pp_require_instead;
}
