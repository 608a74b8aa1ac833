#!/usr/bin/env python3
from wsgiref.handlers import CGIHandler

from flask import Flask, redirect, render_template_string, request, session, url_for

app = Flask(__name__)
app.secret_key = "not a secret"


@app.route("/")
def index():
    return render_template_string("<h1>Hello {{ n }}</h1>", n=request.args.get("name", "world"))


@app.route("/form", methods=["POST"])
def form():
    session["name"] = request.form["name"]
    return redirect(url_for("me"))


@app.route("/me")
def me():
    return f"you are {session.get('name', 'nobody')}"


@app.route("/fails")
def fails():
    raise ValueError("as it should")


CGIHandler().run(app)
