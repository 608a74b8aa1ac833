/* Ends with `code=`; when=before: at once; when=after: after a whole answer; when=half: within the head.
 * how=return leaves main instead of calling exit, how=quick skips the flush of stdio. */
#include "guest.h"

int main(void)
{
    int code = (int)asked_number("code", 0);
    maybe_head();
    if (asked_is("when", "half"))
        fputs("Content-Type: text/pl", stdout);
    if (asked_is("how", "return"))
        return code;
    if (asked_is("how", "quick"))
        _Exit(code);
    exit(code);
}
