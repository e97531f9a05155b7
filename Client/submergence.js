/**
 * submergence in the browser: events, actions and peers by identity, over one connection that mends itself.
 *
 * One ES module without dependency and without build step; nothing in it is made of text, so that it runs under a
 * strict Content-Security-Policy. The rules that comments cite, C-1 to C-37, are those of docs/browser.md. Members that
 * begin with an underscore are the module's own. Indented by tabs, as it is served as it is.
 *
 * @module submergence
 */

/* ---------------------------------------------------------------- Constants */

/** Bytes of a body that goes over the socket (C-5). */
const longestSocketBody = 524_288;

/** Bytes of one JSON frame between peers, and of what waits for the first endpoint of a peer (C-22). */
const longestFrame = 65_536;

/** Bytes of one binary frame between peers, its first byte included. */
const binaryFrame = 16_384;

/** Bytes of one `send`: beyond it the receiver takes it for an attack. */
const longestMessage = 67_108_864;

/** Bytes that may wait in a data channel: `send` pauses at the first, `emit` passes over an endpoint at the second. */
const channelIsFull = 262_144;
const channelIsStuck = 8_388_608;

/** Remote endpoints of one peer (C-32), Links of one page (SPEC LC-1), channels and streams of one connection, and ICE
 * candidates of one that are remembered. */
const mostEndpoints = 32;
const mostLinks = 256;
const mostChannels = 64;
const mostCandidates = 128;

/** Sessions of remote RTCPeerConnections that one Link remembers, when their counterparts are closed. */
const mostMet = 64;

/** Milliseconds; what a timer can be set to. */
const longestTimer = 2 ** 31 - 1;

const defaults = {
	actionTimeout: 10_000, transport: "auto", path: "/socket.io/", auth: undefined, iceServers: undefined,
	iceTransportPolicy: "all", rosterGrace: 15_000, queueLimit: 256, autoLive: false, logger: undefined,
};

/* ---------------------------------------------------------------- Small things */

const isObject = value => typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value, longest) => typeof value === "string" && value.length > 0 && value.length <= longest;
const isBinary = value => value instanceof ArrayBuffer || ArrayBuffer.isView(value);
const byteLength = text => new TextEncoder().encode(text).length;
const pause = delay => new Promise(resolve => { setTimeout(resolve, delay); });
const need = (isSo, what) => { if (!isSo) throw new SyntaxError(what); };

/** JSON whose members are sorted: equal texts are deeply equal values. */
const canonical = value => JSON.stringify(value, (_, member) => (isObject(member)
	? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1))) : member));

/** What a cookie of this page is now, `__Host-` before plain (C-11); undefined where there is none. */
function cookie(name) {
	const cookies = new Map(document.cookie.split("; ").map(text => text.split(/=(.*)/)));
	return cookies.get(`__Host-${name}`) ?? cookies.get(name);
}

/**
 * The page instance, on the wire (C-17): it outlives reconnects and the back/forward cache; no copy of the tab has it.
 */
const endpoint = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))))
	.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/* ---------------------------------------------------------------- Errors */

/** What listeners of `error` get. @param {string | Error} why */
const problem = (code, why, more) => (typeof why === "string"
	? { code, message: why, ...more } : { code, message: why.message, cause: why, ...more });

/** What programs compare is `code`, what people read is `message`. */
class CodedError extends Error {
	constructor(code, message = code, cause = undefined) {
		super(message, { cause });
		this.name = new.target.name;
		this.code = code;
	}
}

/** Why an action has no answer: `TIMEOUT`, `ABORTED`, `NETWORK` (the outcome is unknown) or `INVALID`. */
export class ActionError extends CodedError {}

/** Why a page is not live: `LOGIN`, `FOREIGN`, `DOMAIN`, `VERSION`, what a middleware said, `ENDED` or `ABORTED`. */
export class LiveError extends CodedError {}

/** Why a peer is not reached: `FORBIDDEN`, `OFFLINE`, `INVALID`, `TIMEOUT`, `BUSY`, `CLOSED` or `OVERFLOW`. */
export class PeerError extends CodedError {}

/* ---------------------------------------------------------------- Events */

/**
 * Listeners by name, and where there is a limit a queue for each name that nobody listens to (C-1 to C-3).
 *
 * The first listener of a name gets its queue, one event a microtask; newer events line up behind it.
 */
class Emitter {
	#listeners = new Map();
	#queues = new Map();
	#count = 0;
	#report;

	/** What the delivery that is under way was given as its context. */
	context;

	/**
	 * @param {(detail: object) => void} report
	 * @param {number} limit events that are kept for one name; 0: none
	 * @param {number} total for all names together
	 */
	constructor(report, limit = 0, total = 4_096) {
		this.#report = report;
		this.limit = limit;
		this.total = total;
	}

	on(name, listener, isOnce = false) {
		if (typeof name !== "string" || typeof listener !== "function") throw new TypeError("a name and a function");
		const entry = { listener, isOnce };
		this.#listeners.set(name, [...this.#of(name), entry]);
		this.#release(name);
		return () => this.#remove(name, entry);
	}

	off(name, listener) {
		for (const entry of this.#of(name)) if (entry.listener === listener) this.#remove(name, entry);
	}

	/** @returns {boolean} whether somebody listens */
	emit(name, args, context) {
		const hasListener = this.#listeners.has(name);
		if (this.limit > 0 && (!hasListener || this.#queues.has(name))) this.#keep(name, { args, context });
		else this.#deliver(name, args, context);
		return hasListener;
	}

	/** Takes over the listeners of another one, which is the same from now on. */
	adopt(other) {
		for (const [name, entries] of other.#listeners) {
			this.#listeners.set(name, [...this.#of(name), ...entries]);
			this.#release(name);
		}
		other.#listeners = this.#listeners;
		other.#queues = this.#queues;
	}

	#of(name) { return this.#listeners.get(name) ?? []; }

	#remove(name, entry) {
		const left = this.#of(name).filter(other => other !== entry);
		if (left.length > 0) this.#listeners.set(name, left);
		else this.#listeners.delete(name);
	}

	#keep(name, event) {
		const queue = this.#queues.get(name) ?? { events: [] };
		this.#queues.set(name, queue);
		queue.events.push(event);
		this.#count += 1;
		if (queue.events.length > this.limit) this.#drop(name, queue);
		else if (this.#count > this.total) this.#drop(...this.#queues.entries().next().value);
	}

	#drop(name, queue) {
		this.#shift(name, queue);
		if (!queue.hasOverflown) this.#report({ code: "OVERFLOW", message: `no listener of "${name}"`, name });
		queue.hasOverflown = true;
	}

	#shift(name, { events }) {
		this.#count -= 1;
		if (events.length === 1) this.#queues.delete(name);
		return events.shift();
	}

	#release(name) {
		const queue = this.#queues.get(name);
		if (!queue || queue.isReleasing) return;
		queue.isReleasing = true;
		queueMicrotask(() => {
			queue.isReleasing = false;
			if (this.#queues.get(name) !== queue || !this.#listeners.has(name)) return;
			const { args, context } = this.#shift(name, queue);
			this.#deliver(name, args, context);
			this.#release(name);
		});
	}

	#deliver(name, args, context) {
		for (const entry of this.#of(name)) {
			if (entry.isOnce) this.#remove(name, entry);
			const message = `a listener of "${name}" failed`;
			const complain = cause => this.#report({ code: "LISTENER", message, name, cause });
			const outer = this.context;
			this.context = context;
			try {
				entry.listener(...args)?.then?.(undefined, complain);
			} catch (cause) {
				complain(cause);
			}
			this.context = outer;
		}
	}
}

/** What has listeners: the base of all that applications listen to. */
class Source {
	/** @param {Emitter} events */
	constructor(events) { this._events = events; }

	/** @returns {Emitter} where the events of a name are */
	_of() { return this._events; }

	/** @returns {() => void} ends it */
	on(name, listener) { return this._of(name).on(name, listener); }
	once(name, listener) { return this._of(name).on(name, listener, true); }
	off(name, listener) { this._of(name).off(name, listener); }
}

/** One server object for each origin. */
const servers = new Map();

/** What goes wrong in listeners of application events is told by the page's own server, else by the first one. */
function report(detail) {
	const [first] = servers.values();
	(servers.get(location.origin) ?? first)?._report(detail);
}

const applicationEvents = new Emitter(report, defaults.queueLimit);

/**
 * Listens to an application event, whatever it came with: sent by a server, part of a reply, or in the page (C-4).
 * @param {string} name
 * @param {(...args: any[]) => void} listener
 * @returns {() => void} ends it
 */
export function on(name, listener) {
	return applicationEvents.on(name, listener);
}

/** As {@link on}, for one event. */
export function once(name, listener) {
	return applicationEvents.on(name, listener, true);
}

/** Takes a listener back. */
export function off(name, listener) {
	applicationEvents.off(name, listener);
}

/** Emits an application event in this page, by the same queue. */
export function emit(name, ...args) {
	applicationEvents.emit(name, args);
}

/**
 * Emits several, each `[name, ...args]`. What is no such list is reported and left out.
 * @param {Array<[string, ...any]>} events
 */
export function sendEvents(events) {
	for (const event of Array.isArray(events) ? events : [events]) {
		if (typeof event?.[0] === "string") emit(...event);
		else report(problem("PROTOCOL", "an event is a list that begins with its name"));
	}
}

/* ---------------------------------------------------------------- Transports */

/** Takes the offset from an event (C-18): where recovery is on, each that wants no acknowledgement ends with one. */
const takeOffset = args => (typeof args.at(-1) === "string" ? args.pop() : undefined);

/**
 * Engine.IO 4 and Socket.IO 5 over one WebSocket, the root namespace only (C-18).
 *
 * As every transport it has `open()`, `send(name, ...args)`, which says whether it was handed over, and
 * `close(isFinal)`, and tells its {@link Line} what becomes of it.
 */
class OwnTransport {
	#line;
	#url;
	#auth;
	#socket;
	#isJoined = false;
	/** What the server repeats comes before its CONNECT. */
	#early = [];
	/** A packet whose attachments are still to come. */
	#partial;
	#pid;
	#offset;

	constructor(line, { origin, path, auth }) {
		this.#line = line;
		this.#url = `${origin.replace("http", "ws")}${path}?EIO=4&transport=websocket`;
		this.#auth = auth;
	}

