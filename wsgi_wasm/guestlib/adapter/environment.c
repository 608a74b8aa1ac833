/* `wasi:cli/environment` as a guest of the adapter sees it: the arguments are the request, and none
 * of its own. */
#include "adapter.h"

IMPORT("host", "environment") void host_environment(Text *list);
IMPORT("host", "initial-cwd") void host_initial_cwd(Result *path);

EXPORT("get-environment") Text *get_environment(void) {
    static Text list;
    host_environment(&list);
    return &list;
}

EXPORT("get-arguments") Result *get_arguments(void) {
    return result_list(0, 0);
}

EXPORT("initial-cwd") Result *initial_cwd(void) {
    host_initial_cwd(zeroed());
    return &result;
}
