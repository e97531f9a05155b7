// The official client of browsers in Node.js, cut off again and again while others send to it:
// recovery_client.cjs BUNDLE URL,URL,... TRANSPORTS ROUNDS
// Says what it saw as one line of JSON; test_recovery.py starts it.
"use strict";

globalThis.WebSocket = require("ws");
globalThis.XMLHttpRequest = require("xmlhttprequest").XMLHttpRequest;

const [bundle, urls, transports, rounds] = process.argv.slice(2);
const { io } = require(bundle);

const nodes = urls.split(",");
const connect = (user, url) =>
    io(url, { forceNew: true, reconnection: false, transports: transports.split(","), auth: { user, client: "node" } });
const once = (socket, name) => new Promise(resolve => socket.once(name, resolve));

async function main() {
    const seen = { connects: [], messages: [], sent: {} };
    let isDone = false;

    const alice = connect("alice", nodes[0]);
    alice.on("msg", payload => seen.messages.push(payload));
    alice.on("connect", () => seen.connects.push([alice.id, alice.recovered]));
    await once(alice, "connect");

    // Each sends one event after the other, as fast as they are acknowledged.
    const send = async (name, url) => {
        const socket = connect(name, url);
        await once(socket, "connect");
        for (seen.sent[name] = 0; !isDone; seen.sent[name]++) {
            const receipt = await socket.emitWithAck("pub", "alice", [name, seen.sent[name]]);
            if (!receipt.isComplete || !receipt.stored) throw new Error(JSON.stringify(receipt));
        }
        socket.disconnect();
    };
    const senders = [send("bob", nodes[0]), send("carol", nodes[1])];

    for (let round = 1; round <= Number(rounds); round++) {
        const count = seen.messages.length;
        while (seen.messages.length < count + 5) await once(alice, "msg");
        alice.io.engine.close();
        if (alice.connected) await once(alice, "disconnect");
        alice.io.uri = nodes[round % nodes.length];
        alice.connect();
        await once(alice, "connect");
    }
    isDone = true;
    await Promise.all(senders);
    const total = () => Object.values(seen.sent).reduce((sum, count) => sum + count, 0);
    while (seen.messages.length < total()) await once(alice, "msg");
    alice.disconnect();
    console.log(JSON.stringify(seen));
    process.exit(0);
}

main().catch(error => {
    console.error(error);
    process.exit(1);
});
