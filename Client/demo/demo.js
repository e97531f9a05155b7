// The demo page, on the module that every node serves. What it shows of the cluster comes as ordinary events; what it sends goes by
// an action, which is answered with a receipt. Calls are in call.js.
//
//   events   demo:welcome  {node, nodes: [{name, url}], you: {user, client}, online: [user, ...]}
//            demo:online   user            demo:offline  user
//            demo:message  {from, text, at, node}
//   action   POST /demo/send  {to, text}  answered with {didReceive}
import { getServer, on } from "/submergence.js";
import { Call } from "./call.js";

/* ---------------------------------------------------------------- the page's parts */

const $ = id => document.getElementById(id);

/** Makes an element; children are elements or text, never markup. */
function make(tag, { className, ...properties } = {}, ...children) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    Object.assign(element, properties);
    element.append(...children);
    return element;
}

/** A person's colour: the same one in every tab. */
function hue(name) {
    let hash = 7;
    for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 3600;
    return hash / 10;
}

function face(name, isOnline) {
    const circle = make("span", { className: "face", ariaHidden: "true" }, [...name][0].toUpperCase());
    circle.style.setProperty("--hue", hue(name));
    if (isOnline !== undefined) circle.append(make("span", { className: isOnline ? "dot on" : "dot" }));
    return circle;
}

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
function time(at) {
    const date = new Date(at);
    return clock.format(Number.isNaN(date.getTime()) ? new Date() : date);
}

/** Only web addresses become links, whatever a node says of its neighbours. */
function demoAddress(base, identity) {
    let url;
    try {
        url = new URL("/demo/", base);
    } catch {
        return null;
    }
    if (url.protocol !== "http:" && url.protocol !== "https:") return null;
    if (identity) url.hash = new URLSearchParams(identity).toString();
    return url.href;
}

/* ---------------------------------------------------------------- state */

const feedLength = 40;
const conversationLength = 300;

let me = null;                       // {user, client}
let here = null;                     // this node's name
let nodes = [];                      // [{name, url}]
let online = new Set();
let selected = null;                 // the person written to
const conversations = new Map();     // person -> [{mine, text, at, from?, node?, receipt?}]
const unread = new Map();            // person -> count
const fresh = new Set();             // people to animate once

/* ---------------------------------------------------------------- the connection */

// A node in development mode believes who we say we are; elsewhere a session cookie or a token says it.
const server = getServer(undefined, { auth: () => me });
const call = new Call(server, () => { if (me) showCall(); });

server.on("state", state => {
    if (!me) return;
    setStatus(state === "live" ? "live" : "connecting", state === "live" ? "live" : "offline");
    $("notice").hidden = state === "live" || here === null;
    $("notice-text").textContent = "The connection is lost. Trying again …";
});
server.on("logout", ({ reason }) => {
    if (server.state === "offline") leave(`The node has ended this connection (${reason}).`);
});

/* ---------------------------------------------------------------- signing in and out */

function begin(identity) {
    me = identity;
    sessionStorage.setItem("identity", JSON.stringify(identity));
    document.body.classList.add("is-live");
    $("welcome").hidden = true;
    $("live").hidden = $("me").hidden = false;
    $("me-user").textContent = me.user;
    $("me-client").textContent = me.client;
    document.title = `${me.user} · submergence demo`;
    setStatus("connecting", "connecting");
    select(me.user);

    server.goLive().catch(error => {
        if (me === identity) leave(`The node has refused the connection (${error.code}).`);
    });
}

function leave(message = "") {
    call.forget();
    server.goOffline();
    sessionStorage.removeItem("identity");
    me = here = selected = null;
    nodes = [];
    online = new Set();
    conversations.clear();
    unread.clear();
    $("feed").replaceChildren();
    for (const step of $("steps").children) step.classList.remove("done");
    document.body.classList.remove("is-live");
    $("welcome").hidden = false;
    $("live").hidden = $("me").hidden = $("notice").hidden = true;
    $("signin-error").textContent = message;
    $("signin-error").hidden = message === "";
    document.title = "submergence demo";
    $("name").focus();
}

function setStatus(state, text) {
    $("status").dataset.state = state;
    $("status-text").textContent = text;
    $("composer").querySelector("button").disabled = state !== "live";
}

/* ---------------------------------------------------------------- what the node tells */

