/**
 * submergence in the browser: events, actions and peers by identity, over one connection that mends itself.
 *
 * One ES module without dependency and without build step; nothing in it is evaluated from text, so that it runs under a
 * strict Content-Security-Policy. The rules that comments cite, C-1 to C-37, are those of docs/browser.md.
 *
 * @module submergence
 */

/* ---------------------------------------------------------------- Constants */

/** Of the wire protocol. */
const version = 1;

/** Names that are the module's own on the wire (SPEC §8). */
const productEvents = new Set(["ready", "action", "reply", "chunk", "link", "peer", "ice", "session", "logout"]);

/** Refusals after which the same attempt may succeed (SPEC ND-13). */
const transientRefusals = new Set(["BUSY", "UNAVAILABLE"]);

/** Bytes of a body that goes over the socket (C-5). */
const longestSocketBody = 524_288;

/** Bytes of one JSON frame between peers, and of what waits for the first endpoint of a peer (C-22). */
const longestFrame = 65_536;

/** Bytes of one binary frame between peers, its first byte included. */
const binaryFrame = 16_384;

/** Bytes of one message of `send`: beyond it the receiver takes it for an attack. */
const longestMessage = 67_108_864;

/** Bytes that may wait in a data channel: `send` pauses at the first, `emit` passes over an endpoint at the second. */
const channelIsFull = 262_144;
const channelIsStuck = 8_388_608;

/** Remote endpoints of one peer (C-32), Links of one page (SPEC LC-1), channels of one connection. */
const mostEndpoints = 32;
const mostLinks = 256;
const mostChannels = 64;
const mostCandidates = 128;

const defaults = {
    actionTimeout: 10_000, transport: "auto", path: "/socket.io/", auth: undefined, iceServers: undefined,
    iceTransportPolicy: "all", rosterGrace: 15_000, queueLimit: 256, autoLive: false, logger: undefined,
};

/**
 * The page instance, on the wire (C-17): it outlives reconnects and the back/forward cache, and no copy of the tab has it.
 * @type {string}
 */
const endpoint = base64url(crypto.getRandomValues(new Uint8Array(16)));

/* ---------------------------------------------------------------- Small things */

const isObject = value => typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value, longest) => typeof value === "string" && value.length > 0 && value.length <= longest;
const isBinary = value => value instanceof ArrayBuffer || ArrayBuffer.isView(value);
const bytesOf = value => (ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value));
const byteLength = text => new TextEncoder().encode(text).length;

function base64url(bytes) {
    return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** JSON whose members are sorted: equal texts are deeply equal values. */
function canonical(value) {
    return JSON.stringify(value, (_, member) => (isObject(member)
        ? Object.fromEntries(Object.keys(member).sort().map(key => [key, member[key]])) : member));
}

/** What a cookie of this page is now, `__Host-` before plain (C-11); undefined where there is none. */
function cookie(name) {
    const cookies = new Map(document.cookie.split("; ").map(text => {
        const at = text.indexOf("=");
        return [text.slice(0, at), text.slice(at + 1)];
    }));
    return cookies.get(`__Host-${name}`) ?? cookies.get(name);
}

const hasLoggedOut = () => cookie("loggedOut") === "1";

/* ---------------------------------------------------------------- Errors */

/** What programs compare is `code`, what people read is `message`. */
class CodedError extends Error {
    constructor(code, message = code, options = undefined) {
        super(message, options);
        this.name = new.target.name;
        this.code = code;
    }
}

/** Why an action has no answer: `TIMEOUT`, `ABORTED`, `NETWORK` (the outcome is unknown) or `INVALID`. */
export class ActionError extends CodedError {}

/** Why a page does not go live: `LOGIN`, `FOREIGN`, `DOMAIN`, `VERSION`, what a middleware said, or `ABORTED`. */
export class LiveError extends CodedError {}

/** Why a peer is not reached: `FORBIDDEN`, `OFFLINE`, `INVALID`, `TIMEOUT`, `BUSY`, `CLOSED` or `OVERFLOW`. */
export class PeerError extends CodedError {}

/* ---------------------------------------------------------------- Events */

/**
 * Listeners by name, and on demand a queue for each name that nobody listens to (C-1 to C-3).
 *
 * The first listener of a name gets its queue, one event a microtask; newer events line up behind it.
 */
class Emitter {
    #listeners = new Map();
    #queues = new Map();
    #count = 0;
    #report;

    /** Events that are kept for one name, and for all names together. 0: none. */
    limit;
    total;

    /** What the delivery that is under way was given as its context. */
    context;

    constructor(report, { limit = 0, total = 4_096 } = {}) {
        this.#report = report;
        this.limit = limit;
        this.total = total;
    }

    on(name, listener, isOnce = false) {
        if (typeof name !== "string" || typeof listener !== "function") throw new TypeError("a name and a function");
        const entry = { listener, isOnce };
        this.#listeners.set(name, [...this.#listeners.get(name) ?? [], entry]);
        this.#release(name);
        return () => this.#remove(name, other => other === entry);
    }

    off(name, listener) {
        this.#remove(name, entry => entry.listener === listener);
    }

    /** @returns {boolean} whether somebody listens */
    emit(name, args, context) {
        const hasListener = this.#listeners.has(name);
        if (this.limit > 0 && (!hasListener || this.#queues.has(name))) this.#keep(name, { args, context });
        else this.#deliver(name, args, context);
        return hasListener;
    }

    #remove(name, isGone) {
        const left = (this.#listeners.get(name) ?? []).filter(entry => !isGone(entry));
        if (left.length > 0) this.#listeners.set(name, left);
        else this.#listeners.delete(name);
    }

    #keep(name, event) {
        let queue = this.#queues.get(name);
        if (!queue) this.#queues.set(name, queue = { events: [], isReleasing: false, hasOverflown: false });
        queue.events.push(event);
        this.#count += 1;
        if (queue.events.length > this.limit) this.#drop(name, queue);
        else if (this.#count > this.total) this.#drop(...this.#queues.entries().next().value);
    }

    #drop(name, queue) {
        queue.events.shift();
        this.#count -= 1;
        const isNews = !queue.hasOverflown;
        queue.hasOverflown = true;
        if (queue.events.length === 0) this.#queues.delete(name);
        if (isNews) this.#report({ code: "OVERFLOW", message: `too many events "${name}" wait for a listener`, name });
    }

    #release(name) {
        const queue = this.#queues.get(name);
        if (!queue || queue.isReleasing) return;
        queue.isReleasing = true;
        queueMicrotask(() => {
            queue.isReleasing = false;
            if (this.#queues.get(name) !== queue || !this.#listeners.has(name)) return;
            const event = queue.events.shift();
            this.#count -= 1;
            if (queue.events.length === 0) this.#queues.delete(name);
            this.#deliver(name, event.args, event.context);
            this.#release(name);
        });
    }

    #deliver(name, args, context) {
        for (const entry of this.#listeners.get(name) ?? []) {
            if (entry.isOnce) this.#remove(name, other => other === entry);
            const complain = cause => this.#report({
                code: "LISTENER", message: `a listener of "${name}" has failed: ${cause?.message ?? cause}`, name, cause,
            });
            const outer = this.context;
            this.context = context;
            try {
                entry.listener(...args)?.then?.(undefined, complain);
            } catch (cause) {
                complain(cause);
            } finally {
                this.context = outer;
            }
        }
    }
}

/** One server object for each origin. */
const servers = new Map();

/** What goes wrong in listeners of application events is told by the page's own server, else by the first one. */
function report(detail) {
    const [first] = servers.values();
    (servers.get(location.origin) ?? first)?.report(detail);
}

const applicationEvents = new Emitter(report, { limit: defaults.queueLimit });

/**
 * Listens to an application event, whatever it came with: sent by a server, part of a reply, or in the page (C-4).
 * @param {string} name
 * @param {(...args: any[]) => void} listener
 * @returns {() => void} ends it
 */
export function on(name, listener) {
    return applicationEvents.on(name, listener);
}

/**
 * Listens to one event of a name.
 * @param {string} name
 * @param {(...args: any[]) => void} listener
 * @returns {() => void} ends it
 */
export function once(name, listener) {
    return applicationEvents.on(name, listener, true);
}

/**
 * Takes a listener back.
 * @param {string} name
 * @param {(...args: any[]) => void} listener
 */
export function off(name, listener) {
    applicationEvents.off(name, listener);
}

/**
 * Emits an application event in this page, by the same queue.
 * @param {string} name
 * @param {...any} args
 */
export function emit(name, ...args) {
    applicationEvents.emit(name, args);
}

/**
 * Emits several, each `[name, ...args]`. What is no such list is reported and left out.
 * @param {Array<[string, ...any]>} events
 */
export function sendEvents(events) {
    for (const event of Array.isArray(events) ? events : [undefined]) {
        if (Array.isArray(event) && typeof event[0] === "string") applicationEvents.emit(event[0], event.slice(1));
        else report({ code: "PROTOCOL", message: "an event is a list that begins with its name" });
    }
}

/* ---------------------------------------------------------------- Transports */

/**
 * What a transport tells: `joined()`, `received(name, args)`, `lost()`, `ended()` by the server for good, `refused(code)`,
 * `heard(quiet?)` with the milliseconds of silence that are a loss, and `failed(cause)` where something cannot be decoded.
 * Both have `open()`, `close(isFinal)` and `send(name, ...args)`, which says whether it was handed over.
 *
 * @typedef {object} TransportEvents
 */

/** Takes the offset from an event (C-18): where recovery is on, each that wants no acknowledgement ends with one. */
const takeOffset = args => (typeof args.at(-1) === "string" ? args.pop() : undefined);

/** Engine.IO 4 and Socket.IO 5 over one WebSocket, the root namespace only (C-18). */
class OwnTransport {
    #url;
    #auth;
    #on;
    #socket = null;
    #isJoined = false;
    /** Events that the server repeats come before its CONNECT. */
    #early = [];
    /** A packet whose attachments are still to come. */
    #partial = null;
    #pid;
    #offset;

    constructor({ origin, path, auth, on }) {
        this.#url = `${origin.replace(/^http/, "ws")}${path}?EIO=4&transport=websocket`;
        this.#auth = auth;
        this.#on = on;
    }

