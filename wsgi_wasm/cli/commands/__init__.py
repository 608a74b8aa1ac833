"""The subcommands of `wsgi-wasm`: one module for each, listed in `wsgi_wasm.cli.COMMANDS`.

Contract of a module:

    EXAMPLES: str                  the end of its own --help; the docstring is its beginning
    add_arguments(parser) -> None  its options
    run(options) -> int            does it, and gives the exit status; raises WsgiWasmError for
                                   what the user can mend

Only the module of the chosen command is imported, so it imports at its top whatever it needs.
"""