const handlers = {
    "demo:welcome"(welcome) {
        const isBack = here !== null;
        here = welcome.node;
        nodes = welcome.nodes.some(node => node.name === here)
            ? welcome.nodes
            : [{ name: here, url: location.origin }, ...welcome.nodes];
        me = { user: welcome.you.user, client: welcome.you.client };
        online = new Set(welcome.online).add(me.user);
        if ([...online].some(user => user !== me.user)) done("someone");
        note(isBack ? ["Connected again, on ", bold(here), "."] : ["Went live on ", bold(here), "."]);
        showNodes();
        showPeople();
        showTalk();
    },

    "demo:online"(user) {
        if (online.has(user)) return;
        online.add(user);
        if (user !== me.user) {
            fresh.add(user);
            done("someone");
            note([bold(user), " came on line."]);
        }
        showPeople();
        showTalkState();
    },

    "demo:offline"(user) {
        if (!online.delete(user)) return;
        done("gone");
        note([bold(user), " went off line."]);
        showPeople();
        showTalkState();
    },

    "demo:message"({ from, text, at, node }) {
        remember(from, { mine: false, from, text, at, node });
        note(["From ", bold(from), ...(node === here ? [", sent on this node."] : [", sent on ", bold(node), "."])]);
        flash(node);
        if (from === me.user && node !== here) done("self");
        if (from !== selected) {
            unread.set(from, (unread.get(from) ?? 0) + 1);
            if (selected === me.user && (conversations.get(selected) ?? []).length === 0) select(from);
        }
        showPeople();
        if (from === selected) showTalk();
    },
};

for (const [name, handler] of Object.entries(handlers)) {
    on(name, (...args) => { if (me) handler(...args); });
}

function remember(person, message) {
    const messages = conversations.get(person) ?? [];
    messages.push(message);
    if (messages.length > conversationLength) messages.shift();
    conversations.set(person, messages);
}

async function send(text) {
    const to = selected;
    const message = { mine: true, text, at: Date.now(), receipt: "sending" };
    remember(to, message);
    showPeople();
    showTalk();
    flash(here);
    let receipt = null;
    try {
        const { status, content } = await server.action("POST", "/demo/send", { body: { to, text } });
        if (status === 200) receipt = content;
    } catch {
        // The outcome is unknown, and is shown as such.
    }
    if (!me) return;                             // signed out meanwhile
    message.receipt = receipt === null ? "unknown" : receipt.didReceive ? "received" : "nobody";
    if (message.receipt === "received") done("send");
    note(["To ", bold(to), { received: ": received.", nobody: ": nobody is live.", unknown: ": no receipt came." }[message.receipt]]);
    if (to === selected) showTalk();
}

/* ---------------------------------------------------------------- showing it */

const bold = text => make("b", {}, text);

function note(parts) {
    const line = make("li", {}, make("time", {}, time(Date.now())), make("span", {}, ...parts));
    $("feed").prepend(line);
    while ($("feed").children.length > feedLength) $("feed").lastChild.remove();
}

function done(step) {
    document.querySelector(`[data-step="${step}"]`).classList.add("done");
}

function showNodes() {
    $("here").textContent = here;
    const others = nodes.filter(node => node.name !== here);
    $("cluster-hint").textContent = others.length > 0
        ? "The nodes share nothing but MongoDB. Open a tab on another one:"
        : "This is a cluster of one node. Open more tabs, as yourself or as somebody else.";
    $("sea").hidden = others.length === 0;
    $("nodes").replaceChildren(...nodes.map(node => {
        const isHere = node.name === here;
        const address = isHere ? null : demoAddress(node.url, me);
        const label = make("small", {}, isHere ? "this tab" : address ? "open as you ↗" : "");
        const box = address
            ? make("a", { href: address, target: "_blank", rel: "noopener" }, node.name, label)
            : make("span", { className: isHere ? "node current" : "node" }, node.name, label);
        box.dataset.node = node.name;
        return make("li", {}, box);
    }));
}

/** The links of the guide: yourself, and somebody who is not here yet, on another node where there is one. */
function showInvitations() {
    const elsewhere = nodes.find(node => node.name !== here)?.url ?? location.href;
    const stranger = ["bob", "alice", "carol", "dave"].find(name => !online.has(name)) ?? "erin";
    $("open-self").href = demoAddress(elsewhere, me) ?? "./";
    $("open-other").href = demoAddress(elsewhere, { user: stranger, client: "phone" }) ?? "./";
    $("open-other").textContent = `another tab as ${stranger}`;
}

