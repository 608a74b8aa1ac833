# For WSGIHandlerScript: runs the .wasm file that Apache mapped the request to. Its limits are in the `handler` section
# of the configuration file. If there is no configuration file, the defaults apply. wsgi_wasm.wsgi explains where that
# file is found.
#
# There is no function `reload_required`, on purpose: it would restart the whole process when one module changes.
from wsgi_wasm.mod_wsgi import handle_request as handle_request
from wsgi_wasm.mod_wsgi import warm_handler

warm_handler()  # runs when the process starts, because of WSGIImportScript
