# For WSGIScriptAlias: the site of the configuration file, with all its routes.
#
# The file is named by WSGI_WASM_CONFIG in Apache's own environment (Debian: `export` in /etc/apache2/envvars, then a
# full restart), else it is /etc/wsgi-wasm/site.yaml. SetEnv does not reach that far. For a file elsewhere, or for
# several sites in one Apache, put a script of two lines beside each configuration instead of this one:
#
#     from wsgi_wasm import create_app
#     application = create_app("/srv/shop/site.yaml")
from wsgi_wasm.mod_wsgi import application as application
from wsgi_wasm.mod_wsgi import warm

warm()  # when the process starts, if process-group and application-group are both given
