"""A site under everything at once, for as long as asked: `make soak`, or `python3 -m benchmarks.soak --help`.

`site` lays out what is served, `acts` has what clients do and expect, `mix` who does it, `clients` drives them, `storm`
reloads and kills, `watch` measures, `verdict` judges, `picture` draws.
"""

COMBINATIONS = ("gunicorn-gthread", "gunicorn-gthread isolated", "mod_wsgi-daemon", "mod_wsgi-daemon isolated")
