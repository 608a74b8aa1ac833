#!/usr/bin/env python3
import bottle
import prices

app = bottle.Bottle()


@app.route("/hello/<name>")
def hello(name):
    return bottle.template("<b>Hello {{name}}</b>, {{price}}", name=name, price=prices.PRICE)


@app.post("/up")
def up():
    file = bottle.request.files.get("f")
    return {"name": file.filename, "size": len(file.file.read())}


@app.route("/where")
def where():
    return f"{bottle.__name__} {bottle.__version__} {bottle.request.url}"


bottle.run(app, server="cgi")
