"""The official browser client, as the wheel of another project ships it, and a page that loads it."""

import contextlib
import importlib.metadata

from aiohttp import web
from processes import free_port


def bundle():
    """Where its file is."""
    for file in importlib.metadata.files("nicegui"):
        if file.name == "socket.io.min.js":
            return file.locate()
    raise FileNotFoundError("the nicegui wheel no longer has socket.io.min.js")


PAGE = "<!doctype html><meta charset=utf-8><title>official client</title><script src=/socket.io.min.js></script>"


@contextlib.asynccontextmanager
async def page_server():
    """A page of some other origin that loads the official client."""
    application = web.Application()
    application.router.add_get("/", answer(PAGE, "text/html"))
    with open(bundle(), encoding="utf8") as file:
        script = file.read()
    application.router.add_get("/socket.io.min.js", answer(script, "text/javascript"))
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        await runner.cleanup()


def answer(text, kind):
    async def handle(_):
        return web.Response(text=text, content_type=kind)

    return handle
