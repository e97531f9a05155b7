#!/usr/bin/env python3
"""The peer of the macro benchmarks: python-socketio under uvicorn with uvloop, with the events of `submergence load`.

python_socketio_server.py PORT
"""

import sys

import socketio
import uvicorn

server = socketio.AsyncServer(
    async_mode="asgi", cors_allowed_origins=[], ping_interval=25, ping_timeout=20, transports=["websocket"]
)


@server.event
async def connect(sid, _environ, auth):
    await server.enter_room(sid, (auth or {}).get("user", sid))


@server.event
async def echo(_sid, *arguments):
    return arguments


@server.event
async def pub(_sid, user, payload):
    await server.emit("msg", payload, room=user)
    return {"didReceive": True}


if __name__ == "__main__":
    uvicorn.run(
        socketio.ASGIApp(server),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        ws="websockets",
        log_level="warning",
        ws_per_message_deflate=False,
        backlog=4096,
    )