    open() {
        this.close(false);
        const socket = this.#socket = new WebSocket(this.#url);
        const ifCurrent = work => event => { if (socket === this.#socket) work(event); };
        socket.binaryType = "arraybuffer";
        socket.onclose = ifCurrent(() => this.#lose());
        socket.onmessage = ifCurrent(({ data }) => {
            this.#on.heard();
            try {
                if (typeof data === "string") this.#receiveText(data);
                else this.#receiveAttachment(data);
            } catch (cause) {
                this.#on.failed(cause);
                if (socket === this.#socket) this.#lose();
            }
        });
    }

    close(isFinal) {
        const socket = this.#socket;
        this.#socket = null;
        if (isFinal) {
            if (this.#isJoined && socket?.readyState === WebSocket.OPEN) socket.send("41");
            this.#pid = this.#offset = undefined;
        }
        this.#isJoined = false;
        this.#early = [];
        this.#partial = null;
        socket?.close();
    }

    send(name, ...args) {
        if (!this.#isJoined || this.#socket?.readyState !== WebSocket.OPEN) return false;
        this.#write(2, "", [name, ...args]);
        return true;
    }

    #lose() {
        this.close(false);
        this.#on.lost();
    }

    #write(type, id, args) {
        const attachments = [];
        const json = JSON.stringify(args, (_, value) => (isBinary(value)
            ? { _placeholder: true, num: attachments.push(value) - 1 } : value));
        const head = attachments.length > 0 ? `${type + 3}${attachments.length}-` : type;
        this.#socket.send(`4${head}${id}${json}`);
        for (const attachment of attachments) this.#socket.send(attachment);
    }

    #receiveText(text) {
        switch (text[0]) {
        case "0": {
            const { pingInterval, pingTimeout } = JSON.parse(text.slice(1));
            if (!(pingInterval > 0 && pingTimeout > 0)) throw new SyntaxError("no heartbeat in the handshake");
            this.#on.heard(pingInterval + pingTimeout);
            this.#join(this.#socket);
            break;
        }
        case "1":
            this.#lose();
            break;
        case "2":
            this.#socket.send(`3${text.slice(1)}`);
            break;
        case "4":
            this.#receivePacket(text.slice(1));
            break;
        case "6":
            break;
        default:
            throw new SyntaxError("an unknown packet");
        }
    }

    async #join(socket) {
        const auth = await this.#auth();
        if (socket !== this.#socket || socket.readyState !== WebSocket.OPEN) return;
        const position = this.#pid && this.#offset ? { pid: this.#pid, offset: this.#offset } : {};
        socket.send(`40${JSON.stringify({ ...position, ...auth })}`);
    }

    #receivePacket(text) {
        if (this.#partial) throw new SyntaxError("text in place of an attachment");
        const [, type, count, namespace, id, json] = /^([0-6])(?:(\d{1,2})-)?(?:(\/[^,]*),)?(\d{1,16})?([^]*)$/.exec(text)
            ?? [];
        if (type === undefined || namespace?.length > 1) throw new SyntaxError("an unknown packet");
        const value = json === "" ? undefined : JSON.parse(json);
        if ((type === "5" || type === "6") !== (count !== undefined) || count > 10) throw new SyntaxError("attachments");
        if (count > 0) this.#partial = { type, id, value, missing: Number(count), attachments: [] };
        else this.#receiveValue(type, id, value);
    }

    #receiveAttachment(bytes) {
        const partial = this.#partial;
        if (!partial) throw new SyntaxError("an attachment of nothing");
        partial.attachments.push(bytes);
        partial.missing -= 1;
        if (partial.missing > 0) return;
        this.#partial = null;
        const fill = value => {
            if (Array.isArray(value)) return value.map(fill);
            if (!isObject(value)) return value;
            if (value._placeholder !== true) {
                return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, fill(member)]));
            }
            if (!Object.hasOwn(partial.attachments, value.num)) throw new SyntaxError("no such attachment");
            return partial.attachments[value.num];
        };
        this.#receiveValue(partial.type, partial.id, fill(partial.value));
    }

    #receiveValue(type, id, value) {
        switch (type) {
        case "0":
            if (!isText(value?.sid, 256)) throw new SyntaxError("a CONNECT without sid");
            this.#isJoined = true;
            if (this.#pid !== value.pid) this.#offset = undefined;
            this.#pid = isText(value.pid, 256) ? value.pid : undefined;
            this.#on.joined();
            for (const event of this.#early.splice(0)) this.#receiveEvent(...event);
            break;
        case "1":
            this.close(true);
            this.#on.ended();
            break;
        case "2":
        case "5":
            if (!Array.isArray(value) || typeof value[0] !== "string") throw new SyntaxError("an event without name");
            if (this.#isJoined) this.#receiveEvent(id, value);
            else if (this.#pid !== undefined) this.#early.push([id, value]);
            else throw new SyntaxError("an event before CONNECT");
            break;
        case "4":
            this.close(true);
            this.#on.refused(String(value?.message));
            break;
        default:   // acknowledgements: the module asks for none
        }
    }

    #receiveEvent(id, [name, ...args]) {
        if (id !== undefined) args.push(this.#acknowledgement(id, this.#socket));
        else if (this.#pid !== undefined) this.#offset = takeOffset(args) ?? this.#offset;
        this.#on.received(name, args);
    }

    /** What a listener calls to acknowledge an event: its last argument, as official clients have it. */
    #acknowledgement(id, socket) {
        let isDone = false;
        return (...args) => {
            if (isDone || socket !== this.#socket || socket.readyState !== WebSocket.OPEN) return;
            isDone = true;
            this.#write(3, id, args);
        };
    }
}

/** An official Socket.IO client that the page hands in (C-19). It neither reconnects nor is told to: that is the module's. */
class ClientTransport {
    #socket;
    #isOpen = false;
    #hasRecovery = false;

    constructor({ io, origin, path, auth, on }) {
        const socket = this.#socket = io(origin, {
            auth: give => { auth().then(give); }, path, autoConnect: false, reconnection: false, forceNew: true,
        });
        const ifOpen = work => (...args) => { if (this.#isOpen) work(...args); };
        const ending = work => ifOpen((...args) => {
            this.#isOpen = false;
            work(...args);
        });
        // The decoded packet is the only public place that tells whether recovery is on.
        socket.io.on("packet", ({ type, data }) => { if (type === 0) this.#hasRecovery = data?.pid !== undefined; });
        socket.io.on("ping", ifOpen(() => on.heard()));
        socket.on("connect", ifOpen(() => on.joined()));
        socket.onAny(ifOpen((name, ...args) => {
            on.heard();
            if (this.#hasRecovery) takeOffset(args);
            on.received(String(name), args);
        }));
        socket.on("disconnect", ending(reason => (reason === "io server disconnect" ? on.ended() : on.lost())));
        socket.on("connect_error", ending(error => {
            // Errors of the engine have a type, or are the manager's own time-out; the others are the server's words.
            if (error.type || error.message === "timeout") on.lost();
            else on.refused(error.message);
        }));
    }

    open() {
        this.#socket.disconnect();   // whatever is left of the one before
        this.#isOpen = true;
        this.#socket.connect();
    }

    close(isFinal) {
        this.#isOpen = false;
        // DISCONNECT ends what recovery could bring back; a transport that just closes does not.
        if (isFinal || !this.#socket.connected) this.#socket.disconnect();
        else this.#socket.io.engine.close();
    }

    send(name, ...args) {
        if (!this.#isOpen || !this.#socket.connected) return false;
        this.#socket.emit(name, ...args);
        return true;
    }
}

/* ---------------------------------------------------------------- The line */

/**
 * Keeps one connection: dials, waits, dials again (C-14 to C-16).
 *
 *     offline → connecting → live → waiting → connecting …
 */
class Line {
    static shortest = 500;
    static longest = 30_000;
    static stableAfter = 10_000;
    static atMostEvery = 1_000;
    static dialling = 20_000;

    #transport;
    #on;
    #mayReturn;
    #waiters = [];
    #isWanted = false;
    #isPaused = false;
    /** The server has named the time to come back; nothing shortens it. */
    #isHeld = false;
    #attempts = 0;
    #dialledAt = 0;
    #timer = 0;
    #stable = 0;
    #watch = 0;
    #heardAt = 0;
    #quiet = 0;
    state = "offline";

    /**
     * @param {(on: TransportEvents) => object} makeTransport
     * @param {object} on `state(state)`, `received(name, args)`, `down()` whenever a connection is no longer there
     * @param {() => boolean} mayReturn whether the page may connect by itself
     */
    constructor(makeTransport, on, mayReturn) {
        this.#on = on;
        this.#mayReturn = mayReturn;
        this.#transport = makeTransport({
            heard: quiet => this.#heard(quiet),
            joined: () => {},
            received: (name, args) => on.received(name, args),
            failed: cause => on.failed(cause),
            lost: () => this.#lost(),
            ended: () => this.#stop(new LiveError("ENDED", "the server has ended the connection")),
            refused: code => {
                if (transientRefusals.has(code)) this.#lost();
                else this.#stop(new LiveError(code));
            },
        });
    }

    get isLive() { return this.state === "live"; }

    /** Whether the page means to be live, whatever is the case. */
    get isWanted() { return this.#isWanted; }

    goLive() {
        if (this.isLive) return Promise.resolve();
        const isNews = !this.#isWanted;
        this.#isWanted = true;
        const isThere = new Promise((resolve, reject) => { this.#waiters.push({ resolve, reject }); });
        if (isNews) this.#dial();
        else this.wake();
        return isThere;
    }

    goOffline() {
        this.#close(true);
        this.#stop(new LiveError("ABORTED", "told to go offline"));
    }

    /** @param {number} [quiet] milliseconds of silence that are a loss, where the server has said so only in `ready` */
    ready(quiet) {
        if (this.state !== "connecting") return;
        this.#heard(quiet);
        this.#stable = setTimeout(() => { this.#attempts = 0; }, Line.stableAfter);
        this.#become("live");
        for (const { resolve } of this.#waiters.splice(0)) resolve();
    }

    /** The server sends the page away (C-14). */
    dismiss(reconnects, after) {
        this.#close(!reconnects);
        if (!reconnects) return this.#stop(new LiveError("LOGIN", "the login is over"));
        this.#become("offline");
        this.#isHeld = after !== undefined;
        this.#wait(after ?? this.#backoff());
    }

    /** Drops the connection for a new one, at once. */
    reconnect() {
        this.#close(true);
        this.#isWanted = true;
        this.#dial();
    }

    send(name, ...args) { return this.#transport.send(name, ...args); }

    /** The page sleeps or goes. */
    pause(isFinal) {
        if (!this.#isWanted || this.#isPaused) return;
        this.#isPaused = true;
        clearTimeout(this.#timer);
        this.#close(isFinal);
        this.#become("waiting");
    }

    resume() {
        if (!this.#isPaused) return;
        this.#isPaused = false;
        this.#dial();
    }

    /** Something speaks for a network that is there, or for timers that were late. */
    wake() {
        if (this.state === "waiting" && !this.#isHeld && !this.#isPaused) {
            clearTimeout(this.#timer);
            const rest = this.#dialledAt + Line.atMostEvery - Date.now();
            this.#timer = setTimeout(() => this.#return(), Math.max(0, rest));
        } else if (this.state !== "offline") {
            this.#check();
        }
    }

    #dial() {
        clearTimeout(this.#timer);
        this.#isHeld = false;
        this.#dialledAt = Date.now();
        this.#heard(Line.dialling);
        this.#transport.open();
        this.#become("connecting");
    }

    #return() {
        if (this.#mayReturn()) this.#dial();
        else this.#stop(new LiveError("LOGIN", "logged out in another tab"));
    }

    #lost() {
        this.#close(false);
        if (this.#isWanted && !this.#isPaused) this.#wait(this.#backoff());
    }

    #close(isFinal) {
        clearTimeout(this.#stable);
        clearTimeout(this.#watch);
        this.#watch = 0;
        this.#transport.close(isFinal);
        this.#on.down();
    }

    #stop(error) {
        this.#close(false);
        clearTimeout(this.#timer);
        this.#isWanted = this.#isPaused = false;
        this.#become("offline");
        for (const { reject } of this.#waiters.splice(0)) reject(error);
    }

    #wait(delay) {
        this.#timer = setTimeout(() => this.#return(), delay);
        this.#become("waiting");
    }

    /** Half a second, doubled up to half a minute, of which chance takes a part: nodes are not stormed (C-15). */
    #backoff() {
        const ceiling = Math.min(Line.longest, Line.shortest * 2 ** this.#attempts);
        this.#attempts += 1;
        return Math.random() * ceiling;
    }

    #heard(quiet = this.#quiet) {
        this.#heardAt = Date.now();
        if (this.#watch !== 0 && quiet === this.#quiet) return;
        this.#quiet = quiet;
        this.#look(quiet);
    }

    #look(delay) {
        clearTimeout(this.#watch);
        const due = Date.now() + delay;
        this.#watch = setTimeout(() => {
            // A timer that comes late was throttled, and what the server has sent meanwhile may be next in line (C-16).
            if (Date.now() - due > Line.atMostEvery) this.#look(Line.shortest);
            else this.#check();
        }, delay);
    }

    #check() {
        const left = this.#heardAt + this.#quiet - Date.now();
        if (left <= 0) this.#lost();
        else this.#look(left);
    }

    #become(state) {
        if (this.state === state) return;
        this.state = state;
        this.#on.state(state);
    }
}

/* ---------------------------------------------------------------- Actions */

/** How long something may take, and the caller's own signal, as one signal. */
class Limit {
    #controller = new AbortController();
    #timer;
    #given;
    #abort = () => this.#controller.abort(new ActionError("ABORTED", "aborted", { cause: this.#given.reason }));

    constructor(milliseconds, given) {
        this.#given = given;
        if (given?.aborted) this.#abort();
        else given?.addEventListener("abort", this.#abort);
        const expire = () => this.#controller.abort(new ActionError("TIMEOUT", `no answer in ${milliseconds} ms`));
        if (milliseconds < 2 ** 31) this.#timer = setTimeout(expire, milliseconds);
    }

    get signal() { return this.#controller.signal; }

    /** The answer is there. Of a stream the caller's signal goes on to count. */
    end(isStream) {
        clearTimeout(this.#timer);
        if (!isStream) this.#given?.removeEventListener("abort", this.#abort);
    }
}

/** A fetched body whose failures have the module's form. */
function guarded(body) {
    const reader = body.getReader();
    return new ReadableStream({
        async pull(controller) {
            try {
                const { done, value } = await reader.read();
                if (done) controller.close();
                else controller.enqueue(value);
            } catch (cause) {
                controller.error(cause instanceof ActionError ? cause : networkError(cause));
            }
        },
        cancel: reason => reader.cancel(reason),
    }, { highWaterMark: 0 });
}

const networkError = cause => new ActionError("NETWORK", "the connection was lost; the outcome is unknown", { cause });

/** Whether a request may have a stream as its body: browsers that cannot say so ask for no `duplex`; all need HTTP/2. */
const sendsStreams = (() => {
    let asksForDuplex = false;
    try {
        const isText = new Request("https://localhost", {
            body: new ReadableStream(), method: "POST", get duplex() { asksForDuplex = true; return "half"; },
        }).headers.has("content-type");
        return asksForDuplex && !isText && location.protocol === "https:";
    } catch {
        return false;
    }
})();

/** A streamed answer over the socket: what has come waits here, and is acknowledged as it is taken (C-8, SPEC AC-10). */
class ChunkStream {
    /** Chunks that the server sends ahead, and as many again for good measure. */
    static most = 16;

    #chunks = [];
    #next = 0;
    #controller;
    #wake = () => {};
    #send;
    stream;

    /** @param {(packet: object) => void} send a `chunk` event; `end` tells that nothing more is to come */
    constructor(send, end) {
        this.#send = send;
        this.stream = new ReadableStream({
            start: controller => { this.#controller = controller; },
            pull: async () => {
                while (this.#chunks.length === 0) await new Promise(resolve => { this.#wake = resolve; });
                const { n, data, isLast } = this.#chunks.shift();
                if (isLast) return this.#controller.close();
                this.#controller.enqueue(data);
                this.#send({ ack: n });
            },
            cancel: () => {
                end();
                this.#send({ cancel: true });
            },
        }, { highWaterMark: 0 });
    }

    /** @returns {boolean} whether more is to come */
    receive({ n, data, end, error }) {
        if (error !== undefined) return this.fail(new ActionError("NETWORK", `the stream has failed: ${error}`));
        if (n !== this.#next || !(end === true || isBinary(data)) || this.#chunks.length >= ChunkStream.most) {
            this.#send({ cancel: true });
            return this.fail(new ActionError("INVALID", "a chunk out of place"));
        }
        this.#next += 1;
        this.#chunks.push(end ? { isLast: true } : { n, data: bytesOf(data) });
        this.#wake();
        return !end;
    }

    fail(error) {
        this.#controller.error(error);
        return false;
    }
}

/** Requests with one answer each, over whatever is there (C-5 to C-8). */
class Actions {
    static repeatable = new Set(["GET", "HEAD", "OPTIONS"]);

    #server;
    #pending = new Map();
    #streams = new Map();
    #count = 0;

    /** @param {object} server `origin`, `options`, `line`, `domestic()`, `authorization()`, `redeem(ticket)` */
    constructor(server) {
        this.#server = server;
    }

    get pending() { return this.#pending.size + this.#streams.size; }

    async run(method, path, { query, body, timeout = this.#server.options.actionTimeout, signal } = {}) {
        const call = { method: String(method).toUpperCase(), url: this.address(path, query), body, text: undefined };
        if (body instanceof HTMLFormElement) call.body = new FormData(body);
        if (body !== undefined && (call.method === "GET" || call.method === "HEAD")) {
            throw new ActionError("INVALID", `${call.method} has no body`);
        }
        if (Actions.#isPlain(call.body)) call.text = Actions.#json(call.body);
        const limit = new Limit(timeout, signal);
        let answer;
        try {
            limit.signal.throwIfAborted();
            if (this.#server.line.isLive && Actions.#fitsSocket(call)) answer = await this.#askSocket(call, limit.signal);
            answer ??= await this.#askHTTP(call, limit.signal);
            return answer;
        } finally {
            limit.end(answer?.content instanceof ReadableStream);
        }
    }

    /** The address of a path here, with the query's members in place of those of the same name in the path. */
    address(path, query) {
        const url = new URL(path, this.#server.origin);
        if (!String(path).startsWith("/") || url.origin !== this.#server.origin) {
            throw new ActionError("INVALID", "a path begins with one slash");
        }
        const pairs = query instanceof URLSearchParams ? query : Object.entries(query ?? {});
        for (const [name, value] of pairs) if (value !== undefined && value !== null) url.searchParams.set(name, value);
        url.hash = "";
        return url;
    }

    static #isPlain(body) {
        return body !== undefined && !isBinary(body)
            && ![FormData, Blob, URLSearchParams, ReadableStream].some(kind => body instanceof kind);
    }

    static #json(body) {
        let text;
        try {
            text = JSON.stringify(body);
        } catch (cause) {
            throw new ActionError("INVALID", "the body is no JSON", { cause });
        }
        if (text === undefined) throw new ActionError("INVALID", "the body is no JSON");
        return text;
    }

    static #fitsSocket({ body, text }) {
        if (text !== undefined) return byteLength(text) <= longestSocketBody;
        return body === undefined || (isBinary(body) && body.byteLength <= longestSocketBody);
    }

    /** @returns {Promise<object | undefined>} undefined where HTTP is to be asked as well */
    #askSocket(call, signal) {
        const { method, url: { pathname, search }, body, text } = call;
        const _id = this.#count += 1;
        const packet = { _id, method, url: pathname + search };
        if (body !== undefined) packet.body = text === undefined ? body : JSON.parse(text);
        const proof = this.#server.domestic();
        return new Promise((resolve, reject) => {
            const abort = () => {
                this.#streams.get(_id)?.fail(signal.reason);
                if (this.#pending.delete(_id)) reject(signal.reason);
                else if (this.#streams.delete(_id)) this.#server.line.send("chunk", { _id, cancel: true });
            };
            const settle = work => value => {
                if (!(value?.content instanceof ReadableStream)) signal.removeEventListener("abort", abort);
                work(value);
            };
            signal.addEventListener("abort", abort);
            this.#pending.set(_id, { method, proof, resolve: settle(resolve), reject: settle(reject) });
            if (!this.#server.line.send("action", packet)) {
                this.#pending.delete(_id);
                settle(resolve)();
            }
        });
    }

    /** A `reply`. Its events count also where nobody waits for it any more (C-7). */
    async reply({ _id, status, content, events, stream, session }) {
        if (events !== undefined) sendEvents(events);
        const entry = this.#pending.get(_id);
        this.#pending.delete(_id);
        if (stream === true) {
            const end = () => this.#streams.delete(_id);
            const send = packet => this.#server.line.send("chunk", { _id, ...packet });
            if (!entry) return void send({ cancel: true });
            const chunks = new ChunkStream(send, end);
            this.#streams.set(_id, chunks);
            content = chunks.stream;
        }
        if (session !== undefined) await this.#server.redeem(session?.ticket);
        if (!Number.isInteger(status)) entry?.reject(new ActionError("INVALID", "an answer without status"));
        else if (this.#isStale(status, content, entry?.proof)) entry?.resolve();
        else entry?.resolve({ status, content });
    }

    chunk({ _id, ...chunk }) {
        const stream = this.#streams.get(_id);
        if (stream && !stream.receive(chunk)) this.#streams.delete(_id);
    }

    /** The socket is gone: what may be asked twice is asked over HTTP, of the rest nobody knows (C-7). */
    down() {
        const [pending, streams] = [[...this.#pending.values()], [...this.#streams.values()]];
        this.#pending.clear();
        this.#streams.clear();
        for (const stream of streams) stream.fail(networkError());
        for (const { method, resolve, reject } of pending) {
            if (Actions.repeatable.has(method)) resolve();
            else reject(networkError());
        }
    }

    /** The proof was refused, and another tab has brought a new one meanwhile (C-12). */
    #isStale(status, content, proof) {
        return status === 403 && content?.error === "DOMESTIC" && proof !== this.#server.domestic();
    }

    async #askHTTP(call, signal, isRepeated = false) {
        const proof = this.#server.domestic();
        const response = await this.#fetch(call, proof, signal);
        const answer = await this.#read(response, call.method, signal);
        const { status, content, events } = answer;
        if (!isRepeated && !(call.body instanceof ReadableStream) && this.#isStale(status, content, proof)) {
            return this.#askHTTP(call, signal, true);
        }
        if (events !== undefined) sendEvents(events);
        return { status, content };
    }

    async #fetch({ method, url, body, text }, proof, signal) {
        const headers = new Headers({ accept: "application/json" });
        if (proof) headers.set("x-domestic", proof);
        const authorization = await this.#server.authorization();
        if (authorization) headers.set("authorization", authorization);
        const request = { method, headers, body: text ?? body, signal, credentials: "include" };
        if (text !== undefined) headers.set("content-type", "application/json");
        else if (isBinary(body) || body?.type === "") headers.set("content-type", "application/octet-stream");
        try {
            if (body instanceof ReadableStream) {
                if (sendsStreams) request.duplex = "half";
                else request.body = await new Response(body).blob();
                headers.set("content-type", "application/octet-stream");
            }
            return await fetch(url, request);
        } catch (cause) {
            throw signal.aborted ? signal.reason : networkError(cause);
        }
    }

    async #read(response, method, signal) {
        // No page sees a redirect, only where it leads to.
        const moved = response.redirected ? { status: 302, content: {}, events: [["redirect", response.url]] } : undefined;
        if (moved) {
            response.body?.cancel();
            return moved;
        }
        const { status } = response;
        const type = response.headers.get("content-type") ?? "";
        if (method === "HEAD" || status === 204 || status === 304 || !response.body) return { status };
        if (type.startsWith("text/html")) throw new ActionError("INVALID", `a page with status ${status}, and no answer`);
        if (!type.startsWith("application/json")) return { status, content: guarded(response.body) };
        let text;
        try {
            text = await response.text();
        } catch (cause) {
            throw signal.aborted ? signal.reason : networkError(cause);
        }
        let value;
        try {
            value = JSON.parse(text);
        } catch (cause) {
            throw new ActionError("INVALID", "the answer is no JSON", { cause });
        }
        if (isObject(value) && ("content" in value || "events" in value)) return { status, ...value };
        return { status, content: new Response(text).body };   // a stream that happens to be JSON
    }
}

/* ---------------------------------------------------------------- Streams and channels of peers */

/** A stream of a remote endpoint, the same object also when the connection under it was built anew (C-34). */
class RemoteStream {
    /** The name that the sender gave it; else the sender's stream ID. */
    name;
    /** Whose it is (C-35). */
    endpoint;
    #stream;
    #elements = new Set();
    #signals;
    #report;

    /** @param {(inner: {swap, end}) => void} reveal gets what only the module may do */
    constructor(name, remote, stream, report, reveal) {
        this.name = name;
        this.endpoint = remote;
        this.#stream = stream;
        this.#signals = new Emitter(report);
        this.#report = report;
        reveal({
            swap: fresh => {
                if (fresh === this.#stream) return;
                this.#stream = fresh;
                for (const element of this.#elements) this.#play(element);
                this.#signals.emit("swap", [fresh]);
            },
            end: () => {
                for (const element of this.#elements) this.detach(element);
            },
        });
    }

    /** The MediaStream as it is now; `swap` tells of another one. */
    get stream() { return this.#stream; }

    on(name, listener) { return this.#signals.on(name, listener); }
    once(name, listener) { return this.#signals.on(name, listener, true); }
    off(name, listener) { this.#signals.off(name, listener); }

    /**
     * Shows the stream in a media element, and whatever takes its place later.
     * @returns {Promise<boolean>} whether it plays; if not, an `error` says why, and it may be tried again (C-37)
     */
    attach(element) {
        this.#elements.add(element);
        return this.#play(element);
    }

    detach(element) {
        this.#elements.delete(element);
        if (element.srcObject === this.#stream) element.srcObject = null;
    }

    async #play(element) {
        if (element.srcObject !== this.#stream) element.srcObject = this.#stream;
        try {
            await element.play();
            return true;
        } catch (cause) {
            // Interrupted by the next stream: that one's playing counts.
            if (cause.name === "AbortError") return false;
            const code = cause.name === "NotAllowedError" ? "AUTOPLAY" : "MEDIA";
            this.#report({ code, message: cause.message, cause, endpoint: this.endpoint });
            return false;
        }
    }
}

/** An application's own data channel to all endpoints of a peer; events `message (data, endpoint)`, `open` and `close`. */
class PeerChannel {
    label;
    #signals;
    #channels;

    /** @param {() => Iterable<RTCDataChannel>} channels those that are there, open or not */
    constructor(label, channels, report, reveal) {
        this.label = label;
        this.#channels = channels;
        this.#signals = new Emitter(report, { limit: defaults.queueLimit, total: defaults.queueLimit });
        reveal((name, ...args) => this.#signals.emit(name, args));
    }

    on(name, listener) { return this.#signals.on(name, listener); }
    once(name, listener) { return this.#signals.on(name, listener, true); }
    off(name, listener) { this.#signals.off(name, listener); }

    /**
     * @param {string | ArrayBuffer | ArrayBufferView} data
     * @returns {number} how many endpoints it was handed over for
     */
    send(data) {
        let count = 0;
        for (const channel of this.#channels()) {
            if (channel.readyState !== "open" || channel.bufferedAmount > channelIsStuck) continue;
            channel.send(data);
            count += 1;
        }
        return count;
    }
}

/* ---------------------------------------------------------------- Connections */

/** Which RTCPeerConnection a description is of: it keeps the number for as long as it lives (RFC 8829 §5.2.1). */
const sessionOf = description => /^o=\S+ (\S+)/m.exec(description.sdp)?.[1];

/**
 * The connection to one remote endpoint of a Link: negotiation, health, frames (C-25 to C-30).
 *
 * Everything that touches its descriptions runs in one chain, so that nothing is decided on a state that is about to change.
 */
class Connection {
    static offerAfter = 5_000;
    static toleratedPause = 4_000;
    static politePause = 3_000;
    static patience = 10_000;
    static mostRestarts = 5;
    static longestPause = 30_000;

    /** The remote endpoint, and where it is signalled to now; no SID while that is unknown. */
    endpoint;
    sid;
    /** Among the rosters since the last `ready` (C-21). */
    isListed = true;
    /** The server has seen its signalling leave (C-30). */
    isGone = false;

    #link;
    #pc = null;
    #events;
    #isPolite;
    #mayOffer;
    #ignoresOffer = false;
    #isClosed = false;
    #chain = Promise.resolve();
    #remoteSession;
    /** Of the other side, from before its description; of this side, to be told again (C-28). */
    #early = [];
    #candidates = [];
    #isBehind = false;
    #restarts = 0;
    #timer = 0;
    #away = 0;
    #senders = new Map();
    #channels = new Map();
    #channelCount = 0;
    /** Names by stream ID as the other side has them, and the streams that have come. */
    #table = new Map();
    #arrived = new Map();
    #outgoing = Promise.resolve();
    #parts = [];
    #partBytes = 0;

    constructor(link, remote, sid) {
        this.#link = link;
        this.endpoint = remote;
        this.sid = sid;
        this.#isPolite = endpoint > remote;
        this.#build();
    }

    get isOpen() { return this.#events?.readyState === "open"; }
    get isHealthy() { return this.isOpen && this.#pc.connectionState === "connected"; }

    /** What applications see of it. */
    get status() {
        return {
            state: this.#pc.connectionState, channel: this.#events,
            streams: this.#link.remotes.filter(({ remote }) => remote.endpoint === this.endpoint).map(({ remote }) => remote),
        };
    }

    /* -------- Its parts */

    #build() {
        const pc = this.#pc = new RTCPeerConnection(this.#link.configuration);
        // The smaller endpoint offers; the other one only when nothing came, or has come already.
        this.#mayOffer = !this.#isPolite;
        this.#remoteSession = undefined;
        this.#isBehind = false;
        this.#early = [];
        this.#candidates = [];
        this.#senders.clear();
        this.#channels.clear();
        this.#channelCount = 0;
        this.#arrived.clear();
        this.#table.clear();
        const ifCurrent = work => event => { if (pc === this.#pc) work(event); };
        pc.onnegotiationneeded = ifCurrent(() => { if (this.#mayOffer) this.#enqueue(() => this.#offer()); });
        pc.onicecandidate = ifCurrent(({ candidate }) => {
            if (!candidate?.candidate) return;
            if (this.#candidates.length < mostCandidates) this.#candidates.push(candidate.toJSON());
            this.#signal({ ICE: candidate.toJSON() });
        });
        pc.onconnectionstatechange = ifCurrent(() => this.#judge());
        pc.ondatachannel = ifCurrent(({ channel }) => this.#accept(channel));
        pc.ontrack = ifCurrent(({ streams: [stream] }) => {
            if (!stream) return;
            this.#arrived.set(stream.id, stream);
            this.#showStreams();
        });
        this.#openEvents(pc, ifCurrent);
        for (const [label, options] of this.#link.ownChannels()) this.openChannel(label, options);
        this.applyStreams();
        clearTimeout(this.#timer);
        if (this.#isPolite) this.#later(Connection.offerAfter, () => this.#offerAnyway());
        else this.#later(Connection.patience, () => this.#restart());
    }

    #openEvents(pc, ifCurrent) {
        const channel = this.#events = pc.createDataChannel("events", { negotiated: true, id: 0 });
        channel.binaryType = "arraybuffer";
        channel.bufferedAmountLowThreshold = binaryFrame;
        channel.onopen = ifCurrent(() => {
            this.#tellStreams();
            this.#link.opened(this);
        });
        channel.onclose = ifCurrent(() => {
            this.#parts = [];
            this.#partBytes = 0;
            this.#link.shut(this);
            // The other side has let go without a word: it is gone, or is building anew.
            if (this.isGone) this.#link.drop(this);
            else this.#pause(() => this.#rebuild());
        });
        channel.onmessage = ifCurrent(({ data }) => this.#receive(data));
    }

    /** Closes for good. */
    close(sendsBye) {
        if (sendsBye) this.bye();
        this.#isClosed = true;
        clearTimeout(this.#timer);
        clearTimeout(this.#away);
        const pc = this.#pc;
        const wasOpen = this.isOpen;
        this.#pc = { connectionState: "closed" };
        this.#events = undefined;
        pc.close();
        return wasOpen;
    }

    /** This page leaves the Link by itself: said both ways, as either may be down. */
    bye() {
        if (this.isOpen) this.#events.send('{"b":1}');
        if (this.sid) this.#link.send({ to: this.sid, bye: true });
    }

    #rebuild() {
        if (this.#isClosed) return;
        if (this.isGone) return this.#link.drop(this);
        const old = this.#pc;
        const wasOpen = this.isOpen;
        this.#restarts = 0;
        clearTimeout(this.#away);
        this.#away = 0;
        this.#build();
        old.close();
        if (wasOpen) this.#link.shut(this);
    }

    /* -------- Negotiation */

    #enqueue(work) {
        const pc = this.#pc;
        this.#chain = this.#chain.then(() => (this.#isClosed || pc !== this.#pc ? undefined : work()))
            .catch(cause => this.#complain("PROTOCOL", cause));
    }

    async #offer() {
        const pc = this.#pc;
        if (pc.signalingState !== "stable") return;   // asked for again once it is
        await pc.setLocalDescription();
        this.#tellDescription(pc);
    }

    #offerAnyway() {
        if (this.#remoteSession !== undefined) return;
        this.#mayOffer = true;
        this.#enqueue(() => this.#offer());
        this.#later(Connection.patience, () => this.#restart());
    }

    #tellDescription(pc) {
        if (pc === this.#pc) this.#signal({ sdp: { type: pc.localDescription.type, sdp: pc.localDescription.sdp } });
    }

    /** @param {RTCSessionDescriptionInit} description from the other side */
    describe(description) {
        this.#chain = this.#chain.then(() => this.#describe(description))
            .catch(cause => this.#complain("PROTOCOL", cause));
    }

    async #describe(description) {
        if (this.#isClosed) return;
        const session = sessionOf(description);
        // Another RTCPeerConnection than before: the other side has built anew.
        if (this.#remoteSession !== undefined && session !== this.#remoteSession) this.#rebuild();
        const pc = this.#pc;
        if (description.type === "answer") {
            if (pc.signalingState !== "have-local-offer") return;   // told twice
            await pc.setRemoteDescription(description);
        } else {
            this.#ignoresOffer = pc.signalingState !== "stable" && !this.#isPolite;
            if (this.#ignoresOffer) return;
            await pc.setRemoteDescription(description);
        }
        if (pc !== this.#pc) return;
        this.#remoteSession = session;
        this.#mayOffer = true;
        if (description.type === "offer") {
            await pc.setLocalDescription();
            this.#tellDescription(pc);
        }
        for (const candidate of this.#early.splice(0)) await this.#addCandidate(candidate);
    }

    /** @param {RTCIceCandidateInit | null} candidate from the other side */
    addCandidate(candidate) {
        this.#enqueue(() => {
            if (this.#pc.remoteDescription) return this.#addCandidate(candidate);
            if (this.#early.length < mostCandidates) this.#early.push(candidate);
        });
    }

    async #addCandidate(candidate) {
        // One of a description that was rolled back, or of a connection that is no more.
        const fragment = candidate?.usernameFragment;
        if (fragment && !this.#pc.remoteDescription.sdp.includes(`a=ice-ufrag:${fragment}`)) return;
        try {
            await this.#pc.addIceCandidate(candidate ?? undefined);
        } catch (cause) {
            if (!this.#ignoresOffer) throw cause;
        }
    }

    /* -------- Signalling */

    #signal(message) {
        if (!this.sid || !this.#link.send({ to: this.sid, ...message })) this.#isBehind = true;
    }

    /** An `init` (C-25): it is there, under this SID. What it has missed is told as it is now (C-28). */
    moved(sid) {
        this.sid = sid;
        this.isGone = false;
        this.isListed = true;
        if (!this.#isBehind) return;
        this.#isBehind = false;
        this.#enqueue(() => {
            const pc = this.#pc;
            const { localDescription, signalingState } = pc;
            if (signalingState === "have-local-offer" || localDescription?.type === "answer") this.#tellDescription(pc);
            const isCurrent = ({ usernameFragment }) => localDescription?.sdp.includes(`a=ice-ufrag:${usernameFragment}`);
            if (this.isHealthy) return;
            for (const candidate of this.#candidates.filter(isCurrent)) this.#signal({ ICE: candidate });
        });
    }

    /** What was told last may not have arrived. @param {string} [sid] nobody is there any more */
    missed(sid) {
        if (sid !== undefined && sid === this.sid) this.sid = undefined;
        this.#isBehind = true;
    }

    /** What the server was too busy for is told again. */
    repeatSoon() {
        this.missed();
        setTimeout(() => { if (!this.#isClosed && this.sid) this.moved(this.sid); }, 1_000);
    }

    /** Its signalling has left (C-30). */
    gone(sid) {
        if (sid !== this.sid && this.sid !== undefined) return;   // it has come back meanwhile
        this.sid = undefined;
        this.isGone = true;
        if (!this.isHealthy) this.#link.drop(this);
    }

    /* -------- Health (C-29) */

    #later(delay, work) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(work, delay);
    }

    /** Gives what has broken off a moment to come back; the polite side a moment longer. */
    #pause(work, delay = Connection.toleratedPause) {
        if (this.#away !== 0) return;
        const wait = delay + (this.#isPolite ? Connection.politePause : 0);
        this.#away = setTimeout(() => {
            this.#away = 0;
            if (!this.isHealthy) work();
        }, wait);
    }

    #judge() {
        this.#link.changed(this);
        switch (this.#pc.connectionState) {
        case "connected":
            clearTimeout(this.#timer);
            clearTimeout(this.#away);
            this.#away = 0;
            this.#restarts = 0;
            break;
        case "disconnected":
            if (this.isGone) this.#link.drop(this);
            else this.#pause(() => this.#restart());
            break;
        case "failed":
            clearTimeout(this.#away);
            this.#away = 0;
            if (this.isGone) this.#link.drop(this);
            else this.#pause(() => this.#restart(), 0);
            break;
        default:
        }
    }

    async #restart() {
        const pc = this.#pc;
        if (this.#isClosed || this.isHealthy) return;
        const isDead = this.#events.readyState === "closed";
        if (isDead || this.#restarts === Connection.mostRestarts) return this.#rebuild();
        this.#restarts += 1;
        this.#later(Math.min(Connection.longestPause, 1_000 * 2 ** this.#restarts), () => this.#restart());
        await this.#link.freshServers();
        if (pc !== this.#pc) return;
        this.#mayOffer = true;
        // An offer without an answer is repeated; a new one may only follow it.
        if (pc.signalingState === "have-local-offer") this.#enqueue(() => this.#tellDescription(pc));
        else pc.restartIce();
    }

    /** Other ICE servers, for what is gathered from now on. */
    configure(configuration) {
        if (!this.#isClosed) this.#pc.setConfiguration(configuration);
    }

    /* -------- Frames (C-27) */

    /** @returns {boolean} whether it was handed over */
    emit(text) {
        if (!this.isOpen) return false;
        if (this.#events.bufferedAmount > channelIsStuck) {
            this.#complain("OVERFLOW", undefined, "the endpoint takes nothing");
            return false;
        }
        this.#events.send(text);
        return true;
    }

    /** Resolves when all of it is in the channel. Messages go one after the other. */
    send(bytes) {
        const sending = this.#outgoing.then(() => this.#pump(bytes, this.#events));
        this.#outgoing = sending.catch(() => {});
        return sending;
    }

    async #pump(bytes, channel) {
        for (let at = 0; at === 0 || at < bytes.length; at += binaryFrame - 1) {
            if (channel?.readyState === "open" && channel.bufferedAmount > channelIsFull) {
                await new Promise(resolve => {
                    channel.addEventListener("bufferedamountlow", resolve, { once: true });
                    channel.addEventListener("close", resolve, { once: true });
                });
            }
            if (channel?.readyState !== "open") throw new PeerError("OFFLINE", "the endpoint has left");
            const part = bytes.subarray(at, at + binaryFrame - 1);
            const frame = new Uint8Array(part.length + 1);
            frame[0] = at + part.length === bytes.length ? 1 : 0;
            frame.set(part, 1);
            channel.send(frame);
        }
    }

    #receive(data) {
        try {
            if (typeof data === "string") this.#receiveText(data);
            else this.#receiveBytes(new Uint8Array(data));
        } catch (cause) {
            this.#complain("PROTOCOL", cause);
        }
    }

    #receiveText(text) {
        if (text.length > longestFrame) throw new RangeError("a frame that is too long");
        const frame = JSON.parse(text);
        if (Array.isArray(frame?.e) && typeof frame.e[0] === "string") {
            this.#link.received(this.endpoint, frame.e);
        } else if (isObject(frame?.s)) {
            this.#receiveTable(new Map(Object.entries(frame.s).filter(([, name]) => isText(name, 256)).slice(0, mostChannels)));
        } else if (frame?.b === 1) {
            this.#link.drop(this);
        } else {
            throw new SyntaxError("an unknown frame");
        }
    }

    #receiveBytes(frame) {
        const isLast = frame[0] === 1;
        this.#partBytes += frame.length - 1;
        if (frame.length === 0 || (!isLast && frame.length !== binaryFrame) || this.#partBytes > longestMessage) {
            this.#link.drop(this, true);
            throw new RangeError("a message that is too long, or in pieces of the wrong size");
        }
        this.#parts.push(frame.subarray(1));
        if (!isLast) return;
        const message = new Uint8Array(this.#partBytes);
        let at = 0;
        for (const part of this.#parts) {
            message.set(part, at);
            at += part.length;
        }
        this.#parts = [];
        this.#partBytes = 0;
        this.#link.receivedBytes(this.endpoint, message);
    }

    /* -------- Further channels */

    openChannel(label, options) {
        if (!this.#channels.has(label)) this.#use(this.#pc.createDataChannel(label, options));
    }

    channel(label) { return this.#channels.get(label); }

    #accept(channel) {
        if (!isText(channel.label, 256) || this.#channelCount >= mostChannels) {
            channel.close();
            return this.#complain("PROTOCOL", undefined, "a channel too many");
        }
        this.#use(channel, this.#isPolite || !this.#channels.has(channel.label));
    }

    /** Where both sides have opened one, both send over that of the smaller endpoint, and listen to the two. */
    #use(channel, isPrimary = true) {
        const { label } = channel;
        this.#channelCount += 1;
        channel.binaryType = "arraybuffer";
        if (isPrimary) this.#channels.set(label, channel);
        const tell = this.#link.channelTeller(label, this.endpoint);
        channel.onopen = () => tell("open");
        channel.onmessage = ({ data }) => tell("message", data);
        channel.onclose = () => {
            this.#channelCount -= 1;
            if (this.#channels.get(label) === channel) this.#channels.delete(label);
            tell("close");
        };
    }

    /* -------- Media (C-33, C-34) */

    /** Makes what is sent that which the page wants sent. */
    applyStreams() {
        const wanted = new Set();
        for (const { stream, tracks, sendEncodings } of this.#link.streams()) {
            for (const track of tracks) {
                wanted.add(track);
                if (!this.#senders.has(track)) this.#addTrack(track, stream, sendEncodings);
            }
        }
        for (const [track, sender] of this.#senders) {
            if (wanted.has(track)) continue;
            this.#senders.delete(track);
            this.#pc.removeTrack(sender);
        }
        this.#tellStreams();
    }

    #addTrack(track, stream, sendEncodings) {
        const sender = sendEncodings
            ? this.#pc.addTransceiver(track, { streams: [stream], sendEncodings }).sender : this.#pc.addTrack(track, stream);
        this.#senders.set(track, sender);
        const transceiver = this.#pc.getTransceivers().find(other => other.sender === sender);
        this.#link.tellTransceiver(transceiver, this.endpoint);
    }

    async replaceTrack(old, fresh) {
        const sender = this.#senders.get(old);
        if (!sender) return;
        this.#senders.delete(old);
        this.#senders.set(fresh, sender);
        await sender.replaceTrack(fresh);
    }

    #tellStreams() {
        const table = [...this.#link.streams()].map(({ stream, name }) => [stream.id, name]);
        this.emit(JSON.stringify({ s: Object.fromEntries(table) }));
    }

    #receiveTable(table) {
        // Of what was taken away and comes again, the browser makes another object.
        for (const id of this.#table.keys()) if (!table.has(id)) this.#arrived.delete(id);
        this.#table = table;
        const names = new Set(table.values());
        for (const { remote } of this.#link.remotes) {
            if (remote.endpoint === this.endpoint && !names.has(remote.name)) this.#link.endStream(remote);
        }
        this.#showStreams();
    }

    /** Brings together the streams that have come and what they are called. */
    #showStreams() {
        for (const [id, name] of this.#table) {
            if (this.#arrived.has(id)) this.#link.showStream(this.endpoint, name, this.#arrived.get(id));
        }
    }

    #complain(code, cause, message = cause?.message) {
        this.#link.report({ code, message, cause, endpoint: this.endpoint });
    }
}

/* ---------------------------------------------------------------- Links */

/** Events of a peer that are the module's (C-23); no application event has such a name. */
const peerEvents = new Set(["connect", "close", "endpoint", "endpointclose", "stream", "streamend", "error", "state", "bytes"]);

/** One opening of a Link: its connections, and the peers of this page that stand for it. */
class Link {
    token;
    gen;
    /** More than one where the two sides have asked for each other at once, each in its own words. */
    peers = new Set();
    connections = new Map();
    /** Streams of the other side: `{remote, inner}`. */
    remotes = [];
    isListed = true;
    /** The page has left it (`disconnect`): whoever comes is told so. */
    isLeft = false;
    #links;

    constructor(links, token, gen) {
        this.#links = links;
        this.token = token;
        this.gen = gen;
    }

    /** What the two parties' Links have in common over all openings (SPEC LK-3). */
    get key() { return Link.keyOf(this.token); }
    static keyOf(token) { return token.slice(0, token.length / 2); }

    get configuration() { return this.#links.configuration; }
    get open() { return [...this.connections.values()].filter(connection => connection.isOpen); }

    freshServers() { return this.#links.freshServers(); }
    send(message) { return this.#links.send("peer", { token: this.token, ...message }); }

    #tell(name, ...args) {
        for (const peer of [...this.peers]) peer.tell(name, ...args);
    }

    /** `init`, or the first description of somebody who was not listed yet. @returns {Connection | undefined} */
    welcome(remote, sid) {
        this.isListed = true;
        if (this.isLeft) return void this.send({ to: sid, bye: true });
        const known = this.connections.get(remote);
        if (known) {
            known.moved(sid);
            return known;
        }
        if (this.connections.size >= mostEndpoints) {
            return void this.report({ code: "OVERFLOW", message: `more than ${mostEndpoints} endpoints`, endpoint: remote });
        }
        try {
            const connection = new Connection(this, remote, sid);
            this.connections.set(remote, connection);
            return connection;
        } catch (cause) {
            this.report({ code: "ICE", message: cause.message, cause, endpoint: remote });
        }
    }

    /** An endpoint is no longer there. */
    drop(connection, sendsBye = false) {
        if (this.connections.get(connection.endpoint) !== connection) return;
        this.connections.delete(connection.endpoint);
        const wasOpen = connection.close(sendsBye);
        for (const { remote } of this.remotes) if (remote.endpoint === connection.endpoint) this.endStream(remote);
        if (wasOpen) this.shut(connection);
    }

    dropAll(sendsBye) {
        for (const connection of [...this.connections.values()]) this.drop(connection, sendsBye);
    }

    opened(connection) {
        for (const peer of [...this.peers]) peer.opened(connection);
    }

    shut(connection) { this.#tell("endpointclose", { endpoint: connection.endpoint }); }
    changed() {}
    received(remote, event) { for (const peer of this.peers) peer.received(remote, event); }
    receivedBytes(remote, bytes) { this.#tell("bytes", bytes, remote); }
    report(detail) { this.#tell("error", { ...detail, token: this.token }); }

    *streams() { for (const peer of this.peers) yield* peer.streams.values(); }
    *ownChannels() { for (const peer of this.peers) yield* peer.ownChannels(); }
    tellTransceiver(transceiver, remote) { for (const peer of this.peers) peer.tellTransceiver(transceiver, remote); }

    /** @returns {(event: "open" | "message" | "close", data?: any) => void} to the channels of that label, one at least */
    channelTeller(label, remote) {
        return (event, data) => {
            const having = [...this.peers].filter(peer => peer.channels.has(label));
            const [first] = this.peers;
            for (const peer of having.length > 0 || !first ? having : [first]) {
                const args = event === "message" ? [data, remote] : [remote];
                peer.channel(label).tell(event, ...args);
            }
        };
    }

    showStream(remote, name, stream) {
        const known = this.remotes.find(({ remote: other }) => other.endpoint === remote && other.name === name);
        if (known) return known.inner.swap(stream);
        let inner;
        const shown = new RemoteStream(name, remote, stream, detail => this.report(detail), it => { inner = it; });
        this.remotes.push({ remote: shown, inner });
        this.#tell("stream", { endpoint: remote, remote: shown });
    }

    endStream(remote) {
        const at = this.remotes.findIndex(({ remote: other }) => other === remote);
        if (at < 0) return;
        const [{ inner }] = this.remotes.splice(at, 1);
        this.#tell("streamend", { endpoint: remote.endpoint, remote });
        inner.end();
    }
}

/** What a {@link Peer} is inside: its part of a Link, and what it has asked for. */
class PeerCore {
    query;
    link = null;
    state = "idle";
    /** `connect` was called, and neither `close` nor `disconnect` since. */
    isWanted = false;
    streams = new Map();
    channels = new Map();
    onTransceiver = null;
    /** An answer of the server to the request is due. */
    isAsking = false;
    peer;
    messages;
    #links;
    #signals;
    #waiters = new Set();
    #backlog = [];
    #backlogBytes = 0;

    constructor(links, query) {
        this.#links = links;
        this.query = query;
        const complain = detail => (detail.name === "error" ? links.log(detail) : this.fail(detail));
        this.#signals = new Emitter(complain);
        const { queueLimit } = links;
        this.messages = new Emitter(complain, { limit: queueLimit, total: queueLimit });
        this.peer = new Peer(this);
    }

    get connected() { return (this.link?.open.length ?? 0) > 0; }

    emitterOf(name) { return peerEvents.has(name) ? this.#signals : this.messages; }

    tell(name, ...args) {
        if (name === "error") this.fail(...args);
        else this.#signals.emit(name, args);
    }

    fail(detail) {
        const error = { token: this.link?.token, ...detail };
        if (!this.#signals.emit("error", [error])) this.#links.log(error);
    }

    become(state) {
        if (this.state === state) return;
        this.state = state;
        this.tell("state", state);
    }

    connect(timeout) {
        this.isWanted = true;
        if (this.link) this.link.isLeft = false;
        if (this.connected) return Promise.resolve();
        return new Promise((resolve, reject) => {
            const waiter = { resolve, reject };
            waiter.timer = setTimeout(() => {
                this.#waiters.delete(waiter);
                if (this.#waiters.size === 0 && !this.link) this.become("idle");
                reject(new PeerError("TIMEOUT", `not connected in ${timeout} ms`));
            }, timeout);
            this.#waiters.add(waiter);
            if (!this.link) this.become("requesting");
            this.#links.ask(this);
        });
    }

    get isWaiting() { return this.#waiters.size > 0; }

    #settle(work) {
        for (const waiter of this.#waiters) {
            clearTimeout(waiter.timer);
            work(waiter);
        }
        this.#waiters.clear();
    }

    /** The request is refused. */
    refused(code) {
        this.become(this.link ? "open" : "idle");
        this.#settle(({ reject }) => reject(new PeerError(code)));
    }

    /** It has a Link, as it was asked for or as another side wants it. */
    entered(link) {
        if (this.link === link) return this.become("open");
        if (this.link) this.leave("CLOSED");
        this.link = link;
        link.peers.add(this);
        if (this.streams.size > 0 || this.channels.size > 0) this.refresh();
        this.become("open");
        for (const connection of link.open) this.opened(connection);
    }

    opened(connection) {
        const isFirst = this.link.open.length === 1 || this.isWaiting;
        for (const text of this.#backlog) connection.emit(text);
        this.#forget();
        this.#settle(({ resolve }) => resolve());
        this.tell("endpoint", { endpoint: connection.endpoint });
        if (isFirst) this.tell("connect");
    }

    #forget() {
        this.#backlog = [];
        this.#backlogBytes = 0;
    }

    /** The Link is over for this peer. */
    leave(reason) {
        const { link } = this;
        this.link = null;
        link?.peers.delete(this);
        if (link?.peers.size === 0) link.dropAll(false);
        this.isWanted = false;
        this.#forget();
        this.#settle(({ reject }) => reject(new PeerError(reason === "OFFLINE" ? "OFFLINE" : "CLOSED")));
        this.become("closed");
        this.tell("close", { reason });
    }

    close() {
        const { link } = this;
        this.isWanted = false;
        if (!link) {
            this.#settle(({ reject }) => reject(new PeerError("CLOSED")));
            if (this.state === "requesting") this.become("idle");
            return Promise.resolve();
        }
        return this.#links.close(link, "CLOSED");
    }

    disconnect() {
        this.isWanted = false;
        this.#settle(({ reject }) => reject(new PeerError("CLOSED", "disconnected")));
        this.#forget();
        if (this.link) {
            this.link.isLeft = true;
            this.link.dropAll(true);
        }
    }

    /* -------- Data */

    static #frame(name, args) {
        if (typeof name !== "string" || peerEvents.has(name)) throw new PeerError("INVALID", `"${name}" is no application event`);
        const text = JSON.stringify({ e: [name, ...args] });
        if (byteLength(text) > longestFrame) throw new PeerError("INVALID", `an event has at most ${longestFrame} bytes`);
        return text;
    }

    emit(name, args) {
        const text = PeerCore.#frame(name, args);
        if (this.connected) return this.link.open.filter(connection => connection.emit(text)).length;
        if (!this.isWanted) throw new PeerError("OFFLINE", "not connected, and connect was not called");
        const bytes = byteLength(text);
        if (this.#backlogBytes + bytes > longestFrame) throw new PeerError("OVERFLOW", "too much waits for the connection");
        this.#backlogBytes += bytes;
        this.#backlog.push(text);
        return 0;
    }

    emitTo(remote, name, args) {
        return this.link?.connections.get(remote)?.emit(PeerCore.#frame(name, args)) ? 1 : 0;
    }

    async send(data) {
        if (!isBinary(data) || data.byteLength > longestMessage) {
            throw new PeerError("INVALID", `send takes bytes, at most ${longestMessage}`);
        }
        if (!this.connected) throw new PeerError("OFFLINE", "not connected");
        const sent = await Promise.allSettled(this.link.open.map(connection => connection.send(bytesOf(data))));
        const count = sent.filter(({ status }) => status === "fulfilled").length;
        if (count === 0) throw sent[0].reason;
        return count;
    }

    received(remote, [name, ...args]) {
        if (name.length > 128 || peerEvents.has(name)) {
            return this.fail({ code: "PROTOCOL", message: "an event of a name that none has", endpoint: remote });
        }
        this.messages.emit(name, args, remote);
    }

    channel(label) {
        let entry = this.channels.get(label);
        if (!entry) {
            let tell;
            const open = () => [...this.link?.connections.values() ?? []]
                .map(connection => connection.channel(label)).filter(Boolean);
            const channel = new PeerChannel(label, open, detail => this.fail(detail), it => { tell = it; });
            this.channels.set(label, entry = { channel, tell, options: undefined });
        }
        return entry;
    }

    openChannel(label, options = {}) {
        if (!isText(label, 256) || label === "events") throw new PeerError("INVALID", "a label has 1 to 256 characters");
        if (!this.channels.has(label) && this.channels.size >= mostChannels) throw new PeerError("OVERFLOW");
        const entry = this.channel(label);
        entry.options ??= options;
        for (const connection of this.link?.connections.values() ?? []) connection.openChannel(label, entry.options);
        return entry.channel;
    }

    *ownChannels() {
        for (const [label, { options }] of this.channels) if (options) yield [label, options];
    }

    /* -------- Media */

    addStream(stream, { name = stream.id, sendEncodings } = {}) {
        if (this.streams.has(stream)) return;
        const tracks = new Set(stream.getTracks().filter(track => track.readyState === "live"));
        const entry = { stream, name, tracks, sendEncodings, ended: new Map() };
        this.streams.set(stream, entry);
        for (const track of tracks) this.#watch(entry, track);
        this.refresh();
    }

    /** A track that ends is taken out, and the stream with its last one (C-33). */
    #watch(entry, track) {
        const ended = () => {
            this.#unwatch(entry, track);
            if (entry.tracks.size === 0) this.removeStream(entry.stream);
            else this.refresh();
        };
        entry.ended.set(track, ended);
        track.addEventListener("ended", ended);
    }

    #unwatch(entry, track) {
        track.removeEventListener("ended", entry.ended.get(track));
        entry.ended.delete(track);
        entry.tracks.delete(track);
    }

    removeStream(stream) {
        const entry = this.streams.get(stream);
        if (!entry) return;
        this.streams.delete(stream);
        for (const track of [...entry.tracks]) this.#unwatch(entry, track);
        this.refresh();
    }

    async replaceTrack(old, fresh) {
        const entry = [...this.streams.values()].find(({ tracks }) => tracks.has(old));
        if (!entry) throw new PeerError("INVALID", "the track is not being sent");
        this.#unwatch(entry, old);
        entry.tracks.add(fresh);
        this.#watch(entry, fresh);
        await Promise.all([...this.link?.connections.values() ?? []].map(connection => connection.replaceTrack(old, fresh)));
    }

    refresh() {
        for (const connection of this.link?.connections.values() ?? []) {
            for (const [label, options] of this.ownChannels()) connection.openChannel(label, options);
            connection.applyStreams();
        }
    }

    tellTransceiver(transceiver, remote) {
        try {
            this.onTransceiver?.(transceiver, remote);
        } catch (cause) {
            this.fail({ code: "MEDIA", message: cause.message, cause, endpoint: remote });
        }
    }
}

/** The other party of a Link, as this page sees it (docs/browser.md, "Peers"). */
class Peer {
    #core;

    /**
     * A function that is shown each transceiver before anything is offered, for codec preferences (C-36).
     * @type {((transceiver: RTCRtpTransceiver, endpoint: string) => void) | null}
     */
    get onTransceiver() { return this.#core.onTransceiver; }
    set onTransceiver(hook) { this.#core.onTransceiver = hook; }

    constructor(core) { this.#core = core; }

    /** `idle`, `requesting`, `open` or `closed`. */
    get state() { return this.#core.state; }
    /** Whether a data channel to some endpoint is open. */
    get connected() { return this.#core.connected; }
    /** What the remote party is known by. */
    get query() { return this.#core.query; }
    /** The token of the Link as it is now; null without one. */
    get token() { return this.#core.link?.token ?? null; }
    /** Remote endpoints by ID: `{state, channel, streams}`. */
    get endpoints() {
        return new Map([...this.#core.link?.connections ?? []].map(([id, connection]) => [id, connection.status]));
    }
    /** During the delivery of an application event: the endpoint that has sent it. */
    get sender() { return this.#core.messages.context; }

    on(name, listener) { return this.#core.emitterOf(name).on(name, listener); }
    once(name, listener) { return this.#core.emitterOf(name).on(name, listener, true); }
    off(name, listener) { this.#core.emitterOf(name).off(name, listener); }

    /**
     * Asks for a Link, or uses the one that there is.
     * @param {{timeout?: number}} [options] milliseconds, 15,000
     * @returns {Promise<void>} resolves at the first open data channel
     * @throws {PeerError}
     */
    async connect({ timeout = 15_000 } = {}) { await this.#core.connect(timeout); }

    /** Ends the Link for both parties. @returns {Promise<void>} resolves when the server knows */
    async close() { await this.#core.close(); }

    /** Leaves the Link with this page alone, until `connect` is called again. */
    disconnect() { this.#core.disconnect(); }

    /** Sends an event to every open endpoint. @returns {number} how many it was handed over for; 0: it waits */
    emit(name, ...args) { return this.#core.emit(name, args); }

    /** Sends an event to one endpoint. @returns {number} 1 or 0 */
    emitTo(remote, name, ...args) { return this.#core.emitTo(remote, name, args); }

    /**
     * Sends bytes to every open endpoint, where the event `bytes` has them as a whole; do not change them meanwhile.
     * @param {ArrayBuffer | ArrayBufferView} bytes at most 64 MiB
     * @returns {Promise<number>} how many endpoints have them in their channel
     */
    send(bytes) { return this.#core.send(bytes); }

    /** A data channel of the application's own, to all endpoints, present and future. @returns {PeerChannel} */
    channel(label, options) { return this.#core.openChannel(label, options); }

    /**
     * Sends a stream to all endpoints, present and future.
     * @param {MediaStream} stream
     * @param {{name?: string, sendEncodings?: RTCRtpEncodingParameters[]}} [options] `name`: what the other side knows it by
     */
    addStream(stream, options) { this.#core.addStream(stream, options); }
    removeStream(stream) { this.#core.removeStream(stream); }

    /** Sends another track in place of one, without negotiation. */
    replaceTrack(old, fresh) { return this.#core.replaceTrack(old, fresh); }
}

/** All Links of one server, by what the server says of them (SPEC §7). */
class Links {
    static mostForgotten = 64;
    static refreshBefore = 60_000;
    static serversPatience = 5_000;

    #server;
    /** By the key that all openings of a Link share. */
    #links = new Map();
    #peers = new Map();
    #requests = new Map();
    #closings = new Map();
    /** Tokens that are over: what is still under way for them is nobody's fault. */
    #forgotten = new Set();
    #count = 0;
    #grace = 0;
    #iceServers = [];
    #iceExpires = 0;
    #iceTimer = 0;
    #iceWaiters = [];

    /** @param {object} server `line`, `options`, `report(detail)`, `log(detail)`, `met(peer)` */
    constructor(server) {
        this.#server = server;
    }

    get queueLimit() { return this.#server.options.queueLimit; }
    log(detail) { this.#server.log(detail); }
    send(name, packet) { return this.#server.line.send(name, packet); }

    peer(query) {
        const key = canonical(query);
        if (key === undefined) throw new PeerError("INVALID", "a query is JSON");
        let core = this.#peers.get(key);
        if (!core) this.#peers.set(key, core = new PeerCore(this, JSON.parse(key)));
        return core.peer;
    }

    /* -------- Requests */

    ask(core) {
        if (core.isAsking || !core.isWaiting) return;
        if (!this.#server.line.isWanted) return core.refused("OFFLINE");
        const _id = `link-${this.#count += 1}`;
        if (!this.send("link", { _id, query: core.query })) return;   // once live
        core.isAsking = true;
        this.#requests.set(_id, core);
    }

    /** A `link` event: the answer to a request, or to a closing. */
    link({ _id, token, gen, error, closed }) {
        const closing = this.#closings.get(_id);
        if (closing) {
            this.#closings.delete(_id);
            return closing.resolve();
        }
        const core = this.#requests.get(_id);
        this.#requests.delete(_id);
        if (!core) {
            // A request that was given up, or no answer at all.
            if (!closed && error === undefined && token === undefined) this.#complain("an answer to nothing");
            return;
        }
        core.isAsking = false;
        if (error !== undefined) return core.refused(String(error));
        if (!this.#isToken(token) || !Number.isInteger(gen)) {
            core.refused("INVALID");
            return this.#complain("an answer without token");
        }
        this.#forgotten.delete(token);
        const link = this.#enter(token, gen);
        if (!link) return core.refused("BUSY");
        core.entered(link);
        link.isLeft = false;
    }

    #isToken(token) { return isText(token, 256) && token.length > 1; }

    /** The Link of a token; a new opening ends what the older one had (C-25). */
    #enter(token, gen) {
        const key = Link.keyOf(token);
        const known = this.#links.get(key);
        if (known?.token === token) {
            if (known.gen !== gen) known.dropAll(false);
            known.gen = gen;
            return known;
        }
        if (known && known.gen > gen) return undefined;
        if (!known && this.#links.size >= mostLinks) {
            this.#complain("too many Links");
            return undefined;
        }
        const link = new Link(this, token, gen);
        if (known) {
            const peers = [...known.peers];
            this.#forget(known);
            known.dropAll(false);
            known.peers.clear();
            for (const core of peers) core.link = null;
            this.#links.set(key, link);
            for (const core of peers) core.entered(link);
        }
        this.#links.set(key, link);
        return link;
    }

    #forget(link) {
        if (this.#links.get(link.key) === link) this.#links.delete(link.key);
        this.#forgotten.add(link.token);
        if (this.#forgotten.size > Links.mostForgotten) this.#forgotten.delete(this.#forgotten.values().next().value);
    }

    /** Ends a Link here. */
    #end(link, reason) {
        this.#forget(link);
        link.dropAll(false);
        for (const core of [...link.peers]) core.leave(reason);
    }

    close(link, reason) {
        this.#end(link, reason);
        return new Promise(resolve => {
            const _id = `close-${this.#count += 1}`;
            this.#closings.set(_id, { _id, close: link.token, resolve });
            this.send("link", { _id, close: link.token });   // if not now, then once live
        });
    }

    /* -------- What the server tells */

    /** A `peer` event. */
    peerEvent(packet) {
        const { token, error, closed, gone, bye, ep, from, reason } = packet;
        const link = typeof token === "string" ? this.#links.get(Link.keyOf(token)) : undefined;
        const isOurs = link?.token === token;
        if (error !== undefined) return this.#failed(packet, isOurs ? link : undefined);
        if (!this.#isToken(token)) return this.#complain("a message without token");
        if (closed) return isOurs ? this.#end(link, String(reason ?? "CLOSED")) : undefined;
        if (!isText(ep, 64) || !isText(from, 256)) return this.#complain("a message from nowhere");
        if (ep === endpoint) return undefined;
        if (gone) return isOurs ? link.connections.get(ep)?.gone(from) : undefined;
        if (bye) {
            const connection = isOurs && link.connections.get(ep);
            return connection ? link.drop(connection) : undefined;
        }
        return this.#signalled(packet);
    }

    #signalled({ token, gen, init, from, ep, query, sdp, ICE }) {
        if (this.#forgotten.has(token)) return undefined;
        if (sdp !== undefined) {
            const isDescription = ["offer", "answer"].includes(sdp?.type) && isText(sdp.sdp, 204_800);
            if (!isDescription) return this.#complain("a description of the wrong form");
        } else if (!init) {
            const connection = this.#links.get(Link.keyOf(token))?.connections.get(ep);
            if (ICE === undefined || (ICE !== null && !isObject(ICE))) return this.#complain("a message of no kind");
            return connection?.addCandidate(ICE);
        }
        if (!Number.isInteger(gen)) return this.#complain("a message without generation");
        const connection = this.#meet(token, gen, query)?.welcome(ep, from);
        if (sdp !== undefined) connection?.describe(sdp);
        return undefined;
    }

    /** The Link of a roster; where this page did not ask for it, the application is told of the peer. */
    #meet(token, gen, query) {
        const link = this.#enter(token, gen);
        if (!link || link.peers.size > 0) return link;
        const key = canonical(query ?? null);
        let core = this.#peers.get(key);
        if (!core || core.link) core = new PeerCore(this, query ?? null);
        if (!this.#peers.has(key)) this.#peers.set(key, core);
        const isNews = !core.isWaiting;
        core.entered(link);
        if (isNews) this.#server.met(core.peer);
        return link;
    }

    #failed({ token, to, error }, link) {
        const connection = link && [...link.connections.values()].find(({ sid }) => sid !== undefined && sid === to);
        switch (error) {
        case "OFFLINE":
            if (connection) return connection.missed(to);
            break;
        case "BUSY":
            if (connection) return connection.repeatSoon();
            break;
        case "CLOSED":
            if (link) return this.#end(link, "CLOSED");
            break;
        default:
        }
        if (typeof token === "string" && this.#forgotten.has(token)) return undefined;
        const detail = { code: String(error), message: `the server refuses a message: ${error}`, token };
        if (link) link.report({ ...detail, endpoint: connection?.endpoint });
        else this.#server.report(detail);
        return undefined;
    }

    #complain(message) { this.#server.report({ code: "PROTOCOL", message }); }

    /* -------- The connection to the server */

    /** After `ready`: everything is said again, and what is not said within a grace is over (C-21). */
    ready({ iceServers, iceExpires }) {
        this.setServers({ iceServers, iceExpires });
        for (const link of this.#links.values()) {
            link.isListed = false;
            for (const connection of link.connections.values()) connection.isListed = false;
        }
        clearTimeout(this.#grace);
        this.#grace = setTimeout(() => this.#sweep(), this.#server.options.rosterGrace);
        for (const { _id, close } of this.#closings.values()) this.send("link", { _id, close });
        for (const core of this.#peers.values()) this.ask(core);
    }

    #sweep() {
        for (const link of [...this.#links.values()]) {
            for (const connection of [...link.connections.values()]) if (!connection.isListed) link.drop(connection);
            const isMissed = [...link.peers].some(core => core.isWaiting);
            if (!link.isListed && !isMissed) this.#end(link, "OFFLINE");
        }
    }

    down() {
        clearTimeout(this.#grace);
        clearTimeout(this.#iceTimer);
        for (const core of this.#requests.values()) core.isAsking = false;
        this.#requests.clear();
        for (const link of this.#links.values()) for (const connection of link.connections.values()) connection.missed();
    }

    /** The page goes or sleeps (C-20). Rosters bring everything back. */
    leave() {
        for (const link of this.#links.values()) link.dropAll(true);
    }

    /* -------- ICE servers (C-31) */

    get configuration() {
        const { iceServers = this.#iceServers, iceTransportPolicy } = this.#server.options;
        return { iceServers, iceTransportPolicy };
    }

    /** Of `ready`, or of the answer to `ice`. `iceExpires`: milliseconds since 1970; 0: never. */
    setServers({ iceServers, iceExpires }) {
        this.#iceServers = Array.isArray(iceServers) ? iceServers.filter(isObject) : [];
        this.#iceExpires = Number(iceExpires) || 0;
        clearTimeout(this.#iceTimer);
        if (this.#iceExpires > 0) {
            const left = this.#iceExpires - Date.now();
            const early = Math.min(Links.refreshBefore, left / 2);
            const delay = Math.min(Math.max(1_000, left - early), 2 ** 31 - 1);
            this.#iceTimer = setTimeout(() => this.#askServers(), delay);
        }
        try {
            for (const link of this.#links.values()) {
                for (const connection of link.connections.values()) connection.configure(this.configuration);
            }
        } catch (cause) {
            this.#server.report({ code: "ICE", message: cause.message, cause });
        }
        for (const resolve of this.#iceWaiters.splice(0)) resolve();
    }

    #askServers() { this.send("ice", { _id: `ice-${this.#count += 1}` }); }

    /** Resolves when what there is has not expired; after some patience in any case. */
    async freshServers() {
        if (this.#server.options.iceServers || this.#iceExpires === 0 || this.#iceExpires > Date.now()) return;
        this.#askServers();
        await new Promise(resolve => {
            this.#iceWaiters.push(resolve);
            setTimeout(resolve, Links.serversPatience);
        });
    }
}

/* ---------------------------------------------------------------- Servers */

/** Tells the other tabs of a logout: one module's tabs to another's, beside the application's own events. */
const news = lazyChannel("submergence:news");

/** The connection to one origin, with everything that goes over it (docs/browser.md). */
class Server {
    #origin;
    #options = { ...defaults };
    #isOwn;
    #line;
    #actions;
    #links;
    #signals;
    #isReporting = false;
    #identity = null;
    #renewal = null;
    #handlers = new Map([
        ["ready", packet => this.#ready(packet)],
        ["reply", packet => this.#actions.reply(packet)],
        ["chunk", packet => this.#actions.chunk(packet)],
        ["link", packet => this.#links.link(packet)],
        ["peer", packet => this.#links.peerEvent(packet)],
        ["ice", packet => this.#links.setServers(packet)],
        ["session", packet => this.#session(packet)],
        ["logout", packet => this.#logout(packet)],
    ]);

    constructor(origin, options) {
        this.#origin = origin;
        this.#isOwn = origin === location.origin;
        this.configure(options);
        this.#signals = new Emitter(detail => (detail.name === "error" ? this.log(detail) : this.report(detail)));
        const inner = this.#inner();
        this.#line = inner.line = new Line(on => this.#transport(on), {
            state: state => this.#signals.emit("state", [state]),
            received: (name, args) => this.#receive(name, args),
            failed: cause => this.report({ code: "PROTOCOL", message: cause.message, cause }),
            down: () => {
                this.#actions.down();
                this.#links.down();
            },
        }, () => !this.#isOwn || !hasLoggedOut());
        this.#actions = new Actions(inner);
        this.#links = new Links(inner);
    }

    /** What its parts may know of it. */
    #inner() {
        const server = this;
        return {
            origin: this.#origin,
            line: undefined,
            get options() { return server.#options; },
            domestic: () => this.#domestic(),
            authorization: async () => {
                const { token } = await this.#auth();
                return token && `Bearer ${token}`;
            },
            redeem: ticket => this.#renew(ticket),
            report: detail => this.report(detail),
            log: detail => this.log(detail),
            met: peer => this.#signals.emit("peer", [peer]),
        };
    }

    #transport(on) {
        const { transport, path } = this.#options;
        const auth = async () => ({ v: version, endpoint, ...this.#proof(), ...await this.#auth() });
        const given = { origin: this.#origin, path, auth, on };
        return typeof transport === "function" ? new ClientTransport({ io: transport, ...given }) : new OwnTransport(given);
    }

    /* -------- What applications use */

    /** Where it is. */
    get origin() { return this.#origin; }
    /** `offline`, `connecting`, `live` or `waiting`. */
    get state() { return this.#line.state; }
    /** This page instance, as remote peers see it (C-17). */
    get endpoint() { return endpoint; }
    /** Of the last `ready`; null before the first one. */
    get user() { return this.#identity?.user ?? null; }
    get client() { return this.#identity?.client ?? null; }
    get isDomestic() { return this.#identity?.domestic === true; }

    on(name, listener) { return this.#signals.on(name, listener); }
    once(name, listener) { return this.#signals.on(name, listener, true); }
    off(name, listener) { this.#signals.off(name, listener); }

    /** @returns {Promise<void>} resolves when the page is live, after however many attempts @throws {LiveError} */
    async goLive() { await this.#line.goLive(); }

    goOffline() {
        this.#links.leave();
        this.#line.goOffline();
    }

    /**
     * Runs an action, over whatever is there.
     * @param {string} method
     * @param {string} path begins with a slash
     * @param {{query?: object, body?: any, timeout?: number, signal?: AbortSignal}} [options]
     * @returns {Promise<{status: number, content: any}>} a status of 400 or more is a result as well
     * @throws {ActionError}
     */
    action(method, path, options) { return this.#actions.run(method, path, options); }

    /** What there is at a path: methods, each with `true` or its schemas. */
    async options(path) { return (await this.#actions.run("OPTIONS", path)).content; }

    /** Goes to a page of the application, as a form would; the proof of domesticity travels in POST only (C-9). */
    navigate(method, path, { query, body } = {}) {
        const isPost = String(method).toUpperCase() === "POST";
        const url = this.#actions.address(path, query);
        const fields = isPost ? Object.entries(body ?? {}) : [...url.searchParams];
        if (isPost && this.#domestic()) fields.push(["_domestic", this.#domestic()]);
        const form = document.createElement("form");
        form.hidden = true;
        form.method = isPost ? "POST" : "GET";
        form.action = isPost ? url.href : url.origin + url.pathname;
        for (const [name, value] of fields) {
            const field = document.createElement("input");
            Object.assign(field, { type: "hidden", name, value: String(value) });
            form.append(field);
        }
        document.body.append(form);
        form.submit();
        form.remove();
    }

    /** The peer of a query: the same object for a deeply equal one. */
    getPeer(query) { return this.#links.peer(query); }

    /* -------- What the module uses */

    configure(options = {}) {
        for (const name of Object.keys(options)) {
            if (!Object.hasOwn(defaults, name)) throw new TypeError(`unknown option "${name}"`);
        }
        const { transport } = options;
        if (transport !== undefined && !["auto", "websocket"].includes(transport) && typeof transport !== "function") {
            throw new TypeError(`"transport" is "auto", "websocket" or the io of an official client`);
        }
        Object.assign(this.#options, options);
        if (options.queueLimit) applicationEvents.limit = options.queueLimit;
    }

    report(detail) {
        if (this.#isReporting) return this.log(detail);
        this.#isReporting = true;
        try {
            if (!this.#signals.emit("error", [detail])) this.log(detail);
        } finally {
            this.#isReporting = false;
        }
    }

    log(detail) {
        const { logger } = this.#options;
        if (typeof logger === "function") logger(detail);
        else logger?.error?.(detail);
    }

    /** Goes live by itself, where the page has asked for that and nobody has logged out. */
    begin() {
        if (!this.#options.autoLive || (this.#isOwn && hasLoggedOut())) return;
        this.#line.goLive().catch(cause => this.report({ code: cause.code, message: cause.message, cause }));
    }

    wake() { this.#line.wake(); }

    pause(isFinal) {
        this.#links.leave();
        this.#line.pause(isFinal);
    }

    resume() { this.#line.resume(); }

    /** Another tab of the same device has been told that its login is over (C-14). */
    loggedOut({ origin, user, client, reason }) {
        if (origin !== this.#origin || user !== this.user || client !== this.client || !this.#line.isWanted) return;
        this.#depart(reason);
    }

    /* -------- What the server says */

    #receive(name, args) {
        if (!productEvents.has(name)) {
            if (name.length > 128) return this.report({ code: "PROTOCOL", message: "an event of an endless name" });
            return void applicationEvents.emit(name, args);
        }
        const handler = this.#handlers.get(name);
        if (!handler || !isObject(args[0])) {
            return this.report({ code: "PROTOCOL", message: `"${name}" of the wrong form` });
        }
        return void handler(args[0]);
    }

    #ready(packet) {
        const { user = null, client = null, domestic = false, ping } = packet;
        this.#identity = { sid: packet.sid, user, client, domestic };
        // An injected client does not say how patient the server is.
        const quiet = this.#options.transport instanceof Function && ping > 0 ? 2 * ping + Line.dialling : undefined;
        this.#links.ready(packet);
        this.#line.ready(quiet);
    }

    #logout({ reason, reconnect, after }) {
        if (reconnect === true) {
            this.#line.dismiss(true, after > 0 ? Math.min(Number(after), 2 ** 31 - 1) : undefined);
            this.#signals.emit("logout", [{ reason: String(reason) }]);
            return;
        }
        const { user, client } = this;
        news.post({ origin: this.#origin, user, client, reason: String(reason) });
        this.#depart(String(reason));
    }

    #depart(reason) {
        this.#line.dismiss(false);
        this.#signals.emit("logout", [{ reason }]);
    }

    /* -------- Identity (C-11 to C-13) */

    /** Read anew each time, as another tab may have renewed it; other origins never see it. */
    #domestic() { return this.#isOwn ? cookie("domestic") ?? "" : ""; }

    #proof() {
        const domestic = this.#domestic();
        return domestic ? { domestic } : {};
    }

    /** What the application adds to the connect payload: a token of an identity provider, for one. */
    async #auth() {
        const { auth } = this.#options;
        try {
            return { ...(typeof auth === "function" ? await auth() : auth) };
        } catch (cause) {
            this.report({ code: "LISTENER", message: `the option "auth" has failed: ${cause?.message}`, cause });
            return {};
        }
    }

    async #session(packet) {
        if (packet.error !== undefined) return this.report({ code: String(packet.error), message: "the token was refused" });
        if (packet.renew !== true) return undefined;
        const { token } = await this.#auth();
        if (token !== undefined) this.#line.send("auth", { token });
        else await (this.#renewal ??= this.#renew().finally(() => { this.#renewal = null; }));
        return undefined;
    }

    /** Brings the cookies of a session that has changed or is due: one tab at a time, as they share them. */
    async #renew(ticket) {
        const { sid } = this.#identity ?? {};
        const work = () => this.#fetchSession(ticket === undefined ? undefined : JSON.stringify({ ticket, sid }));
        try {
            const session = await (navigator.locks?.request("submergence:session", work) ?? work());
            this.#renewed(session);
        } catch (cause) {
            this.report({ code: cause.code ?? "NETWORK", message: `the session was not renewed: ${cause.message}`, cause });
        }
    }

    #renewed({ user = null, client = null, isLoggedIn }) {
        const wasOther = this.#identity !== null && (user !== this.user || client !== this.client);
        if (wasOther && isLoggedIn) {
            this.#identity = { ...this.#identity, user, client };
            this.#line.reconnect();
        }
        this.#signals.emit("session", [{ user, client, isLoggedIn }]);
    }

    async #fetchSession(body, attempt = 1) {
        const domestic = this.#domestic();
        const headers = new Headers({ accept: "application/json" });
        if (domestic) headers.set("x-domestic", domestic);
        if (body) headers.set("content-type", "application/json");
        let status;
        let content;
        try {
            const response = await fetch(`${this.#origin}/.well-known/submergence/session`, {
                method: "POST", headers, body, credentials: "include", signal: AbortSignal.timeout(this.#options.actionTimeout),
            });
            ({ status } = response);
            ({ content } = await response.json());
        } catch (cause) {
            // The answer may be lost and the cookies with it: the same request brings the same ones (SPEC ID-9).
            if (attempt === 3) throw cause;
            await new Promise(resolve => { setTimeout(resolve, Math.random() * 1_000 * attempt); });
            return this.#fetchSession(body, attempt + 1);
        }
        if (status === 200) return content;
        if (content?.error === "DOMESTIC" && domestic !== this.#domestic() && attempt < 3) {
            return this.#fetchSession(body, attempt + 1);
        }
        throw new ActionError(content?.error ?? "INVALID", `the server answers ${status}`);
    }
}

/**
 * The server of an origin: one object for each.
 * @param {string} [origin] default: the page's own
 * @param {object} [options] docs/browser.md; later ones are merged
 * @returns {Server}
 */
export function getServer(origin = location.origin, options = undefined) {
    const { origin: normalised } = new URL(origin, location.href);
    if (!/^https?:/.test(normalised)) throw new TypeError(`"${origin}" is no origin of a server`);
    const known = servers.get(normalised);
    if (known) {
        known.configure(options);
        return known;
    }
    const server = new Server(normalised, options);
    servers.set(normalised, server);
    server.begin();
    return server;
}

/* ---------------------------------------------------------------- Other tabs */

/** A BroadcastChannel that is there while somebody listens or the page lives: open ones keep pages out of the cache. */
function lazyChannel(name) {
    let channel = null;
    let receive = null;
    const open = () => {
        if (channel) return;
        channel = new BroadcastChannel(name);
        channel.onmessage = ({ data }) => receive?.(data);
    };
    return {
        post(message) {
            open();
            channel.postMessage(message);
        },
        listen(listener) {
            receive = listener;
            open();
        },
        pause() {
            channel?.close();
            channel = null;
        },
        resume() { if (receive) open(); },
    };
}

const tabs = lazyChannel("submergence:tabs");
const tabEvents = new Emitter(report, { limit: defaults.queueLimit });

/** Events to the other tabs of this origin; never to this one. What is sent must be cloneable. */
export const otherTabs = {
    /** @param {string} name @param {...any} args */
    emit(name, ...args) { tabs.post([name, ...args]); },
    /** @param {string} name @param {(...args: any[]) => void} listener @returns {() => void} ends it */
    on(name, listener) { return tabEvents.on(name, listener); },
    /** @param {string} name @param {(...args: any[]) => void} listener */
    off(name, listener) { tabEvents.off(name, listener); },
};

/* ---------------------------------------------------------------- Media */

/**
 * The platform's `getUserMedia`, with up to 5 tries, 150 ms apart, where a device is not there yet or still in use.
 * @param {MediaStreamConstraints} [constraints] default: sound and vision
 * @returns {Promise<MediaStream>}
 */
export async function getUserMedia(constraints = { audio: true, video: true }) {
    for (let tries = 1; ; tries += 1) {
        try {
            return await navigator.mediaDevices.getUserMedia(constraints);
        } catch (error) {
            const mayPass = error.name === "NotFoundError" || error.name === "NotReadableError";
            if (!mayPass || tries === 5) throw error;
            await new Promise(resolve => { setTimeout(resolve, 150); });
        }
    }
}

/* ---------------------------------------------------------------- The page */

/** Emits what the server has put into the page (C-4). */
function emitPageEvents() {
    const marked = 'script[type="application/json"]:is([data-submergence-events], #submergence-events)';
    for (const { textContent } of document.querySelectorAll(marked)) {
        try {
            sendEvents(JSON.parse(textContent));
        } catch (cause) {
            report({ code: "PROTOCOL", message: "the events of the page are no JSON", cause });
        }
    }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", emitPageEvents, { once: true });
else emitPageEvents();

const all = work => { for (const server of servers.values()) work(server); };
const wake = () => all(server => server.wake());

/** C-20: a page that sleeps holds nothing open, so that the back/forward cache takes it. */
function pause(isFinal) {
    all(server => server.pause(isFinal));
    for (const channel of [news, tabs]) channel.pause();
}

function resume() {
    for (const channel of [news, tabs]) channel.resume();
    all(server => server.resume());
}

news.listen(message => { if (isObject(message)) all(server => server.loggedOut(message)); });
tabs.listen(message => {
    if (Array.isArray(message) && typeof message[0] === "string") tabEvents.emit(message[0], message.slice(1));
});

addEventListener("online", wake);
addEventListener("pagehide", ({ persisted }) => pause(!persisted));
addEventListener("pageshow", ({ persisted }) => {
    if (persisted) resume();
    wake();
});
document.addEventListener("freeze", () => pause(false));
document.addEventListener("resume", resume);
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") wake(); });