	open() {
		const socket = this.#socket = new WebSocket(this.#url);
		socket.binaryType = "arraybuffer";
		socket.onclose = () => { if (socket === this.#socket) this.#line.lost(); };
		socket.onmessage = ({ data }) => {
			if (socket !== this.#socket) return;
			this.#line.heard();
			try {
				if (typeof data === "string") this.#receiveText(data);
				else this.#receiveAttachment(data);
			} catch (cause) {
				this.#line.failed(cause);
			}
		};
	}

	close(isFinal) {
		const socket = this.#socket;
		if (isFinal) {
			if (this.#isJoined) this.#hand("41");
			this.#pid = this.#offset = undefined;
		}
		this.#socket = this.#partial = undefined;
		this.#isJoined = false;
		this.#early = [];
		socket?.close();
	}

	send(name, ...args) {
		// Between the server's close and `onclose` a socket takes everything, and sends nothing.
		return this.#isJoined && this.#socket.readyState === WebSocket.OPEN && this.#write(2, "", [name, ...args]);
	}

	#hand(data) {
		if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(data);
	}

	#write(type, id, args) {
		const parts = [];
		const json = JSON.stringify(args, (_, value) => (isBinary(value)
			? { _placeholder: true, num: parts.push(value) - 1 } : value));
		this.#hand(`4${parts.length > 0 ? `${type + 3}${parts.length}-` : type}${id}${json}`);
		for (const part of parts) this.#hand(part);
		return true;
	}

	#receiveText(text) {
		const rest = text.slice(1);
		switch (text[0]) {
		case "0":
			return this.#join(JSON.parse(rest), this.#socket);
		case "1":
			return this.#line.lost();
		case "2":
			return this.#hand(`3${rest}`);
		case "4":
			return this.#receivePacket(rest);
		default:
			return need(text[0] === "6", "an unknown packet");
		}
	}

	#join({ pingInterval, pingTimeout }, socket) {
		need(pingInterval > 0 && pingTimeout > 0, "no heartbeat");
		this.#line.heard(pingInterval + pingTimeout);
		this.#auth().then(auth => {
			const position = this.#offset && { pid: this.#pid, offset: this.#offset };
			if (socket === this.#socket) this.#hand(`40${JSON.stringify({ ...position, ...auth })}`);
		});
	}

	#receivePacket(text) {
		const packet = /^([0-6])(?:(\d{1,2})-)?(?:\/,)?(\d{1,16})?([[{"][^]*)?$/.exec(text);
		need(packet && !this.#partial, "an unknown packet");
		const [, type, count, id, json] = packet;
		need((type === "5" || type === "6") === (count !== undefined) && !(count > 10), "attachments");
		const value = json && JSON.parse(json);
		if (count > 0) this.#partial = { type, id, value, count: Number(count), parts: [] };
		else this.#receiveValue(type, id, value);
	}

	#receiveAttachment(bytes) {
		need(this.#partial, "an attachment of nothing");
		const { type, id, value, count, parts } = this.#partial;
		if (parts.push(bytes) < count) return;
		this.#partial = undefined;
		const fill = member => {
			if (member?._placeholder === true) {
				need(Number.isInteger(member.num) && member.num in parts, "no such attachment");
				return parts[member.num];
			}
			if (Array.isArray(member)) return member.map(fill);
			if (!isObject(member)) return member;
			return Object.fromEntries(Object.entries(member).map(([key, inner]) => [key, fill(inner)]));
		};
		this.#receiveValue(type, id, fill(value));
	}

	#receiveValue(type, id, value) {
		switch (type) {
		case "0":
			need(isText(value?.sid, 256), "a CONNECT without sid");
			this.#isJoined = true;
			if (this.#pid !== value.pid) this.#offset = undefined;
			this.#pid = value.pid;
			for (const event of this.#early.splice(0)) this.#receiveEvent(...event);
			break;
		case "1":
			this.#line.ended();
			break;
		case "2":
		case "5":
			need(typeof value?.[0] === "string" && (this.#isJoined || this.#pid), "an event out of place");
			if (this.#isJoined) this.#receiveEvent(id, value);
			else this.#early.push([id, value]);
			break;
		case "4":
			this.#line.refused(String(value?.message));
			break;
		default:   // acknowledgements: the module asks for none
		}
	}

	#receiveEvent(id, [name, ...args]) {
		const socket = this.#socket;
		// As with official clients, who is to acknowledge gets a function as the last argument.
		if (id) args.push((...answer) => { if (socket === this.#socket) this.#write(3, id, answer); });
		else if (this.#pid) this.#offset = takeOffset(args) ?? this.#offset;
		this.#line.received(name, args);
	}
}

/** An official Socket.IO client that the page hands in (C-19). It does not reconnect by itself: that is the line's. */
class ClientTransport {
	#socket;
	#isOpen = false;
	#hasRecovery = false;

	constructor(line, { origin, path, auth, io }) {
		const socket = this.#socket = io(origin, {
			auth: give => { auth().then(give); }, path, autoConnect: false, reconnection: false, forceNew: true,
		});
		const ifOpen = work => (...args) => { if (this.#isOpen) work(...args); };
		const receive = ifOpen((name, ...args) => {
			line.heard();
			if (this.#hasRecovery) takeOffset(args);
			line.received(String(name), args);
		});
		// The decoded packet is the only public place that tells whether recovery is on.
		socket.io.on("packet", ({ type, data }) => { if (type === 0) this.#hasRecovery = Boolean(data?.pid); });
		socket.io.on("ping", ifOpen(() => line.heard()));
		socket.onAny(receive);
		socket.on("disconnect", reason => queueMicrotask(ifOpen(() => {
			// What came in one poll with the end is decoded after it, and would wait for the next connection; what
			// recovery repeats is left to that.
			for (const event of socket.receiveBuffer.splice(0)) {
				if (!this.#hasRecovery || typeof event.at(-1) !== "string") receive(...event);
			}
			if (!this.#isOpen) return;
			if (reason === "io server disconnect") line.ended();
			else line.lost();
		})));
		// Errors of the engine have a type, or are the manager's own time-out; the others are the server's words.
		socket.on("connect_error", ifOpen(({ type, message }) => {
			if (type || message === "timeout") line.lost();
			else line.refused(message);
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
		const isThere = this.#isOpen && this.#socket.connected;
		if (isThere) this.#socket.emit(name, ...args);
		return isThere;
	}
}

/* ---------------------------------------------------------------- The line */

/**
 * Keeps one connection: dials, waits, dials again (C-14 to C-16).
 *
 *     offline → connecting → live → waiting → connecting …
 */
class Line {
	/** Milliseconds: the backoff's first and last ceiling; after which it starts anew; between two tries; for one. */
	static firstPause = 500;
	static longestPause = 30_000;
	static stableAfter = 10_000;
	static atMostEvery = 1_000;
	static patience = 20_000;

	state = "offline";
	/** Whether the page means to be live, whatever is the case. */
	isWanted = false;
	#server;
	#transport;
	#waiters = [];
	#isAsleep = false;
	/** The server has named the time to come back; nothing shortens it. */
	#isHeld = false;
	#attempts = 0;
	#dialledAt = 0;
	#heardAt = 0;
	#quiet = 0;
	#timer;
	#stable;
	#watch;

	/** @param {Server} server */
	constructor(server) { this.#server = server; }

	get isLive() { return this.state === "live"; }

	send(name, ...args) { return this.#transport?.send(name, ...args) ?? false; }

	async goLive() {
		if (this.isLive) return undefined;
		const isThere = new Promise((resolve, reject) => { this.#waiters.push({ resolve, reject }); });
		if (this.isWanted) this.wake();
		else this.#dial();
		return isThere;
	}

	/** Drops the connection for a new one, at once. */
	redial() {
		this.#hangUp(true);
		this.#dial();
	}

	/** `ready` has come. @param {number} [quiet] milliseconds of silence that are a loss, if it alone knows */
	ready(quiet) {
		if (this.state !== "connecting") return;
		this.heard(quiet);
		this.#stable = setTimeout(() => { this.#attempts = 0; }, Line.stableAfter);
		this.#become("live");
		for (const { resolve } of this.#waiters.splice(0)) resolve();
	}

	/** The end, until somebody wants it again. */
	stop(error) {
		this.#hangUp(true);
		clearTimeout(this.#timer);
		this.isWanted = this.#isAsleep = false;
		this.#become("offline");
		for (const { reject } of this.#waiters.splice(0)) reject(error);
	}

	/** The server sends the page away, to come back (C-14). */
	sendAway(reason, delay) {
		this.#hangUp(false);
		this.#become("offline");
		this.#server._events.emit("logout", [{ reason }]);
		if (!this.isWanted || this.state !== "offline") return;
		this.#isHeld = delay !== undefined;
		this.#wait(delay);
	}

	/** The page sleeps, or goes. */
	sleep(isFinal) {
		if (!this.isWanted || this.#isAsleep) return;
		this.#hangUp(isFinal);
		clearTimeout(this.#timer);
		this.#isAsleep = true;
		this.#become("waiting");
	}

	/** The page is there, or the network, or timers that were late (C-15, C-16). */
	wake(isAwake = false) {
		if (this.#isAsleep && isAwake) return this.#dial();
		if (this.state === "waiting" && !this.#isHeld && !this.#isAsleep) {
			this.#wait(Math.max(0, this.#dialledAt + Line.atMostEvery - Date.now()));
		} else if (this.#watch) {
			this.#check();
		}
		return undefined;
	}

	/* -------- What transports tell */

	received(name, args) { this.#server._receive(name, args); }

	failed(cause) {
		this.#server._report(problem("PROTOCOL", cause));
		this.lost();
	}

	refused(code) {
		if (code === "BUSY" || code === "UNAVAILABLE") this.lost();
		else this.stop(new LiveError(code));
	}

	/** For good, by DISCONNECT. */
	ended() { this.stop(new LiveError("ENDED", "the server has ended the connection")); }

	lost() {
		this.#hangUp(false);
		if (this.isWanted && !this.#isAsleep) this.#wait();
	}

	/** Something came. @param {number} [quiet] milliseconds of silence that are a loss */
	heard(quiet = this.#quiet) {
		this.#heardAt = Date.now();
		if (this.#watch && quiet === this.#quiet) return;
		this.#quiet = quiet;
		this.#look(quiet);
	}

	/* -------- How */

	#dial() {
		clearTimeout(this.#timer);
		this.isWanted = true;
		this.#isHeld = this.#isAsleep = false;
		this.#dialledAt = Date.now();
		this.heard(Line.patience);
		this.#transport ??= this.#server._transport(this);
		this.#transport.open();
		this.#become("connecting");
	}

	#hangUp(isFinal) {
		clearTimeout(this.#stable);
		clearTimeout(this.#watch);
		this.#watch = undefined;
		this.#transport?.close(isFinal);
		this.#server._down();
	}

	/** Half a second, doubled up to half a minute, of which chance takes a part: nodes are not stormed (C-15). */
	#backoff() {
		const ceiling = Math.min(Line.longestPause, Line.firstPause * 2 ** this.#attempts);
		this.#attempts += 1;
		return Math.random() * ceiling;
	}

	#wait(delay = this.#backoff()) {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => {
			if (this.#server._mayReturn) this.#dial();
			else this.stop(new LiveError("LOGIN", "logged out"));
		}, delay);
		this.#become("waiting");
	}

	#look(delay) {
		const due = Date.now() + delay;
		clearTimeout(this.#watch);
		this.#watch = setTimeout(() => {
			// A timer that comes late was throttled, and what the server has sent meanwhile may be next in line.
			if (Date.now() - due > Line.atMostEvery) this.#look(Line.firstPause);
			else this.#check();
		}, delay);
	}

	#check() {
		const left = this.#heardAt + this.#quiet - Date.now();
		if (left > 0) this.#look(left);
		else this.lost();
	}

	#become(state) {
		if (this.state === state) return;
		this.state = state;
		this.#server._events.emit("state", [state]);
	}
}

/* ---------------------------------------------------------------- Actions */

const networkError = cause => new ActionError("NETWORK", "the connection was lost; the outcome is unknown", cause);

/** Requests with one answer each, over whatever is there (C-5 to C-8). */
class Actions {
	static #repeatable = ["GET", "HEAD", "OPTIONS"];
	/** Chunks that may be here and not taken: what the server sends ahead (SPEC AC-10), twice. */
	static #mostChunks = 16;

	#server;
	#count = 0;
	/** By `_id`: what waits for its reply, and streams that have not ended. */
	#calls = new Map();

	/** @param {Server} server */
	constructor(server) { this.#server = server; }

	/** @param {{query, body, timeout, signal, isHTTP}} options `isHTTP`: never over the socket */
	async run(method, path, { query, body, timeout = this.#server._options.actionTimeout, signal, isHTTP } = {}) {
		const call = { method: method.toUpperCase(), url: this.address(path, query), body };
		const hasKind = [FormData, Blob, URLSearchParams, ReadableStream].some(kind => body instanceof kind);
		if (body instanceof HTMLFormElement) call.body = new FormData(body);
		else if (!hasKind && !isBinary(body)) call.json = Actions.#json(body);
		const isWithout = ["GET", "HEAD"].includes(call.method);
		if (isWithout && body !== undefined) throw new ActionError("INVALID", `no body with ${call.method}`);
		const end = new AbortController();
		const stop = code => () => end.abort(new ActionError(code, code, signal?.reason));
		const timer = timeout <= longestTimer && setTimeout(stop("TIMEOUT"), timeout);
		const abort = stop("ABORTED");
		if (signal?.aborted) abort();
		signal?.addEventListener("abort", abort);
		let answer;
		try {
			end.signal.throwIfAborted();
			const bytes = call.json === undefined ? body?.byteLength ?? (body ? Infinity : 0) : byteLength(call.json);
			if (!isHTTP && this.#server._line.isLive && bytes <= longestSocketBody) {
				answer = await this.#askSocket(call, end.signal);
			}
			answer ??= await this.#askHTTP(call, end.signal);
			return answer;
		} finally {
			clearTimeout(timer);
			// A stream goes on, and so does the caller's say in it.
			if (!(answer?.content instanceof ReadableStream)) signal?.removeEventListener("abort", abort);
		}
	}

	/** The address of a path here, with the query's members in place of those of the same name in the path. */
	address(path, query = {}) {
		const { origin } = this.#server;
		const url = new URL(path, origin);
		if (path[0] !== "/" || url.origin !== origin) throw new ActionError("INVALID", "a path begins with one slash");
		for (const [name, value] of query instanceof URLSearchParams ? query : Object.entries(query)) {
			if (value !== undefined && value !== null) url.searchParams.set(name, value);
		}
		return url;
	}

	static #json(body) {
		try {
			const text = JSON.stringify(body);
			need((text === undefined) === (body === undefined), "the body is no JSON");
			return text;
		} catch (cause) {
			throw new ActionError("INVALID", cause.message, cause);
		}
	}

	/* -------- Over the socket */

	/** @returns {Promise<object | undefined>} undefined: HTTP is to be asked as well */
	#askSocket({ method, url, body, json }, signal) {
		const _id = this.#count += 1;
		const line = this.#server._line;
		const { promise, resolve, reject } = Promise.withResolvers();
		const call = { method, proof: this.#server._domestic, resolve, reject, next: 0, taken: 0 };
		this.#calls.set(_id, call);
		signal.addEventListener("abort", () => {
			if (!this.#calls.delete(_id)) return;
			reject(signal.reason);
			if (call.writer) this.#fail(_id, call, signal.reason, true);
		});
		// What HTTP would carry, and no more: dates are texts, bytes within JSON nothing.
		const carried = json === undefined ? body : JSON.parse(json);
		const packet = { _id, method, url: url.pathname + url.search, body: carried };
		if (!line.send("action", packet)) this.#finish(_id)?.resolve();
		return promise;
	}

	#finish(_id) {
		const call = this.#calls.get(_id);
		this.#calls.delete(_id);
		return call;
	}

	/** A `reply`. Its events count also where nobody waits for it any more (C-7). */
	async reply({ _id, status, content, events, stream, session }) {
		if (events !== undefined) sendEvents(events);
		const call = this.#finish(_id);
		if (session !== undefined) await this.#server._renew(session?.ticket);
		if (stream === true && call) content = this.#stream(_id, call);
		else if (stream === true) this.#chunk(_id, { cancel: true });
		if (!Number.isInteger(status)) call?.reject(new ActionError("INVALID", "an answer without status"));
		else if (this.#isStale(status, content, call?.proof)) call?.resolve();
		else call?.resolve({ status, content });
	}

	#chunk(_id, packet) { this.#server._line.send("chunk", { _id, ...packet }); }

	/** A streamed answer (C-8): a chunk is acknowledged when the reader takes it, which is when its writing is done. */
	#stream(_id, call) {
		const { readable, writable } = new TransformStream({}, { highWaterMark: Infinity }, { highWaterMark: 0 });
		call.writer = writable.getWriter();
		call.writer.closed.catch(() => { if (this.#calls.get(_id) === call) this.#fail(_id, call, undefined, true); });
		this.#calls.set(_id, call);
		return readable;
	}

	chunk({ _id, n, data, end, error }) {
		const call = this.#calls.get(_id);
		if (!call?.writer) return;
		const isInPlace = n === call.next && (end === true || isBinary(data)) && n - call.taken < Actions.#mostChunks;
		call.next += 1;
		if (error !== undefined) {
			this.#fail(_id, call, new ActionError("NETWORK", `the stream has failed: ${error}`));
		} else if (!isInPlace) {
			this.#fail(_id, call, new ActionError("INVALID", "a chunk out of place"), true);
		} else if (end) {
			this.#calls.delete(_id);
			call.writer.close().catch(() => {});
		} else {
			call.writer.write(new Uint8Array(data)).then(() => {
				call.taken += 1;
				this.#chunk(_id, { ack: n });
			}, () => {});
		}
	}

	#fail(_id, { writer }, error, cancels = false) {
		this.#calls.delete(_id);
		writer.abort(error).catch(() => {});
		if (cancels) this.#chunk(_id, { cancel: true });
	}

	/** The socket is gone: what may be asked twice is asked over HTTP, of the rest nobody knows (C-7). */
	down() {
		for (const [_id, call] of this.#calls) {
			this.#calls.delete(_id);
			if (call.writer) this.#fail(_id, call, networkError());
			else if (Actions.#repeatable.includes(call.method)) call.resolve();
			else call.reject(networkError());
		}
	}

	/** The proof was refused, and another tab has brought a new one meanwhile (C-12). */
	#isStale(status, content, proof) {
		return status === 403 && content?.error === "DOMESTIC" && proof !== this.#server._domestic;
	}

	/* -------- Over HTTP */

	async #askHTTP(call, signal, isRepeated = false) {
		const proof = this.#server._domestic;
		let answer;
		try {
			answer = await this.#read(await this.#fetch(call, proof, signal), call.method);
		} catch (cause) {
			throw signal.aborted ? signal.reason : cause instanceof ActionError ? cause : networkError(cause);
		}
		const { status, content, events } = answer;
		const mayRepeat = !isRepeated && !(call.body instanceof ReadableStream);
		if (mayRepeat && this.#isStale(status, content, proof)) return this.#askHTTP(call, signal, true);
		if (events !== undefined) sendEvents(events);
		return { status, content };
	}

	async #fetch({ method, url, body, json }, proof, signal) {
		const headers = new Headers({ accept: "application/json" });
		if (proof) headers.set("x-domestic", proof);
		const { token } = await this.#server._auth();
		if (token) headers.set("authorization", `Bearer ${token}`);
		if (json !== undefined) headers.set("content-type", "application/json");
		else if (isBinary(body) || body?.type === "" || body instanceof ReadableStream) {
			headers.set("content-type", "application/octet-stream");
		}
		// A redirect is not followed: it may lead to another origin, which must not get the headers.
		const request = { method, headers, body: json ?? body, signal, credentials: "include", redirect: "manual" };
		if (body instanceof ReadableStream) {
			// Browsers send streams over HTTP/2, which needs TLS, or not at all.
			if (location.protocol === "https:" && "duplex" in Request.prototype) request.duplex = "half";
			else request.body = await new Response(body).blob();
		}
		return fetch(url, request);
	}

	async #read(response, method) {
		const { status, body, headers } = response;
		if (response.type === "opaqueredirect") return { status: 302, content: {} };   // no page sees more of it
		if (method === "HEAD" || !body) return { status };
		const type = headers.get("content-type") ?? "";
		if (type.startsWith("text/html")) throw new ActionError("INVALID", `a page with status ${status}`);
		if (!type.startsWith("application/json")) return { status, content: body };
		const text = await response.text();
		try {
			const { content, events } = JSON.parse(text);
			return { status, content, events };
		} catch (cause) {
			throw new ActionError("INVALID", "the answer is no JSON", cause);
		}
	}
}

/* ---------------------------------------------------------------- Streams and channels of peers */

/** A stream of a remote endpoint: the same object also when the connection under it is new (C-34). Event: `swap`. */
class RemoteStream extends Source {
	#link;
	#elements = new Set();

	constructor(link, name, remote, stream) {
		super(new Emitter(detail => link.report(detail)));
		this.#link = link;
		/** What the sender calls it; else the sender's stream ID. */
		this.name = name;
		/** Whose it is (C-35). */
		this.endpoint = remote;
		/** The MediaStream as it is now. */
		this.stream = stream;
	}

	_swap(stream) {
		if (stream === this.stream) return;
		this.stream = stream;
		for (const element of this.#elements) this.attach(element);
		this._events.emit("swap", [stream]);
	}

	_end() {
		for (const element of this.#elements) this.detach(element);
	}

	/**
	 * Shows it in a media element, and what takes its place later.
	 * @returns {Promise<boolean>} whether it plays; if not, an `error` says why, and it may be tried again (C-37)
	 */
	async attach(element) {
		this.#elements.add(element);
		if (element.srcObject !== this.stream) element.srcObject = this.stream;
		try {
			await element.play();
			return true;
		} catch (cause) {
			const code = cause.name === "NotAllowedError" ? "AUTOPLAY" : "MEDIA";
			// Interrupted by the next stream: that one's playing counts.
			if (cause.name !== "AbortError") this.#link.report(problem(code, cause, { endpoint: this.endpoint }));
			return false;
		}
	}

	detach(element) {
		this.#elements.delete(element);
		element.srcObject = null;
	}
}

/** A data channel of the application's own, to all endpoints. Events: `open`, `message (data, endpoint)`, `close`. */
class PeerChannel extends Source {
	#link;

	constructor(link, label) {
		super(new Emitter(detail => link.report(detail), defaults.queueLimit, defaults.queueLimit));
		this.#link = link;
		this.label = label;
	}

	/**
	 * @param {string | ArrayBuffer | ArrayBufferView} data
	 * @returns {number} how many endpoints it was handed over for
	 */
	send(data) {
		const isReady = channel => channel?.readyState === "open" && channel.bufferedAmount < channelIsStuck;
		const ready = this.#link.all.map(connection => connection.channel(this.label)).filter(isReady);
		for (const channel of ready) channel.send(data);
		return ready.length;
	}
}

/* ---------------------------------------------------------------- Connections */

/**
 * The connection to one remote endpoint of a Link: negotiation, health, frames (C-25 to C-30).
 *
 * Whatever touches its descriptions runs in one chain, so that nothing is decided on a state that is about to change.
 */
class Connection {
	/** Milliseconds: until the polite side offers, the other one repeats itself; until a break is taken for one; more
	 * for the polite side; the longest between two restarts. */
	static #offerAfter = 5_000;
	static #patience = 10_000;
	static #tolerance = 4_000;
	static #politeness = 3_000;
	static #longestPause = 30_000;
	/** Within which two offers may have crossed each other. */
	static #crossing = 3_000;
	static #mostRestarts = 5;

	/** Among the rosters since the last `ready` (C-21). */
	isListed = true;
	/** The server has seen its signalling leave (C-30). */
	isGone = false;
	#link;
	#pc;
	#events;
	#isPolite;
	/** The SID that it was signalled to before. */
	#former;
	#mayOffer;
	#ignoresOffer;
	#chain = Promise.resolve();
	/** Of the RTCPeerConnection: what is asked of one that closes meanwhile is never answered. */
	#over = Promise.withResolvers();
	/** Of the other side's RTCPeerConnection. */
	#session;
	/** The version of its description that was taken last. */
	#heard;
	/** The SID that was told to build anew. */
	#refused;
	/** Candidates: of the other side, from before its description; of this one, to be told again (C-28). */
	#early = [];
	#candidates = [];
	#isBehind;
	#offeredAt = 0;
	#restarts;
	#timer;
	#senders = new Map();
	#channels = new Map();
	/** Names by stream ID, as the other side has them; streams that have come. */
	#table = new Map();
	#arrived = new Map();
	#outgoing = Promise.resolve();
	#parts = [];

	constructor(link, remote, sid) {
		this.#link = link;
		this.endpoint = remote;
		/** Where it is signalled to; undefined while nobody knows. */
		this.sid = sid;
		this.#isPolite = endpoint > remote;
		this.#build();
	}

	get isOpen() { return this.#events.readyState === "open"; }
	get isHealthy() { return this.isOpen && this.#pc.connectionState === "connected"; }
	get status() {
		const streams = [...this.#link.remotes].filter(remote => remote.endpoint === this.endpoint);
		return { state: this.#pc.connectionState, channel: this.#events, streams };
	}

	/* -------- Building and closing */

	#build() {
		this.#part();
		const pc = this.#pc = new RTCPeerConnection(this.#link.links.configuration);
		const events = this.#events = pc.createDataChannel("events", { negotiated: true, id: 0 });
		const ifCurrent = work => event => { if (pc === this.#pc) work(event); };
		events.binaryType = "arraybuffer";
		events.bufferedAmountLowThreshold = binaryFrame;
		events.onopen = ifCurrent(() => {
			this.#tellStreams();
			this.#link.opened(this);
		});
		// Closed without a word: the other side is gone, or builds anew.
		events.onclose = ifCurrent(() => {
			this.#parts = [];
			this.#link.tell("endpointclose", { endpoint: this.endpoint });
			this.#worry(Connection.#tolerance);
		});
		events.onmessage = ifCurrent(({ data }) => {
			try {
				if (typeof data === "string") this.#receiveText(data);
				else this.#receiveBytes(new Uint8Array(data));
			} catch (cause) {
				this.#complain(cause);
			}
		});
		pc.onnegotiationneeded = ifCurrent(() => { if (this.#mayOffer) this.#do(() => this.#offer()); });
		pc.onicecandidate = ifCurrent(({ candidate }) => {
			if (!candidate?.candidate) return;
			if (this.#candidates.length < mostCandidates) this.#candidates.push(candidate);
			this.#signal({ ICE: candidate });
		});
		pc.onconnectionstatechange = ifCurrent(() => {
			if (pc.connectionState === "connected") this.#restarts = 0;
			if (pc.connectionState === "disconnected") this.#worry(Connection.#tolerance);
			if (pc.connectionState === "failed") this.#worry(0);
		});
		pc.ondatachannel = ifCurrent(({ channel }) => this.#accept(channel));
		pc.ontrack = ifCurrent(({ streams: [stream] }) => {
			if (stream) this.#arrived.set(stream.id, stream);
			this.#showStreams();
		});
		// The smaller endpoint offers; the other one when nothing comes.
		this.#mayOffer = !this.#isPolite;
		this.#isBehind = false;
		this.#heard = -1;
		this.#restarts = 0;
		for (const list of [this.#senders, this.#channels, this.#table, this.#arrived]) list.clear();
		this.#early = [];
		this.#candidates = [];
		this.refresh();
		this.#unlessHealthy(this.#isPolite ? Connection.#offerAfter : Connection.#patience, () => this.#restart());
	}

	/** Leaves the RTCPeerConnection that it has. */
	#part() {
		if (this.#session !== undefined) this.#link.remember(this.#session);
		this.#session = undefined;
		this.#over.resolve();
		this.#over = Promise.withResolvers();
	}

	#rebuild() {
		const [pc, wasOpen] = [this.#pc, this.isOpen];
		this.#build();
		pc.close();
		if (wasOpen) this.#link.tell("endpointclose", { endpoint: this.endpoint });
	}

	/** @returns {boolean} whether it was open */
	close(saysBye) {
		const wasOpen = this.isOpen;
		// Said both ways, as either may be down.
		if (saysBye && wasOpen) this.#events.send('{"b":1}');
		if (saysBye) this.#signal({ bye: true });
		clearTimeout(this.#timer);
		this.#part();
		const pc = this.#pc;
		this.#pc = undefined;
		pc.close();
		return wasOpen;
	}

	#complain(why, code = "PROTOCOL") { this.#link.report(problem(code, why, { endpoint: this.endpoint })); }

	/* -------- Negotiation */

	/** @param {(pc: RTCPeerConnection) => any} work on the one that there is by then */
	#do(work) {
		this.#chain = this.#chain.then(() => this.#pc && Promise.race([work(this.#pc), this.#over.promise]))
			.catch(cause => this.#complain(cause));
	}

	async #offer() {
		const pc = this.#pc;
		if (!this.#mayOffer || pc.signalingState !== "stable") return;   // asked for again once it is
		await pc.setLocalDescription();
		this.#offeredAt = Date.now();
		this.#describe(pc);
	}

	#describe(pc) {
		if (pc === this.#pc) this.#signal({ sdp: pc.localDescription });
	}

	/**
	 * A description of the other side. Which RTCPeerConnection it is of stays the same for as long as that lives, and every
	 * description of it has a higher version (RFC 8829 §5.2).
	 */
	described(description) {
		const [, session, version] = /^o=\S+ (\S+) (\d+)/m.exec(description.sdp) ?? [];
		this.#do(() => {
			if (this.#link.met.has(session)) return this.#refuse(session);
			// Of another RTCPeerConnection than before: the other side has built anew.
			if (this.#session !== undefined && session !== this.#session) this.#rebuild();
			return this.#apply(this.#pc, description, session, Number(version));
		});
	}

	/**
	 * The RTCPeerConnection over there belongs to one that is closed here. It may have begun the DTLS handshake with that
	 * one before it had an answer, and then never ends one with another: both sides build anew, and this one offers.
	 */
	#refuse(session) {
		const isLate = this.#session !== undefined;   // the other side has built anew since
		// Said once to a SID: what is under way meanwhile is of before.
		if (isLate || (this.sid && this.sid === this.#refused)) return;
		this.#refused = this.sid;
		this.#signal({ bye: true });
		this.#rebuild();
		this.#mayOffer = true;   // in time for its `negotiationneeded`
	}

	async #apply(pc, description, session, version) {
		const isOffer = description.type === "offer";
		// Told twice. Nothing is taken back for it: a second answer could meet another offer.
		if (version <= this.#heard) return isOffer && version === this.#heard && this.#repeat(pc);
		if (isOffer) {
			this.#ignoresOffer = pc.signalingState !== "stable" && !this.#isPolite;
			// An offer of long ago that was not answered has not arrived: this one has not crossed it.
			const isLost = Date.now() - this.#offeredAt > Connection.#crossing;
			if (this.#ignoresOffer) return isLost && this.#describe(pc);
		} else if (pc.signalingState !== "have-local-offer") return;   // the offer was taken back
		await pc.setRemoteDescription(description);
		if (pc !== this.#pc) return;   // closed meanwhile
		this.#session = session;
		this.#mayOffer = true;
		if (isOffer) {
			// The rollback of an own offer takes back which streams its tracks belong to.
			for (const { stream, tracks } of this.#link.streams.values()) {
				for (const track of tracks) this.#senders.get(track)?.setStreams(stream);
			}
			await pc.setLocalDescription();
			this.#describe(pc);
		}
		if (pc === this.#pc) this.#heard = version;
		for (const candidate of this.#early.splice(0)) await this.#add(pc, candidate);
	}

	/** What was answered last, and what is offered behind it, may not have arrived. */
	#repeat(pc) {
		const { currentLocalDescription: answer, pendingLocalDescription: offer } = pc;
		if (answer?.type === "answer") this.#signal({ sdp: answer });
		if (offer) this.#signal({ sdp: offer });
	}

	/** A candidate of the other side. */
	candidate(candidate) {
		this.#do(pc => {
			if (pc.remoteDescription) return this.#add(pc, candidate);
			if (this.#early.length < mostCandidates) this.#early.push(candidate);
			return undefined;
		});
	}

	async #add(pc, candidate) {
		// Of a description that was rolled back or overtaken: nothing to do with it.
		const fragment = candidate?.usernameFragment;
		if (this.#ignoresOffer || (fragment && !pc.remoteDescription.sdp.includes(fragment))) return;
		await pc.addIceCandidate(candidate ?? undefined);
	}

	/* -------- Signalling */

	#signal(message) {
		if (!this.sid || !this.#link.send({ to: this.sid, ...message })) this.#isBehind = true;
	}

	/** An `init`: it is there, under this SID (C-25). What it has missed is told as it is now (C-28). */
	moved(sid) {
		// What was on its way to the SID before may never have arrived, and nobody says so.
		if (sid !== this.sid && !(this.isHealthy && this.#pc.signalingState === "stable")) this.#isBehind = true;
		if (sid !== this.sid) this.#former = this.sid;
		this.sid = sid;
		this.isGone = false;
		this.isListed = true;
		if (!this.#isBehind) return;
		this.#isBehind = false;
		this.#do(pc => {
			this.#repeat(pc);
			if (!this.isHealthy) for (const candidate of this.#candidates) this.#signal({ ICE: candidate });
		});
	}

	/**
	 * What was told last may not have arrived.
	 * @param {boolean} isAway nobody is there any more, until an `init` says otherwise, within a grace
	 */
	missed(isAway) {
		this.#refused = undefined;
		this.#isBehind = true;
		if (!isAway) return;
		// Rosters of two nodes may come in the wrong order: then the one before is the right one.
		this.sid = this.#former;
		this.#former = undefined;
		if (this.sid) this.moved(this.sid);
		else this.#expect();
	}

	/** Nobody is there, but for an `init` within a grace (C-28). */
	#expect() {
		pause(this.#link.links.options.rosterGrace).then(() => { if (!this.sid && !this.isHealthy) this.#link.drop(this); });
	}

	/** Its signalling has left (C-30), unless it is back already. What broke is over; what is being made waits. */
	gone(sid) {
		if (sid === this.#former) this.#former = undefined;
		if (this.sid && sid !== this.sid) return;
		this.sid = undefined;
		this.isGone = true;
		if (this.#events.readyState === "connecting" && this.#pc.connectionState !== "failed") this.#expect();
		else if (!this.isHealthy) this.#link.drop(this);
	}

	/* -------- Health (C-29) */

	#unlessHealthy(delay, work) {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => { if (!this.isHealthy) work(); }, delay);
	}

	#worry(delay) {
		if (this.isGone) this.#link.drop(this);
		else this.#unlessHealthy(delay + (this.#isPolite ? Connection.#politeness : 0), () => this.#restart());
	}

	async #restart() {
		const pc = this.#pc;
		if (this.#events.readyState === "closed" || this.#restarts === Connection.#mostRestarts) return this.#rebuild();
		this.#restarts += 1;
		this.#unlessHealthy(Math.min(Connection.#longestPause, 1_000 * 2 ** this.#restarts), () => this.#restart());
		await this.#link.links.freshServers();
		this.#mayOffer = true;
		if (pc !== this.#pc) return undefined;
		// An offer without an answer is repeated; a new one can only follow it.
		if (pc.signalingState === "stable") pc.restartIce();
		return this.#do(() => (pc.signalingState === "have-local-offer" ? this.#describe(pc) : this.#offer()));
	}

	configure(configuration) { this.#pc.setConfiguration(configuration); }

	/* -------- Frames (C-27) */

	/** @returns {boolean} whether it was handed over */
	emit(text) {
		const isStuck = this.isOpen && this.#events.bufferedAmount > channelIsStuck;
		if (isStuck) this.#complain("the endpoint takes nothing", "OVERFLOW");
		else if (this.isOpen) this.#events.send(text);
		return this.isOpen && !isStuck;
	}

	/** Resolves when all of it is in the channel; one goes after the other. */
	send(bytes) {
		const sending = this.#outgoing.then(() => this.#pump(this.#events, bytes));
		this.#outgoing = sending.catch(() => {});
		return sending;
	}

	async #pump(channel, bytes) {
		let at = 0;
		do {
			while (channel.readyState === "open" && channel.bufferedAmount > channelIsFull) {
				await new Promise(resolve => { channel.onbufferedamountlow = channel.onclosing = resolve; });
			}
			const part = bytes.subarray(at, at + binaryFrame - 1);
			at += part.length;
			const frame = new Uint8Array(part.length + 1);
			frame[0] = at === bytes.length ? 1 : 0;
			frame.set(part, 1);
			if (channel.readyState !== "open") throw new PeerError("OFFLINE");
			channel.send(frame);
		} while (at < bytes.length);
	}

	#receiveText(text) {
		need(text.length <= longestFrame, "a frame that is too long");
		const { e, s, b } = JSON.parse(text);
		if (b === 1) return this.#link.drop(this);
		if (isObject(s)) return this.#receiveTable(Object.entries(s).filter(([, name]) => isText(name, 256)));
		need(isText(e?.[0], 128), "an unknown frame");
		return this.#link.received(this.endpoint, e);
	}

	#receiveBytes(frame) {
		const isLast = frame[0] === 1;
		const isWrong = frame.length === 0 || (!isLast && frame.length !== binaryFrame);
		if (isWrong || this.#parts.length * binaryFrame > longestMessage + binaryFrame) {
			this.#link.drop(this, true);
			throw new SyntaxError("bytes of the wrong form");
		}
		this.#parts.push(frame.subarray(1));
		if (!isLast) return;
		const parts = this.#parts.splice(0);
		const bytes = new Uint8Array((parts.length - 1) * (binaryFrame - 1) + frame.length - 1);
		parts.forEach((part, index) => bytes.set(part, index * (binaryFrame - 1)));
		this.#link.tell("bytes", bytes, this.endpoint);
	}

	/* -------- Further channels */

	channel(label) { return this.#channels.get(label); }

	#accept(channel) {
		const { label } = channel;
		const { channels } = this.#link;
		const isTooMany = channels.size >= mostChannels && !channels.has(label);
		if (!isText(label, 256) || label === "events" || isTooMany) return channel.close();
		// Where both sides have opened one, both send over that of the smaller endpoint, and listen to the two.
		return this.#use(channel, this.#isPolite || !this.#channels.has(label));
	}

	#use(channel, isMain = true) {
		const { label } = channel;
		const tell = (event, ...args) => this.#link.channel(label)._events.emit(event, [...args, this.endpoint]);
		channel.binaryType = "arraybuffer";
		if (isMain) this.#channels.set(label, channel);
		channel.onopen = () => tell("open");
		channel.onmessage = ({ data }) => tell("message", data);
		channel.onclose = () => {
			if (this.#channels.get(label) === channel) this.#channels.delete(label);
			tell("close");
		};
	}

	/* -------- Media (C-33, C-34) */

	/** Makes channels and tracks those that the page wants. */
	refresh() {
		const pc = this.#pc;
		for (const [label, { options }] of this.#link.channels) {
			if (options && !this.#channels.has(label)) this.#use(pc.createDataChannel(label, options));
		}
		const wanted = new Set();
		for (const { stream, tracks, sendEncodings } of this.#link.streams.values()) {
			for (const track of tracks) {
				wanted.add(track);
				if (this.#senders.has(track)) continue;
				const transceiver = this.#place(pc, track, stream, sendEncodings);
				this.#senders.set(track, transceiver.sender);
				this.#link.onTransceiver?.(transceiver, this.endpoint);
			}
		}
		for (const [track, sender] of this.#senders) {
			if (wanted.has(track)) continue;
			this.#senders.delete(track);
			pc.removeTrack(sender);
		}
		this.#tellStreams();
	}

	/** A track takes the place of one that was taken away, once the other side knows: nothing grows (C-33). */
	#place(pc, track, stream, sendEncodings) {
		if (sendEncodings) return pc.addTransceiver(track, { streams: [stream], sendEncodings });
		const taken = new Set(this.#senders.values());
		const free = pc.getTransceivers().find(({ sender, receiver, currentDirection }) => (
			!sender.track && !taken.has(sender) && receiver.track.kind === track.kind
			&& ["inactive", "recvonly"].includes(currentDirection) && sender.getParameters().encodings.length < 2));
		if (!free) {
			const sender = pc.addTrack(track, stream);
			return pc.getTransceivers().find(other => other.sender === sender);
		}
		free.sender.setStreams(stream);
		free.sender.replaceTrack(track).catch(cause => this.#complain(cause, "MEDIA"));
		free.direction = free.direction === "inactive" ? "sendonly" : "sendrecv";
		return free;
	}

	async replaceTrack(old, fresh) {
		const sender = this.#senders.get(old);
		this.#senders.delete(old);
		this.#senders.set(fresh, sender);
		await sender.replaceTrack(fresh);
	}

	#tellStreams() {
		const table = [...this.#link.streams.values()].map(({ stream, name }) => [stream.id, name]);
		this.emit(JSON.stringify({ s: Object.fromEntries(table) }));
	}

	#receiveTable(entries) {
		const table = new Map(entries.slice(0, mostChannels));
		// Of what was taken away and comes again, the browser makes another object.
		for (const id of this.#table.keys()) if (!table.has(id)) this.#arrived.delete(id);
		this.#table = table;
		const names = new Set(table.values());
		this.#link.endStreams(remote => remote.endpoint === this.endpoint && !names.has(remote.name));
		this.#showStreams();
	}

	/** Brings together the streams that have come and what they are called. */
	#showStreams() {
		for (const [id, name] of this.#table) {
			if (this.#arrived.has(id)) this.#link.showStream(this.endpoint, name, this.#arrived.get(id));
		}
	}
}

/* ---------------------------------------------------------------- Links */

/** Events of a peer that are the module's (C-23); no application event has such a name. */
const peerEvents = ["connect", "close", "endpoint", "endpointclose", "stream", "streamend", "error", "state", "bytes"];

/** What a {@link Peer} is inside: one party as this page sees it, over all openings of its Link. */
class Link {
	state = "idle";
	token = null;
	gen = 0;
	/** `connect` was called, and neither `close` nor `disconnect` since. */
	isWanted = false;
	/** The page has left by `disconnect`: whoever comes is told so, and kept in mind: SIDs by endpoint. */
	left;
	isListed = true;
	/** The `_id` of a request without answer. */
	asking;
	onTransceiver = null;
	connections = new Map();
	remotes = new Set();
	streams = new Map();
	channels = new Map();
	waiters = new Set();
	/** Sessions of remote RTCPeerConnections whose counterparts here are closed. */
	met = new Set();
	#backlog = [];

	constructor(links, query) {
		/** @type {Links} */
		this.links = links;
		this.query = query;
		const complain = detail => (detail.name === "error" ? links.log(detail) : this.report(detail));
		this.events = new Emitter(complain);
		this.messages = new Emitter(complain, links.options.queueLimit, links.options.queueLimit);
		this.peers = [new Peer(this)];
	}

	get all() { return [...this.connections.values()]; }
	get open() { return this.all.filter(connection => connection.isOpen); }
	send(message) { return this.links.send("peer", { token: this.token, ...message }); }
	tell(name, ...args) { return this.events.emit(name, args); }

	report(detail) {
		const error = { token: this.token, ...detail };
		if (!this.tell("error", error)) this.links.log(error);
	}

	become(state) {
		if (this.state === state) return;
		this.state = state;
		this.tell("state", state);
	}

	/* -------- Coming and going */

	connect(query, timeout) {
		const { left } = this;
		Object.assign(this, { query, isWanted: true, left: undefined });
		for (const [remote, sid] of left ?? []) this.welcome(remote, sid);
		if (this.open.length > 0) return undefined;
		const waiter = Promise.withResolvers();
		waiter.timer = setTimeout(() => {
			this.waiters.delete(waiter);
			waiter.reject(new PeerError("TIMEOUT"));
			if (!this.token && this.waiters.size === 0) this.become("idle");
		}, timeout);
		this.waiters.add(waiter);
		if (!this.token) this.become("requesting");
		this.links.ask(this);
		return waiter.promise;
	}

	settle(error) {
		for (const waiter of this.waiters) {
			clearTimeout(waiter.timer);
			if (error) waiter.reject(error);
			else waiter.resolve();
		}
		this.waiters.clear();
	}

	refused(code) {
		this.become(this.token ? "open" : "idle");
		this.settle(new PeerError(code));
	}

	/** It has this token now; what an older opening had is over (C-25). */
	enter(token, gen) {
		if (this.token !== token || this.gen !== gen) this.dropAll();
		Object.assign(this, { token, gen });
		this.become("open");
	}

	/** The Link is over. */
	leave(reason) {
		this.dropAll();
		this.token = null;
		this.left = undefined;
		this.isWanted = false;
		this.#backlog = [];
		this.become("closed");
		this.tell("close", { reason });
		this.settle(new PeerError(reason === "OFFLINE" ? reason : "CLOSED"));
	}

	close() { return this.links.close(this); }

	disconnect() {
		this.isWanted = false;
		this.left ??= new Map(this.all.map(({ endpoint: remote, sid }) => [remote, sid]));
		this.#backlog = [];
		this.dropAll(true);
		this.settle(new PeerError("CLOSED"));
	}

	/** Two have turned out to be one: each side has asked for the other, in its own words. */
	absorb(other) {
		this.events.adopt(other.events);
		this.messages.adopt(other.messages);
		for (const peer of other.peers) peer._link = this;
		this.peers.push(...other.peers);
		for (const part of ["streams", "channels"]) for (const [key, value] of other[part]) this[part].set(key, value);
		for (const waiter of other.waiters) this.waiters.add(waiter);
		this.#backlog.push(...other.#backlog);
		this.isWanted ||= other.isWanted;
		for (const connection of this.all) connection.refresh();
		if (this.open.length > 0) this.#connected();
	}

	/* -------- Endpoints */

	/** @returns {Connection | undefined} the one to an endpoint that is there, under this SID */
	welcome(remote, sid) {
		this.isListed = true;
		const known = this.connections.get(remote);
		if (this.left) {
			if (this.left.size < mostEndpoints) this.left.set(remote, sid);
			this.send({ to: sid, bye: true });
		} else if (known) known.moved(sid);
		else if (this.connections.size < mostEndpoints) return this.#begin(remote, sid);
		else this.report(problem("OVERFLOW", `more than ${mostEndpoints} endpoints`, { endpoint: remote }));
		return known;
	}

	#begin(remote, sid) {
		try {
			const connection = new Connection(this, remote, sid);
			this.connections.set(remote, connection);
			return connection;
		} catch (cause) {
			return this.report(problem("ICE", cause, { endpoint: remote }));
		}
	}

	drop(connection, saysBye = false) {
		const { endpoint: remote } = connection;
		if (this.connections.get(remote) !== connection) return;
		this.connections.delete(remote);
		const wasOpen = connection.close(saysBye);
		this.endStreams(other => other.endpoint === remote);
		if (wasOpen) this.tell("endpointclose", { endpoint: remote });
	}

	remember(session) {
		this.met.add(session);
		if (this.met.size > mostMet) this.met.delete(this.met.values().next().value);
	}

	dropAll(saysBye) {
		for (const connection of this.all) this.drop(connection, saysBye);
	}

	opened({ endpoint: remote }) {
		this.tell("endpoint", { endpoint: remote });
		if (this.open.length === 1) this.tell("connect");
		this.#connected();
	}

	#connected() {
		for (const text of this.#backlog.splice(0)) for (const connection of this.open) connection.emit(text);
		this.settle();
	}

	/* -------- Data */

	frame(name, args) {
		const text = JSON.stringify({ e: [name, ...args] });
		if (peerEvents.includes(name) || !isText(name, 128) || byteLength(text) > longestFrame) {
			throw new PeerError("INVALID", "an event has a name that is not the module's, and at most 64 KiB");
		}
		return text;
	}

	emit(name, args) {
		const text = this.frame(name, args);
		const { open } = this;
		if (open.length > 0) return open.filter(connection => connection.emit(text)).length;
		if (!this.isWanted) throw new PeerError("OFFLINE", "connect first");
		if (byteLength(this.#backlog.join("") + text) > longestFrame) throw new PeerError("OVERFLOW");
		this.#backlog.push(text);
		return 0;
	}

	async sendBytes(data) {
		const { open } = this;
		const isFit = isBinary(data) && data.byteLength <= longestMessage;
		if (!isFit) throw new PeerError("INVALID", "bytes, at most 64 MiB");
		if (open.length === 0) throw new PeerError("OFFLINE", "connect first");
		const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
		const sent = await Promise.allSettled(open.map(connection => connection.send(bytes)));
		const count = sent.filter(({ status }) => status === "fulfilled").length;
		if (count === 0) throw sent[0].reason;
		return count;
	}

	received(remote, [name, ...args]) {
		if (!peerEvents.includes(name)) this.messages.emit(name, args, remote);
		else this.report(problem("PROTOCOL", `an event "${name}"`, { endpoint: remote }));
	}

	/** @returns {PeerChannel} of a label; with options it is opened to everybody */
	channel(label, options) {
		const isNew = !this.channels.has(label);
		if (!isText(label, 256) || label === "events" || (isNew && this.channels.size >= mostChannels)) {
			throw new PeerError("INVALID", `"${label}" is no label of a channel, or one too many`);
		}
		if (isNew) this.channels.set(label, { channel: new PeerChannel(this, label) });
		const entry = this.channels.get(label);
		entry.options ??= options;
		if (options) this.refresh();
		return entry.channel;
	}

	/* -------- Media */

	refresh() {
		for (const connection of this.all) connection.refresh();
	}

	addStream(stream, { name = stream.id, sendEncodings } = {}) {
		const entry = { stream, name, sendEncodings, tracks: new Set() };
		this.streams.set(stream, entry);
		for (const track of stream.getTracks()) this.#addTrack(entry, track);
		this.refresh();
	}

	/** A track that ends is taken out, and the stream with its last one (C-33). */
	#addTrack({ stream, tracks }, track) {
		if (track.readyState !== "live") return;
		tracks.add(track);
		track.addEventListener("ended", () => {
			if (!tracks.delete(track)) return;
			if (tracks.size === 0) this.streams.delete(stream);
			this.refresh();
		}, { once: true });
	}

	async replaceTrack(old, fresh) {
		const entry = [...this.streams.values()].find(({ tracks }) => tracks.delete(old));
		if (!entry) throw new PeerError("INVALID", "the track is not sent");
		this.#addTrack(entry, fresh);
		await Promise.all(this.all.map(connection => connection.replaceTrack(old, fresh)));
	}

	showStream(remote, name, stream) {
		const known = [...this.remotes].find(other => other.endpoint === remote && other.name === name);
		if (known) return known._swap(stream);
		const shown = new RemoteStream(this, name, remote, stream);
		this.remotes.add(shown);
		return this.tell("stream", { endpoint: remote, remote: shown });
	}

	endStreams(isOver) {
		for (const remote of [...this.remotes].filter(isOver)) {
			this.remotes.delete(remote);
			this.tell("streamend", { endpoint: remote.endpoint, remote });
			remote._end();
		}
	}
}

/** The other party of a Link, as this page sees it (docs/browser.md, "Peers"). */
class Peer extends Source {
	constructor(link) {
		super(link.events);
		this._link = link;
		/** What the remote party is known by. */
		this.query = link.query;
	}

	_of(name) { return peerEvents.includes(name) ? this._link.events : this._link.messages; }

	/** `idle`, `requesting`, `open` or `closed`. */
	get state() { return this._link.state; }
	/** Whether a data channel to some endpoint is open. */
	get connected() { return this._link.open.length > 0; }
	/** The token of the Link; null without one. */
	get token() { return this._link.token; }
	/** Remote endpoints by ID: `{state, channel, streams}`. */
	get endpoints() { return new Map(this._link.all.map(connection => [connection.endpoint, connection.status])); }
	/** While an application event is delivered: the endpoint that has sent it. */
	get sender() { return this._link.messages.context; }

	/**
	 * A function that is shown each transceiver before it is offered, for codec preferences (C-36).
	 * @type {((transceiver: RTCRtpTransceiver, endpoint: string) => void) | null}
	 */
	get onTransceiver() { return this._link.onTransceiver; }
	set onTransceiver(hook) { this._link.onTransceiver = hook; }

	/**
	 * Asks for a Link, or uses the one that there is.
	 * @returns {Promise<void>} resolves at the first open data channel
	 * @throws {PeerError}
	 */
	async connect({ timeout = 15_000 } = {}) { await this._link.connect(this.query, timeout); }

	/** Ends the Link for both parties. @returns {Promise<void>} resolves when the server knows */
	async close() { await this._link.close(); }

	/** Leaves with this page alone, until `connect` is called again. */
	disconnect() { this._link.disconnect(); }

	/** To every open endpoint. @returns {number} how many it was handed over for; 0: it waits for the first */
	emit(name, ...args) { return this._link.emit(name, args); }

	/** To one endpoint. @returns {boolean} whether it was handed over */
	emitTo(remote, name, ...args) {
		return this._link.connections.get(remote)?.emit(this._link.frame(name, args)) ?? false;
	}

	/**
	 * Bytes to every open endpoint, where the event `bytes` has them as a whole; do not change them meanwhile.
	 * @param {ArrayBuffer | ArrayBufferView} bytes at most 64 MiB
	 * @returns {Promise<number>} for how many endpoints they are in the channel
	 */
	send(bytes) { return this._link.sendBytes(bytes); }

	/** A data channel of the application's own to all endpoints, present and future. @returns {PeerChannel} */
	channel(label, options = {}) { return this._link.channel(label, options); }

	/**
	 * A stream to all endpoints, present and future.
	 * @param {MediaStream} stream
	 * @param {{name?: string, sendEncodings?: RTCRtpEncodingParameters[]}} [options] `name`: for the other side
	 */
	addStream(stream, options = undefined) { this._link.addStream(stream, options); }

	/** Takes a stream back from all of them. */
	removeStream(stream) {
		this._link.streams.get(stream)?.tracks.clear();
		this._link.streams.delete(stream);
		this._link.refresh();
	}

	/** Sends another track in place of one, without negotiation. */
	replaceTrack(old, fresh) { return this._link.replaceTrack(old, fresh); }
}

/** All Links of one server, by what it says of them (SPEC §7). */
class Links {
	static #mostForgotten = 64;
	static #mostPeers = 1_024;
	static #refreshBefore = 60_000;
	static #serversPatience = 5_000;

	#server;
	/** Peers by query; Links by the key that all their tokens begin with (SPEC LK-3). */
	#byQuery = new Map();
	/** Peers that the page has asked for: those stay. */
	#given = new WeakSet();
	#byKey = new Map();
	#requests = new Map();
	#closings = new Map();
	/** Tokens that are over: what is still under way for them is nobody's fault. */
	#forgotten = new Set();
	/** Messages of unknown tokens, while it may be that one of our requests has made them. */
	#held = [];
	#count = 0;
	#grace;
	#iceServers = [];
	#iceExpires = 0;
	#iceTimer;
	#iceWaiters = [];

	/** @param {Server} server */
	constructor(server) { this.#server = server; }

	get options() { return this.#server._options; }
	log(detail) { this.#server._log(detail); }
	send(name, packet) { return this.#server._line.send(name, packet); }
	#complain(message) { this.#server._report(problem("PROTOCOL", message)); }

	peer(query) {
		const key = canonical(query);
		need(key !== undefined, "a query is JSON");
		if (!this.#byQuery.has(key)) this.#byQuery.set(key, new Link(this, JSON.parse(key)).peers[0]);
		const peer = this.#byQuery.get(key);
		this.#given.add(peer);
		return peer;
	}

	/* -------- Requests */

	ask(link) {
		if (link.asking || link.token || link.waiters.size === 0) return undefined;
		if (!this.#server._line.isWanted) return link.refused("OFFLINE");
		const _id = `link-${this.#count += 1}`;
		if (!this.send("link", { _id, query: link.query })) return undefined;   // once live
		link.asking = _id;
		return this.#requests.set(_id, link);
	}

	/** A `link` event: the answer to a request, or to a closing. */
	answered({ _id, token, gen, error }) {
		const closing = this.#closings.get(_id);
		const link = this.#requests.get(_id);
		if (closing && error === "BUSY") {
			return pause(1_000).then(() => this.send("link", { _id, close: closing.token }));
		}
		this.#closings.delete(_id);
		this.#requests.delete(_id);
		if (closing) return closing.resolve();
		if (!link) return this.#complain("an answer to nothing");
		link.asking = undefined;
		if (error !== undefined) link.refused(String(error));
		else if (isText(token, 256) && Number.isInteger(gen)) this.#granted(this.#enter(link, token, gen));
		else link.refused("INVALID");
		for (const packet of this.#held.splice(0)) this.signalled(packet);
		return undefined;
	}

	/** Closed while the answer was due: then it is closed now. */
	#granted(link) {
		if (!link.isWanted && !link.left) this.close(link);
	}

	#keyOf(token) { return token.slice(0, token.length / 2); }

	#enter(link, token, gen) {
		const key = this.#keyOf(token);
		const known = this.#byKey.get(key);
		if (known && known !== link) known.absorb(link);
		this.#forgotten.delete(token);
		const entered = known ?? link;
		this.#byKey.set(key, entered);
		entered.enter(token, gen);
		return entered;
	}

	#end(link, reason) {
		this.#byKey.delete(this.#keyOf(link.token));
		this.#forgotten.add(link.token);
		if (this.#forgotten.size > Links.#mostForgotten) this.#forgotten.delete(this.#forgotten.values().next().value);
		link.leave(reason);
	}

	async close(link) {
		const { token } = link;
		if (!token) {
			link.isWanted = false;
			link.refused("CLOSED");
			return undefined;
		}
		this.#end(link, "CLOSED");
		const _id = `close-${this.#count += 1}`;
		const closing = Promise.withResolvers();
		this.#closings.set(_id, { ...closing, token });
		this.send("link", { _id, close: token });   // if not now, then once live
		return closing.promise;
	}

	/* -------- What the server tells */

	/** A `peer` event. */
	signalled(packet) {
		const { token, gen, init, from, ep, query, sdp, ICE, gone, bye, closed, reason, error } = packet;
		let link = typeof token === "string" ? this.#byKey.get(this.#keyOf(token)) : undefined;
		const isKnown = link?.token === token;
		if (error !== undefined) return this.#failed(packet, isKnown ? link : undefined);
		if (!isText(token, 256)) return this.#complain("a message without token");
		if (closed) return isKnown ? this.#end(link, String(reason)) : undefined;
		if (!isText(ep, 64) || !isText(from, 256)) return this.#complain("a message from nowhere");
		const connection = isKnown ? link.connections.get(ep) : undefined;
		if (gone) return connection?.gone(from);
		if (bye) return connection && link.drop(connection);
		if (ICE === null || isObject(ICE)) return connection?.candidate(ICE);
		const isDescription = /^(offer|answer)$/.test(sdp?.type) && isText(sdp.sdp, 204_800);
		if ((!init && !isDescription) || !Number.isInteger(gen)) return this.#complain("a message of no kind");
		if (ep === endpoint || this.#forgotten.has(token) || (link && gen < link.gen)) return undefined;
		if (!isKnown && this.#requests.size > 0) return this.#held.length < mostLinks && this.#held.push(packet);
		link ??= this.#meet(query ?? null);
		if (!link) return this.#complain("too many Links");
		const isNews = link.token !== token && link.waiters.size === 0;
		this.#enter(link, token, gen);
		if (isNews) this.#server._events.emit("peer", [link.peers[0]]);
		const met = link.welcome(ep, from);
		return isDescription ? met?.described(sdp) : undefined;
	}

	/** The Link that a roster is for: that of its label, unless that is another one. */
	#meet(query) {
		if (this.#byKey.size >= mostLinks) return undefined;
		const key = canonical(query);
		const peer = this.#byQuery.get(key);
		if (peer && !peer.token) return peer._link;
		const link = new Link(this, query);
		if (!peer) this.#byQuery.set(key, link.peers[0]);
		this.#forgetPeer();
		return link;
	}

	/** Of peers that only came in, and have gone, a number is remembered. */
	#forgetPeer() {
		if (this.#byQuery.size <= Links.#mostPeers) return;
		const [key] = [...this.#byQuery].find(([, peer]) => peer.state === "closed" && !this.#given.has(peer)) ?? [];
		this.#byQuery.delete(key);
	}

	/** An error never makes a peer (C-24). */
	#failed({ token, to, error }, link) {
		const connection = link?.all.find(({ sid }) => sid && sid === to);
		if (error === "OFFLINE" && link) return connection?.missed(true);
		if (error === "BUSY" && connection) {
			connection.missed(false);
			return pause(1_000).then(() => { if (connection.sid === to) connection.moved(to); });
		}
		if (error === "CLOSED" && link) return this.#end(link, error);
		if (this.#forgotten.has(token)) return undefined;
		const message = "the server refuses a message";
		const detail = { code: String(error), message, token, endpoint: connection?.endpoint };
		return link ? link.report(detail) : this.#server._report(detail);
	}

	/* -------- The connection to the server */

	/** After `ready` everything is said again; what is not said within a grace is over (C-21). */
	ready(packet) {
		const links = [...this.#byKey.values()];
		this.configure(packet);
		for (const item of links.flatMap(link => [link, ...link.all])) item.isListed = false;
		clearTimeout(this.#grace);
		this.#grace = setTimeout(() => {
			for (const link of links.filter(({ token }) => token)) {
				for (const connection of link.all) if (!connection.isListed) link.drop(connection);
				if (!link.isListed && link.waiters.size === 0) this.#end(link, "OFFLINE");
			}
		}, this.options.rosterGrace);
		for (const [_id, { token }] of this.#closings) this.send("link", { _id, close: token });
		for (const { _link } of this.#byQuery.values()) this.ask(_link);
	}

	down() {
		clearTimeout(this.#grace);
		clearTimeout(this.#iceTimer);
		for (const link of this.#requests.values()) link.asking = undefined;
		this.#requests.clear();
		this.#held = [];
		for (const link of this.#byKey.values()) for (const connection of link.all) connection.missed(false);
	}

	/** The page goes or sleeps (C-20): rosters will bring back what is still there. */
	leave() {
		for (const link of this.#byKey.values()) link.dropAll(true);
	}

	/* -------- ICE servers (C-31) */

	get configuration() {
		const { iceServers = this.#iceServers, iceTransportPolicy } = this.options;
		return { iceServers, iceTransportPolicy };
	}

	/** Of `ready` or `ice`. `iceExpires`: milliseconds since 1970; 0: never. */
	configure({ iceServers, iceExpires }) {
		this.#iceServers = Array.isArray(iceServers) ? iceServers : [];
		this.#iceExpires = iceExpires > 0 ? iceExpires : 0;
		clearTimeout(this.#iceTimer);
		if (this.#iceExpires > 0) {
			const left = this.#iceExpires - Date.now();
			// Whose clock is ahead would else ask all the time.
			const early = Math.min(Links.#refreshBefore, left / 2);
			const delay = left > 0 ? Math.max(1_000, left - early) : Links.#refreshBefore;
			this.#iceTimer = setTimeout(() => this.#askServers(), Math.min(delay, longestTimer));
		}
		for (const link of this.#byKey.values()) {
			try {
				for (const connection of link.all) connection.configure(this.configuration);
			} catch (cause) {
				link.report(problem("ICE", cause));
			}
		}
		for (const resolve of this.#iceWaiters.splice(0)) resolve();
	}

	#askServers() { this.send("ice", { _id: `ice-${this.#count += 1}` }); }

	/** Resolves when what there is has not expired; after some patience in any case. */
	async freshServers() {
		if (this.options.iceServers || this.#iceExpires === 0 || this.#iceExpires > Date.now()) return;
		this.#askServers();
		const { promise, resolve } = Promise.withResolvers();
		this.#iceWaiters.push(resolve);
		await Promise.race([promise, pause(Links.#serversPatience)]);
	}
}

/* ---------------------------------------------------------------- Servers */

/** The connection to one origin, with everything that goes over it (docs/browser.md). */
class Server extends Source {
	_options = { ...defaults };
	_line = new Line(this);
	_links = new Links(this);
	#actions = new Actions(this);
	#ready = {};
	#renewal;
	#isOwn;
	/** What SPEC §8 gives a name to; everything else is the application's. */
	#handlers = new Map([
		["ready", packet => this.#begin(packet)],
		["reply", packet => this.#actions.reply(packet)],
		["chunk", packet => this.#actions.chunk(packet)],
		["link", packet => this._links.answered(packet)],
		["peer", packet => this._links.signalled(packet)],
		["ice", packet => this._links.configure(packet)],
		["session", packet => this.#session(packet)],
		["logout", packet => this.#logout(packet)],
		["action", undefined],
	]);

	constructor(origin, options) {
		super(new Emitter(detail => (detail.name === "error" ? this._log(detail) : this._report(detail))));
		/** Where it is. */
		this.origin = origin;
		/** This page instance, as remote peers see it (C-17). */
		this.endpoint = endpoint;
		this.#isOwn = origin === location.origin;
		this._configure(options);
	}

	/** `offline`, `connecting`, `live` or `waiting`. */
	get state() { return this._line.state; }
	/** As of the last `ready`; null for nobody. */
	get user() { return this.#ready.user ?? null; }
	get client() { return this.#ready.client ?? null; }
	get isDomestic() { return this.#ready.domestic === true; }

	/** @returns {Promise<void>} resolves when the page is live, after however many attempts @throws {LiveError} */
	goLive() { return this._line.goLive(); }

	/** Leaves every peer, and stays off until `goLive` is called; who waits for that is told `ABORTED`. */
	goOffline() {
		this._links.leave();
		this._line.stop(new LiveError("ABORTED"));
	}

	/**
	 * Runs an action, over whatever is there.
	 * @param {string} method
	 * @param {string} path begins with a slash
	 * @param {{query?: object, body?: any, timeout?: number, signal?: AbortSignal}} [options]
	 * @returns {Promise<{status: number, content: any}>} a status of 400 or more is a result as well
	 * @throws {ActionError}
	 */
	action(method, path, options = undefined) { return this.#actions.run(method, path, options); }

	/** What there is at a path: methods, each with `true` or its schemas. */
	async options(path) { return (await this.action("OPTIONS", path)).content; }

	/** Goes to a page as a form would; the proof of domesticity travels in POST only (C-9). */
	navigate(method, path, { query, body = {} } = {}) {
		const isPost = method.toUpperCase() === "POST";
		const url = this.#actions.address(path, query);
		const fields = isPost ? { ...body, _domestic: this._domestic } : Object.fromEntries(url.searchParams);
		if (!isPost) url.search = "";
		const form = Object.assign(document.createElement("form"), { hidden: true, method, action: url.href });
		for (const [name, value] of Object.entries(fields)) {
			const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
			if (value !== undefined) form.append(field);
		}
		document.body.append(form);
		HTMLFormElement.prototype.submit.call(form);   // a field may be called so
		form.remove();
	}

	/** The peer of a query: the same object for a deeply equal one. @returns {Peer} */
	getPeer(query) { return this._links.peer(query); }

	/* -------- For the module's parts */

	_configure(options = {}) {
		for (const name of Object.keys(options)) if (!(name in defaults)) throw new TypeError(`no option "${name}"`);
		Object.assign(this._options, options);
		if (options.queueLimit) applicationEvents.limit = options.queueLimit;
		const isDue = this._options.autoLive && this._mayReturn && !this._line.isWanted;
		if (isDue) this.goLive().catch(cause => this._report(problem(cause.code, cause)));
	}

	/** Without a listener an error goes to the logger; it never throws. */
	_report(detail) {
		if (!this._events.emit("error", [detail])) this._log(detail);
	}

	_log(detail) { this._options.logger?.error(detail); }

	/** Read anew each time, as another tab may have renewed it; what is of another origin is not told (C-11). */
	get _domestic() { return this.#isOwn ? cookie("domestic") : undefined; }

	/** Whether it may connect by itself (C-14). */
	get _mayReturn() { return !this.#isOwn || cookie("loggedOut") === undefined; }

	/** What the application adds to the connect payload, a token of an identity provider for one. */
	async _auth() {
		const { auth } = this._options;
		try {
			return { ...(typeof auth === "function" ? await auth() : auth) };
		} catch (cause) {
			this._report({ code: "LISTENER", message: "the option auth failed", cause });
			return {};
		}
	}

	_transport(line) {
		const { transport: io, path } = this._options;
		const auth = async () => ({ v: 1, endpoint, domestic: this._domestic, ...await this._auth() });
		const Kind = typeof io === "function" ? ClientTransport : OwnTransport;
		return new Kind(line, { origin: this.origin, path, auth, io });
	}

	_down() {
		this.#actions.down();
		this._links.down();
	}

	_receive(name, args) {
		const isOwn = this.#handlers.has(name);
		const isWrong = name.length > 128 || (isOwn && !isObject(args[0]));
		if (isWrong) this._report(problem("PROTOCOL", "an event of the wrong form"));
		else if (isOwn) this.#handlers.get(name)?.(args[0]);
		else emit(name, ...args);
	}

	#begin(packet) {
		this.#ready = packet;
		this._links.ready(packet);
		// An injected client does not tell how patient the server is.
		const isInjected = typeof this._options.transport === "function";
		this._line.ready(isInjected && packet.ping > 0 ? 2 * packet.ping + Line.patience : undefined);
	}

	/* -------- Identity (C-12 to C-14) */

	#logout({ reason, reconnect, after }) {
		const delay = after > 0 ? Math.min(after, longestTimer) : undefined;
		if (reconnect === true) return this._line.sendAway(reason, delay);
		const { origin, user, client } = this;
		news.post({ origin, user, client, reason });
		return this._logout({ origin, user, client, reason });
	}

	/** Another tab has been told so. Who is live will be told as well, behind the answers that are still due. */
	async _heard(logout) {
		const { sid } = this.#ready;
		if (this._line.isLive) await pause(1_000);
		if (sid === this.#ready.sid) this._logout(logout);
	}

	/** As the server says, or another tab of the same device. */
	_logout({ origin, user, client, reason }) {
		if (origin !== this.origin || user !== this.user || client !== this.client || !this._line.isWanted) return;
		this._line.stop(new LiveError("LOGIN", "the login is over"));
		this._events.emit("logout", [{ reason }]);
	}

	async #session({ renew, error }) {
		if (error !== undefined) this._report(problem(String(error), "the token was refused"));
		if (renew !== true) return;
		const { token } = await this._auth();
		if (token) this._line.send("auth", { token });
		else this.#renewal ??= this._renew().finally(() => { this.#renewal = undefined; });
	}

	/** Brings the cookies of a session that is due, or was changed over the socket: one tab at a time. */
	async _renew(ticket) {
		const { sid } = this.#ready;
		const body = ticket && { ticket, sid };
		const work = async () => {
			for (let tries = 1; ; tries += 1) {
				try {
					return await this.action("POST", "/.well-known/submergence/session", { body, isHTTP: true });
				} catch (cause) {
					// With the answer the cookies are lost, too; asked again, they are the same (SPEC ID-9).
					if (tries === 3) throw cause;
					await pause(Math.random() * 1_000 * tries);
				}
			}
		};
		try {
			const { status, content } = await (navigator.locks?.request("submergence:session", work) ?? work());
			if (status !== 200) throw new ActionError(content?.error ?? "INVALID");
			const { user = null, client = null, isLoggedIn } = content;
			const isOther = user !== this.user || client !== this.client;
			if (isOther && isLoggedIn) this._line.redial();
			this._events.emit("session", [{ user, client, isLoggedIn }]);
		} catch (cause) {
			this._report({ code: cause.code, message: "the session was not renewed", cause });
		}
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
	if (!normalised.startsWith("http")) throw new TypeError(`"${origin}" is no origin of a server`);
	const known = servers.get(normalised);
	if (known) known._configure(options);
	else servers.set(normalised, new Server(normalised, options));
	return servers.get(normalised);
}

/* ---------------------------------------------------------------- Other tabs */

/** A BroadcastChannel that may close while the page sleeps: an open one keeps it out of the back/forward cache. */
class Broadcast {
	#name;
	#receive;
	#channel;

	constructor(name, receive) {
		this.#name = name;
		this.#receive = receive;
		this.open();
	}

	open() {
		this.#channel ??= new BroadcastChannel(this.#name);
		this.#channel.onmessage = ({ data }) => this.#receive(data);
	}

	close() {
		this.#channel?.close();
		this.#channel = undefined;
	}

	post(message) { this.#channel?.postMessage(message); }
}

const tabEvents = new Emitter(report, defaults.queueLimit);
const tabs = new Broadcast("submergence:tabs", ([name, ...args]) => { tabEvents.emit(name, args); });
const news = new Broadcast("submergence:news", logout => {
	for (const server of servers.values()) server._heard(logout);
});

/** Events to the other tabs of this origin, never to this one. What is sent must be cloneable. */
export const otherTabs = {
	emit(name, ...args) { tabs.post([name, ...args]); },
	/** @returns {() => void} ends it */
	on(name, listener) { return tabEvents.on(name, listener); },
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
			if (!/^(NotFound|NotReadable)Error$/.test(error.name) || tries === 5) throw error;
			await pause(150);
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

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", emitPageEvents);
else emitPageEvents();

/** C-20: a page that sleeps holds nothing open, so that the back/forward cache takes it. */
function sleep({ persisted = true }) {
	for (const server of servers.values()) {
		server._links.leave();
		server._line.sleep(!persisted);
	}
	for (const channel of [tabs, news]) channel.close();
}

function wake(isAwake) {
	if (isAwake) for (const channel of [tabs, news]) channel.open();
	for (const { _line } of servers.values()) _line.wake(isAwake);
}

addEventListener("online", () => wake(false));
addEventListener("pagehide", sleep);
addEventListener("pageshow", ({ persisted }) => wake(persisted));
document.addEventListener("freeze", sleep);
document.addEventListener("resume", () => wake(true));
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") wake(false); });