function flash(nodeName) {
    for (const box of $("nodes").querySelectorAll("[data-node]")) {
        if (box.dataset.node !== nodeName) continue;
        box.classList.add("flash");
        setTimeout(() => box.classList.remove("flash"), 600);
    }
    const ripple = $("ripple");
    ripple.classList.remove("go");
    void ripple.offsetWidth;                     // restarts the animation
    ripple.classList.add("go");
}

function showPeople() {
    showInvitations();
    const known = new Set([me.user, ...online, ...conversations.keys(), selected]);
    const names = [...known].sort((a, b) =>
        (b === me.user) - (a === me.user) || online.has(b) - online.has(a) || a.localeCompare(b));
    $("count").textContent = online.size;
    $("count").ariaLabel = `${online.size} on line`;
    const focused = document.activeElement?.dataset?.person;
    $("people").replaceChildren(...names.map(name => {
        const isOnline = online.has(name);
        const button = make("button", { type: "button", className: "person", onclick: () => select(name) },
            face(name, isOnline),
            make("span", { className: "name" }, name, make("small", {}, name === me.user ? "you" : isOnline ? "on line" : "away")));
        button.dataset.person = name;
        button.setAttribute("aria-pressed", String(name === selected));
        button.classList.toggle("away", !isOnline);
        button.classList.toggle("fresh", fresh.delete(name));
        if (unread.get(name)) {
            const count = make("span", { className: "unread" }, String(unread.get(name)));
            count.setAttribute("aria-label", `${unread.get(name)} new`);
            button.append(count);
        }
        return make("li", {}, button);
    }));
    if (focused) $("people").querySelector(`[data-person="${CSS.escape(focused)}"]`)?.focus();
}

function select(person) {
    selected = person;
    unread.delete(person);
    showPeople();
    showTalk();
}

function showTalkState() {
    const isMe = selected === me.user;
    $("start-call").hidden = isMe;
    $("start-call").disabled = !online.has(selected) || call.person !== null;
    $("talk-title").textContent = isMe ? `To yourself, ${me.user}` : `To ${selected}`;
    $("talk-state").textContent = isMe
        ? "It arrives in all of your tabs, on all nodes."
        : online.has(selected)
            ? `On line. It arrives in all of ${selected}'s tabs.`
            : `Not on line. The receipt will say so.`;
    $("text").placeholder = isMe ? "Say something to all of your tabs" : `Say something to ${selected}`;
}

function showTalk() {
    showTalkState();
    const messages = conversations.get(selected) ?? [];
    const box = $("messages");
    const wasAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
    if (box.dataset.person !== selected || box.children.length > messages.length || box.querySelector(".empty")) {
        box.replaceChildren();
        box.dataset.person = selected;
    }
    // Old bubbles stay as they are, so that a screen reader is told of new ones only.
    messages.forEach((message, index) => {
        if (index >= box.children.length) {
            box.append(make("div", { className: message.mine ? "bubble mine" : "bubble" },
                make("p", {}, message.text), make("small", {})));
        }
        box.children[index].lastChild.replaceChildren(...caption(message));
    });
    if (messages.length === 0) {
        box.append(make("p", { className: "empty" }, selected === me.user
            ? "Nothing yet. Pick a person, or send yourself an event and watch it arrive in every tab you have open."
            : `Nothing between you and ${selected} yet.`));
    }
    if (wasAtEnd || messages.at(-1)?.mine) box.scrollTop = box.scrollHeight;
}

function caption(message) {
    const at = time(message.at);
    if (!message.mine) {
        const way = message.node === here ? `on this node` : `${message.node} → ${here}`;
        return [`${message.from} · ${way} · ${at}`];
    }
    switch (message.receipt) {
    case "received": return [make("span", { className: "good" }, "✓ received"), ` · ${at}`];
    case "nobody": return [make("span", { className: "bad" }, "nobody was there"), ` · ${at}`];
    case "unknown": return [make("span", { className: "bad" }, "no receipt"), ` · ${at}`];
    default: return [`sending … · ${at}`];
    }
}

/* ---------------------------------------------------------------- the call */

const callTexts = {
    calling: person => [`Calling ${person} …`, "It rings in all of their tabs."],
    ringing: person => [`${person} is calling`, "Answer here: your other tabs join without a camera."],
    open: person => [`In a call with ${person}`, ""],
};

