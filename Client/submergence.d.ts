/** Types of submergence.js. Kept by hand; a test holds names and arities against the module. */

/** Receives events. */
type Listener = (...args: any[]) => void;

/** Ends what was begun. */
type End = () => void;

/** Listens to an application event, whatever it came with: sent by a server, part of a reply, or in the page. */
export function on(name: string, listener: Listener): End;
/** As `on`, for one event. */
export function once(name: string, listener: Listener): End;
/** Takes a listener back. */
export function off(name: string, listener: Listener): void;
/** Emits an application event in this page. */
export function emit(name: string, ...args: any[]): void;
/** Emits several, each `[name, ...args]`. */
export function sendEvents(events: Array<[string, ...any[]]>): void;

/** The server of an origin, default the page's own: one object for each; later options are merged. */
export function getServer(origin?: string, options?: Options): Server;

/** The platform's `getUserMedia`, tried again where a device is not there yet. Default: sound and vision. */
export function getUserMedia(constraints?: MediaStreamConstraints): Promise<MediaStream>;

/** Events to the other tabs of this origin, never to this one. */
export const otherTabs: {
    emit(name: string, ...args: any[]): void;
    on(name: string, listener: Listener): End;
    off(name: string, listener: Listener): void;
};

/** Why an action has no answer: `TIMEOUT`, `ABORTED`, `NETWORK` (the outcome is unknown) or `INVALID`. */
export class ActionError extends Error {
    readonly code: string;
}

/** Why a page is not live: `LOGIN`, `FOREIGN`, `DOMAIN`, `VERSION`, what a middleware said, `ENDED` or `ABORTED`. */
export class LiveError extends Error {
    readonly code: string;
}

/** Why a peer is not reached: `FORBIDDEN`, `OFFLINE`, `INVALID`, `TIMEOUT`, `BUSY`, `CLOSED` or `OVERFLOW`. */
export class PeerError extends Error {
    readonly code: string;
}

export interface Options {
    /** Milliseconds that an action may take; 10,000. */
    actionTimeout?: number;
    /** `"auto"` and `"websocket"`: the module's own; or the `io` function of an official client. */
    transport?: "auto" | "websocket" | ((origin: string, options: object) => any);
    /** Where Socket.IO lives; `/socket.io/`. */
    path?: string;
    /** What the connect payload has in addition, such as the `token` of an identity provider. */
    auth?: object | (() => object | Promise<object>);
    /** In place of the server's. */
    iceServers?: RTCIceServer[];
    iceTransportPolicy?: RTCIceTransportPolicy;
    /** Milliseconds after `ready` in which rosters are expected again; 15,000. */
    rosterGrace?: number;
    /** Events of one name that wait for a listener; 256. */
    queueLimit?: number;
    /** Go live at once, unless a logout says otherwise. */
    autoLive?: boolean;
    /** Gets errors that nobody listens to. */
    logger?: { error(detail: ErrorDetail): void };
}

export interface ErrorDetail {
    code: string;
    message: string;
    cause?: unknown;
    name?: string;
    token?: string;
    endpoint?: string;
}

export interface ActionOptions {
    query?: Record<string, string | number | boolean | null | undefined> | URLSearchParams;
    /** A value is JSON; a FormData, form, Blob, URLSearchParams, ArrayBuffer, view or stream is what it is. */
    body?: any;
    /** Milliseconds; Infinity for none. */
    timeout?: number;
    signal?: AbortSignal;
}

export interface Answer {
    status: number;
    /** A ReadableStream of bytes where the answer is streamed. */
    content: any;
}

export type LiveState = "offline" | "connecting" | "live" | "waiting";

interface ServerEvents {
    state: (state: LiveState) => void;
    session: (session: { user: string | null; client: string | null; isLoggedIn: boolean }) => void;
    logout: (logout: { reason: string }) => void;
    peer: (peer: Peer) => void;
    error: (detail: ErrorDetail) => void;
}

/** What has events of its own. */
interface Source<Events> {
    on<Name extends keyof Events>(name: Name, listener: Events[Name]): End;
    once<Name extends keyof Events>(name: Name, listener: Events[Name]): End;
    off<Name extends keyof Events>(name: Name, listener: Events[Name]): void;
}

export interface Server extends Source<ServerEvents> {
    readonly origin: string;
    readonly endpoint: string;
    readonly state: LiveState;
    readonly user: string | null;
    readonly client: string | null;
    readonly isDomestic: boolean;
    goLive(): Promise<void>;
    goOffline(): void;
    action(method: string, path: string, options?: ActionOptions): Promise<Answer>;
    options(path: string): Promise<any>;
    navigate(method: string, path: string, options?: { query?: object; body?: Record<string, string> }): void;
    getPeer(query: unknown): Peer;
}

export type PeerState = "idle" | "requesting" | "open" | "closed";

interface PeerEvents {
    connect: () => void;
    close: (close: { reason: string }) => void;
    endpoint: (event: { endpoint: string }) => void;
    endpointclose: (event: { endpoint: string }) => void;
    stream: (event: { endpoint: string; remote: RemoteStream }) => void;
    streamend: (event: { endpoint: string; remote: RemoteStream }) => void;
    bytes: (bytes: Uint8Array, endpoint: string) => void;
    state: (state: PeerState) => void;
    error: (detail: ErrorDetail) => void;
    /** Any other name is an application event. */
    [name: string]: Listener;
}

export interface PeerEndpoint {
    readonly state: RTCPeerConnectionState;
    readonly channel: RTCDataChannel;
    readonly streams: RemoteStream[];
}

export interface Peer extends Source<PeerEvents> {
    readonly state: PeerState;
    readonly connected: boolean;
    readonly query: any;
    readonly token: string | null;
    readonly endpoints: Map<string, PeerEndpoint>;
    /** While an application event is delivered: the endpoint that has sent it. */
    readonly sender: string | undefined;
    onTransceiver: ((transceiver: RTCRtpTransceiver, endpoint: string) => void) | null;
    connect(options?: { timeout?: number }): Promise<void>;
    close(): Promise<void>;
    disconnect(): void;
    emit(name: string, ...args: any[]): number;
    emitTo(endpoint: string, name: string, ...args: any[]): boolean;
    send(bytes: ArrayBuffer | ArrayBufferView): Promise<number>;
    channel(label: string, options?: RTCDataChannelInit): PeerChannel;
    addStream(stream: MediaStream, options?: { name?: string; sendEncodings?: RTCRtpEncodingParameters[] }): void;
    removeStream(stream: MediaStream): void;
    replaceTrack(old: MediaStreamTrack, fresh: MediaStreamTrack): Promise<void>;
}

interface PeerChannelEvents {
    open: (endpoint: string) => void;
    message: (data: string | ArrayBuffer, endpoint: string) => void;
    close: (endpoint: string) => void;
}

export interface PeerChannel extends Source<PeerChannelEvents> {
    readonly label: string;
    send(data: string | ArrayBuffer | ArrayBufferView): number;
}

interface RemoteStreamEvents {
    swap: (stream: MediaStream) => void;
}

export interface RemoteStream extends Source<RemoteStreamEvents> {
    readonly name: string;
    readonly endpoint: string;
    readonly stream: MediaStream;
    attach(element: HTMLMediaElement): Promise<boolean>;
    detach(element: HTMLMediaElement): void;
}
