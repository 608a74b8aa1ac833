# For WSGIHandlerScript: runs the .wasm file that Apache mapped the request to. The `handler` section of the
# configuration file gives its limits; without a configuration file the defaults apply. See wsgi_wasm.wsgi for how
# that file is found.
#
# No function `reload_required` here, on purpose: it would restart the whole process when one module changes.
from wsgi_wasm.mod_wsgi import handle_request as handle_request
from wsgi_wasm.mod_wsgi import warm_handler

warm_handler()  # when the process starts, by WSGIImportScript
