"""A shop whose state is in the session of Flask-Session. Started by gunicorn, with one worker of several threads."""

import os
from secrets import randbelow

from flask import Flask, request, session
from flask_session import Session

NAME = os.environ["APP_NAME"]
KIND = os.environ["APP_STORE"]
AT = os.environ["APP_STORE_AT"]

app = Flask(__name__)
app.config["SESSION_COOKIE_NAME"] = "sid"
if KIND == "memcached":
    from pymemcache.client.base import PooledClient

    app.config["SESSION_TYPE"] = "memcached"
    server = AT if AT.startswith("/") else (AT.split(":")[0], int(AT.split(":")[1]))
    # By default this client does not wait for the answer to a `set`, and another server may then read before it.
    app.config["SESSION_MEMCACHED"] = PooledClient(
        server, connect_timeout=2, timeout=2, no_delay=True, default_noreply=False
    )
elif KIND == "redis":
    from redis import Redis

    app.config["SESSION_TYPE"] = "redis"
    app.config["SESSION_REDIS"] = Redis.from_url(f"redis://{AT}")
else:
    from cachelib.file import FileSystemCache

    app.config["SESSION_TYPE"] = "cachelib"
    app.config["SESSION_CACHELIB"] = FileSystemCache(AT, threshold=100_000)
Session(app)


@app.after_request
def name(response):
    response.headers["X-App"] = NAME
    return response


def no_session():
    return {"error": "no session"}, 401


@app.get("/whoami")
def whoami():
    return {"server": NAME}


@app.post("/login")
def login():
    session.clear()
    app.session_interface.regenerate(session)
    session.update(user=request.form["user"], cart=[])
    return {"user": session["user"]}


@app.get("/code")
def code():
    if "user" not in session:
        return no_session()
    session["code"] = str(1000 + randbelow(9000))
    return {"code": session["code"]}


@app.post("/code")
def check():
    if "user" not in session:
        return no_session()
    if session.pop("code", None) != request.form["code"]:
        return {"error": "wrong code"}, 403
    return {"right": True}


@app.post("/cart")
def add():
    if "user" not in session:
        return no_session()
    session["cart"] = [*session["cart"], request.form["item"]]
    return {"count": len(session["cart"])}


@app.get("/cart")
def cart():
    if "user" not in session:
        return no_session()
    return {"user": session["user"], "items": session["cart"]}
