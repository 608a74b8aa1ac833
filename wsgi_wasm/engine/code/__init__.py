"""From a module file to native code: what it is made of, compiling it aside, and the cache."""
