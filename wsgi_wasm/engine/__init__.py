"""The sandbox: the only part that talks to Wasmtime. Errors leave it as this
package's own (`wsgi_wasm.errors`)."""