function showCall() {
    const { person, state } = call;
    if (person !== null && selected !== person && state !== "open") select(person);
    $("call").hidden = person === null && call.notice === "";
    const isNew = state === "ringing" && $("call").dataset.state !== state;
    $("call").dataset.state = state ?? "over";
    if (isNew) $("call").scrollIntoView({ block: "nearest" });
    if (state === "open") done("call");
    const [title, hint] = person === null ? [call.notice, ""] : callTexts[state](person);
    $("call-title").textContent = title;
    const tabs = call.reach === 1 ? "one tab of theirs" : `${call.reach} tabs of theirs`;
    $("call-hint").textContent = person === null ? "" : call.notice || hint || `Connected to ${tabs}, browser to browser.`;
    for (const button of $("call-controls").children) {
        button.hidden = !(button.dataset.when ?? "").split(" ").includes(state ?? "over");
    }
    $("camera").textContent = call.camera ? "Camera off" : "Camera on";
    $("camera").setAttribute("aria-pressed", String(call.camera !== null));
    $("mute").hidden ||= call.camera === null;
    $("mute").textContent = call.isMuted ? "Unmute" : "Mute";
    $("mute").setAttribute("aria-pressed", String(call.isMuted));
    showTiles();
    showTalkState();
}

/** A tile for each picture; those that stay are left alone, so that they do not flicker. */
function showTiles() {
    const wanted = new Map(call.remotes.map(({ remote }) => [remote, call.person]));
    if (call.camera) wanted.set(call.camera, "you");
    for (const tile of [...$("tiles").children]) {
        if (!wanted.delete(tile.source)) tile.remove();
    }
    for (const [source, name] of wanted) {
        const video = make("video", { autoplay: true, playsInline: true, muted: source === call.camera });
        video.setAttribute("aria-label", name === "you" ? "Your camera" : `${name}'s camera`);
        const tile = make("figure", { className: source === call.camera ? "tile own" : "tile" }, video, make("figcaption", {}, name));
        tile.source = source;
        $("tiles").append(tile);
        if (source === call.camera) video.srcObject = source;
        else source.attach(video);
    }
    $("tiles").hidden = $("tiles").children.length === 0;
}

/* ---------------------------------------------------------------- what the person does */

$("quick").addEventListener("click", event => {
    const name = event.target.dataset?.name;
    if (!name) return;
    $("name").value = name;
    if ($("device").value === "") $("device").value = "laptop";
    $("signin").requestSubmit();
});

$("signin").addEventListener("submit", event => {
    event.preventDefault();
    const user = $("name").value.trim();
    const client = $("device").value.trim();
    if (user && client) begin({ user, client });
});

$("address").addEventListener("submit", event => {
    event.preventDefault();
    const name = $("other").value.trim();
    if (!name) return;
    $("other").value = "";
    select(name);
    $("text").focus();
});

$("composer").addEventListener("submit", event => {
    event.preventDefault();
    const text = $("text").value.trim();
    if (!text || $("status").dataset.state !== "live") return;
    $("text").value = "";
    send(text);
});

$("start-call").addEventListener("click", () => call.start(selected));
$("answer").addEventListener("click", () => call.answer());
$("decline").addEventListener("click", () => call.decline());
$("hang-up").addEventListener("click", () => call.hangUp());
$("camera").addEventListener("click", () => call.turnCamera(call.camera === null));
$("mute").addEventListener("click", () => call.mute(!call.isMuted));
$("close-call").addEventListener("click", () => { call.notice = ""; showCall(); });

$("leave").addEventListener("click", () => leave());
$("retry").addEventListener("click", () => server.goLive().catch(() => {}));

/* ---------------------------------------------------------------- the start */

/** Another tab's link names the identity in the fragment; a reload finds it in the tab's own storage. */
function identityToBegin() {
    const named = new URLSearchParams(location.hash.slice(1));
    if (named.get("user") && named.get("client")) {
        history.replaceState(null, "", location.pathname);
        return { user: named.get("user"), client: named.get("client") };
    }
    try {
        const stored = JSON.parse(sessionStorage.getItem("identity"));
        return typeof stored?.user === "string" && typeof stored?.client === "string" ? stored : null;
    } catch {
        return null;
    }
}

$("device").value = /Mobi|Android|iPhone|iPad/.test(navigator.userAgent) ? "phone" : "laptop";
const identity = identityToBegin();
if (identity) begin(identity);
