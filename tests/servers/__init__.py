"""Real servers for tests: gunicorn, Apache with mod_wsgi, werkzeug. `fixtures.serve` starts any of them by name."""
