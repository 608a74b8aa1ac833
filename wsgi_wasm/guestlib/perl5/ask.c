/* The channel to the host for modules in Perl: WsgiWasm::ask(OPERATION, REQUEST) gives the answer,
 * or undef and $!. */
#define PERL_CORE 1
#include "EXTERN.h"
#include "perl.h"
#include "XSUB.h"

#include <wsgi_wasm/host.h>

enum { ROOM = 1 << 12 }; /* most answers fit */

static XS(ask)
{
    dXSARGS;
    if (items != 2)
        croak_xs_usage(cv, "operation, request");
    SV *request = sv_mortalcopy(ST(1)), *answer = sv_2mortal(newSV(ROOM));
    if (!sv_utf8_downgrade(request, 1))
        sv_utf8_encode(request);
    STRLEN length, size = 0, whole;
    const char *bytes = SvPV(request, length);
    int error = wsgi_wasm_call((uint32_t)SvUV(ST(0)), bytes, length, SvPVX(answer), ROOM, &size);
    if (!error && size > ROOM) {
        uint32_t begin = ROOM;
        SvGROW(answer, size + 1);
        error = wsgi_wasm_call(WASM_HOST_REST, &begin, sizeof begin, SvPVX(answer) + ROOM, size - ROOM, &whole);
    }
    if (error) {
        errno = error;
        XSRETURN_UNDEF;
    }
    SvPOK_only(answer);
    SvCUR_set(answer, size);
    SvGROW(answer, size + 1);
    *SvEND(answer) = 0;
    ST(0) = answer;
    XSRETURN(1);
}

void boot_ask(pTHX)
{
    newXS("WsgiWasm::ask", ask, __FILE__);
}
