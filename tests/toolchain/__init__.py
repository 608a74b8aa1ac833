"""What `wsgi-wasm build` and its companions make of C and C++."""
