/* What a C++ exception is thrown as: the compiler names this tag, and no library defines it. */
__asm__(".globl __cpp_exception\n.tagtype __cpp_exception i32\n__cpp_exception:\n");
