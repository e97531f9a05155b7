// What the tests call in a page: the module as `submergence`, this page's `server`, and a log of what it and its peers say.
import * as submergence from "/submergence.js";

// What a test wants otherwise stands behind the page's address.
const { client, ...options } = location.hash ? JSON.parse(decodeURIComponent(location.hash.slice(1))) : {};
if (client) {
    // The official client, over the transport of that name.
    await import("./socket.io.min.js");
    options.transport = (origin, more) => io(origin, { ...more, transports: [client] });
}
const server = submergence.getServer(undefined, { logger: console, ...options });
const peerEvents = ["connect", "close", "endpoint", "endpointclose", "stream", "streamend", "error", "state"];

/** Peers of this page, in the order of their appearance; `said` is what each has said: `[name, detail]`. */
const peers = [];

/** Keeps what a peer says, and the `message` events that come from its endpoints. */
function watch(peer) {
    if (peers.includes(peer)) return peer;
    peer.said = [];
    peer.messages = [];
    peer.streams = [];
    for (const name of peerEvents) {
        peer.on(name, detail => {
            peer.said.push([name, summary(detail)]);
            if (name === "stream") peer.streams.push(detail);
        });
    }
    peer.on("message", (...args) => peer.messages.push(args[0]));
    peers.push(peer);
    return peer;
}

function summary(detail) {
    if (detail === null || typeof detail !== "object") return detail ?? null;
    const { reason, code, endpoint, message } = detail;
    return { reason, code, endpoint, message };
}

/** The peer of that query, watched. */
const peerOf = query => watch(server.getPeer(query));

/** What `connect` came to: "open", or the code of its refusal. */
const connect = (query, options) => peerOf(query).connect(options).then(() => "open", error => error.code ?? String(error));

/** How many remote endpoints have an open channel. */
const reached = peer => [...peer.endpoints.values()].filter(one => one.channel?.readyState === "open").length;

const incoming = [];
server.on("peer", peer => { incoming.push(peer); watch(peer); });
const errors = [];
server.on("error", error => errors.push(summary(error)));

/** Peer connections of this page that are not closed. */
const openConnections = () => made.connections.filter(one => one.signalingState !== "closed");

Object.assign(window, { submergence, server, peers, watch, peerOf, connect, reached, incoming, errors, openConnections });
window.isReady = true;
