// The official client of browsers in Node.js, on Debian's `ws` and `xmlhttprequest`: node_client.cjs BUNDLE URL TRANSPORTS
// Says what it saw as one line of JSON; test_clients.py starts it.
"use strict";

globalThis.WebSocket = require("ws");
globalThis.XMLHttpRequest = require("xmlhttprequest").XMLHttpRequest;

const [bundle, url, transports] = process.argv.slice(2);
const { io } = require(bundle);

const bytes = value => [value instanceof ArrayBuffer || Buffer.isBuffer(value), ...new Uint8Array(value)];
const socket = io(url, {
    transports: transports.split(","),
    reconnectionDelay: 10,
    auth: { user: "alice", client: "node" },
});
const seen = { messages: [], connects: 0, reasons: [] };
socket.io.once("open", () => (seen.first = socket.io.engine.transport.name));
socket.on("msg", payload => seen.messages.push(payload));
socket.on("disconnect", reason => seen.reasons.push(reason));
socket.on("connect_error", error => fail(error));
socket.on("connect", () => (++seen.connects === 1 ? first() : second()).catch(fail));

function fail(error) {
    console.error(error);
    process.exit(1);
}

async function first() {
    seen.echo = await new Promise(resolve =>
        socket.emit("echo", "ünïcödé", { deep: [1, null, true, 1.5] }, (...back) => resolve(back))
    );
    const upgraded = transports.endsWith("websocket");
    if (upgraded && socket.io.engine.transport.name !== "websocket") {
        await new Promise(resolve => socket.io.engine.once("upgrade", resolve));
    }
    seen.second = socket.io.engine.transport.name;
    // On polling this build needs a FileReader, which is the browser's.
    if (upgraded) seen.binary = bytes(await socket.emitWithAck("echo", Buffer.from([0, 30, 255])));
    seen.receipt = await socket.emitWithAck("pub", "alice", "to myself");
    socket.io.engine.close(); // as if the connection had gone: it comes back by itself
}

async function second() {
    seen.again = await socket.emitWithAck("echo", "again");
    socket.disconnect();
    console.log(JSON.stringify(seen));
    process.exit(0);
}
