/* `files`, and what `snapshot.py` calls to have its C library read which directories there are. */
#include "files.c"

__attribute__((export_name("wizer-initialize"))) void initialize(void)
{
    struct stat is;
    stat("/", &is);
}
