// A video call with one person, over a Link: all tabs of both are connected to each other, browser to browser, and whoever has
// a camera on is seen in all tabs of the other.
//
// The node decides who may call whom (the application's `peerRequest` hook) and brings the tabs together; after that it is out of
// the way. A tab that is reloaded, or opened, gets the Link by itself, as `server.on("peer")`; a node that goes takes no picture away.
// Between tabs goes one event, `call {state}`: "open" (answered) or "declined". To the tabs of who calls, the other one is
// `{user, calls: true}`, as they have asked; to the others it is `{user}`, as the node says.
import { getUserMedia } from "/submergence.js";

const storeKey = "call";
const refusals = {
    OFFLINE: "is not on line", FORBIDDEN: "cannot be called", TIMEOUT: "does not answer", BUSY: "is busy",
};

export class Call {
    #server;
    #changed;
    #peer = null;
    #camera = null;              // our MediaStream, while it is on
    #remotes = new Map();        // endpoint and stream -> {endpoint, remote}

    /** The other one; null while there is no call. */
    person = null;
    /** "calling", "ringing" or "open". */
    state = null;
    /** Why the last one ended, or what is wrong with this one. */
    notice = "";

    /**
     * @param server  the module's
     * @param changed called after every change
     */
    constructor(server, changed) {
        this.#server = server;
        this.#changed = changed;
        server.on("peer", peer => this.#come(peer));
    }

    get camera() { return this.#camera; }
    get isMuted() { return !this.#camera?.getAudioTracks().some(track => track.enabled); }
    get remotes() { return [...this.#remotes.values()]; }
    /** How many tabs of the other one are connected to this one. */
    get reach() {
        return [...(this.#peer?.endpoints.values() ?? [])].filter(one => one.channel?.readyState === "open").length;
    }

    async start(person) {
        if (this.person !== null) return;
        const peer = this.#server.getPeer({ user: person, calls: true });
        this.#adopt(peer, person, "calling");
        await this.turnCamera(true);
        try {
            await peer.connect({ timeout: 30_000 });
        } catch (error) {
            if (this.#peer === peer) this.#leave(`${person} ${refusals[error.code] ?? "cannot be reached"}.`);
        }
    }

    async answer() {
        if (this.state !== "ringing") return;
        this.#open();
        this.#tell("open");
        await this.turnCamera(true);
    }

    decline() {
        this.#tell("declined");
        this.hangUp();
    }

    /** Ends it in all tabs of both. */
    hangUp() {
        const peer = this.#peer;
        this.#leave("");
        peer?.close();
    }

    /** This tab's part in it; the others go on. */
    async turnCamera(isOn) {
        const peer = this.#peer;
        if (!peer || isOn === (this.#camera !== null)) return;
        if (isOn) {
            try {
                const stream = await getUserMedia({ video: { width: 640, height: 480 }, audio: true });
                if (this.#peer !== peer || this.#camera) return stopTracks(stream);
                this.#camera = stream;
                peer.addStream(stream);
                this.notice = "";
            } catch (error) {
                this.notice = `This tab has no camera (${error.name}): you see, and are not seen.`;
            }
        } else {
            peer.removeStream(this.#camera);
            stopTracks(this.#camera);
            this.#camera = null;
        }
        this.#save();
        this.#changed();
    }

    mute(isMuted) {
        for (const track of this.#camera?.getAudioTracks() ?? []) track.enabled = !isMuted;
        this.#changed();
    }

    /** Signed out: this tab goes, the call goes on elsewhere. */
    forget() {
        this.#peer?.disconnect();
        this.#leave("");
    }

    /* ------------------------------------------------------------ what comes from elsewhere */

    /** A Link that this tab did not ask for: somebody calls, or it is back after a reload, or a second tab of ours. */
    #come(peer) {
        const person = peer.query?.user;
        if (typeof person !== "string" || peer === this.#peer) return;
        if (this.person !== null && this.person !== person) return peer.disconnect();
        const saved = load();
        const isBack = saved?.person === person;
        this.#adopt(peer, person, isBack ? saved.state : peer.query.calls ? "calling" : "ringing");
        if (isBack && saved.camera) this.turnCamera(true);
    }

    #adopt(peer, person, state) {
        if (this.#peer !== peer) this.#listen(peer);
        this.#peer = peer;
        this.person = person;
        this.state = state;
        this.notice = "";
        this.#save();
        this.#changed();
    }

    #listen(peer) {
        const ours = handler => (...args) => { if (this.#peer === peer) handler(...args); };
        const handlers = {
            call: ours(message => this.#hear(message?.state)),
            // A tab that comes later is told where things stand.
            endpoint: ours(({ endpoint }) => {
                if (this.state === "open") peer.emitTo(endpoint, "call", { state: "open" });
                this.#changed();
            }),
            endpointclose: ours(() => this.#changed()),
            stream: ours(({ endpoint, remote }) => {
                this.#remotes.set(remote, { endpoint, remote });
                this.#changed();
            }),
            streamend: ours(({ remote }) => {
                this.#remotes.delete(remote);
                this.#changed();
            }),
            close: ours(() => this.#leave(`The call with ${this.person} is over.`)),
            error: ours(error => {
                this.notice = error.code === "AUTOPLAY" ? "Your browser wants a click before it plays sound." : "";
                this.#changed();
            }),
        };
        const stops = Object.entries(handlers).map(([name, handler]) => peer.on(name, handler));
        this.#stopListening = () => { for (const stop of stops) stop(); };
    }

    #stopListening = () => {};

    #hear(state) {
        if (state === "declined") return this.#leave(`${this.person} has declined.`);
        if (state !== "open" || this.state === "open") return;
        this.#open();
        // Tabs of theirs that still ring.
        this.#tell("open");
    }

    #open() {
        this.state = "open";
        this.#save();
        this.#changed();
    }

    #tell(state) {
        if (this.#peer?.connected) this.#peer.emit("call", { state });
    }

    #leave(notice) {
        this.#stopListening();
        this.#stopListening = () => {};
        if (this.#camera) {
            this.#peer?.removeStream(this.#camera);
            stopTracks(this.#camera);
        }
        this.#peer = this.#camera = this.person = this.state = null;
        this.#remotes.clear();
        this.notice = notice;
        sessionStorage.removeItem(storeKey);
        this.#changed();
    }

    /** For this tab after a reload. */
    #save() {
        const saved = { person: this.person, state: this.state, camera: this.#camera !== null };
        if (this.state !== "ringing") sessionStorage.setItem(storeKey, JSON.stringify(saved));
    }
}

function load() {
    try {
        return JSON.parse(sessionStorage.getItem(storeKey));
    } catch {
        return null;
    }
}

function stopTracks(stream) {
    for (const track of stream.getTracks()) track.stop();
}
