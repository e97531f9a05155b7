// Official clients of browsers in Node.js that come back by themselves: drain_client.cjs BUNDLE URL COUNT
// Every other one only polls, the others use WebSocket. Client N is user-N. Says `connected`, and `live` once all have had their
// first event, which gives them an offset; `moved` is answered once all have come back; `finish TOTAL` waits until every
// client has so many events, says what each of them saw, and ends. test_drain.py starts it.
"use strict";

globalThis.WebSocket = require("ws");
globalThis.XMLHttpRequest = require("xmlhttprequest").XMLHttpRequest;
const readline = require("readline");

const [bundle, url, count] = process.argv.slice(2);
const { io } = require(bundle);

const clients = [];
const waiting = [];
const check = () => {
    for (const wait of waiting.splice(0)) if (wait.isTrue()) wait.resolve(); else waiting.push(wait);
};
const until = isTrue => new Promise(resolve => (waiting.push({ isTrue, resolve }), check()));

for (let number = 0; number < Number(count); number++) {
    const seen = { user: `user-${number}`, transport: number % 2 ? "websocket" : "polling" };
    Object.assign(seen, { messages: [], connects: [], sessions: [], reasons: [] });
    const socket = io(url, {
        forceNew: true,
        transports: [seen.transport],
        reconnectionDelay: 50,
        reconnectionDelayMax: 500,
        auth: { user: seen.user, client: "node" },
    });
    socket.on("msg", payload => (seen.messages.push(payload), check()));
    socket.on("disconnect", reason => seen.reasons.push(reason));
    socket.on("connect", () => {
        seen.connects.push([socket.id, socket.recovered]);
        seen.sessions.push(socket.io.engine.id);
        check();
    });
    clients.push({ socket, seen });
}

async function main() {
    await until(() => clients.every(({ seen }) => seen.connects.length));
    console.log("connected");
    await until(() => clients.every(({ seen }) => seen.messages.length));
    console.log("live");
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const [command, total] = line.split(" ");
        if (command === "moved") {
            await until(() => clients.every(({ seen, socket }) => seen.connects.length > 1 && socket.connected));
            console.log("moved");
        } else if (command === "finish") {
            await until(() => clients.every(({ seen }) => seen.messages.length >= Number(total)));
            console.log(JSON.stringify(clients.map(({ seen }) => seen)));
            break;
        }
    }
    for (const { socket } of clients) socket.disconnect();
    process.exit(0);
}

main().catch(error => {
    console.error(error);
    process.exit(1);
});
