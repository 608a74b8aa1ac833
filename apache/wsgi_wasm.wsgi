# For WSGIScriptAlias: serves the site of the configuration file, with all its routes.
#
# WSGI_WASM_CONFIG in Apache's own environment names the file. On Debian, `export` it in /etc/apache2/envvars and do a
# full restart. Otherwise the file is /etc/wsgi-wasm/site.yaml. SetEnv has no effect here. If you have several sites in
# one Apache, or keep the file elsewhere, use a script of two lines beside each configuration file instead of this one:
#
#     from wsgi_wasm import create_app
#     application = create_app("/srv/shop/site.yaml")
from wsgi_wasm.mod_wsgi import application as application
from wsgi_wasm.mod_wsgi import warm

warm()  # runs when the process starts, if both process-group and application-group are given
