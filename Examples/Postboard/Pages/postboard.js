"use strict";

// Requests go by HTTP, with the proof that they come from this page; what others do arrives by the socket, in every tab.

const find = id => document.getElementById(id);
const board = {me: null, posts: new Map(), friends: new Map(), devices: [], node: ""};
const socket = io({autoConnect: false, auth: give => give({domestic: proof()})});
let waiting = null; // events that came while the board was being fetched

const words = {
    PASSWORD: "That is not the password.", LOCKED: "Too many wrong passwords. Try again in a quarter of an hour.",
    TAKEN: "That name is taken.", NAME: "Names have small letters, digits and hyphens, at most 32.",
    SHORT: "A password has at least 8 characters.", NOBODY: "There is nobody of that name.",
    TEXT: "A post has 1 to 2,000 bytes.", BUSY: "Much is going on here. Try again in a moment.",
};

function proof() {
    return document.cookie.match(/(?:^|; )(?:__Host-)?domestic=([^;]*)/)?.[1] ?? "";
}

async function ask(method, path, body) {
    const headers = {accept: "application/json", "x-domestic": proof()};
    if (body) headers["content-type"] = "application/json";
    const answer = await fetch(path, {method, headers, body: body && JSON.stringify(body)});
    const content = (await answer.json()).content;
    if (!answer.ok) throw Object.assign(new Error(content.error), {status: answer.status});
    return content;
}

function complain(error) {
    const text = error && (words[error.message] ?? `That did not work (${error.message}).`);
    find("problem").hidden = !text;
    find("problem").textContent = text ?? "";
}

// Runs what a person asked for; what goes wrong is said on the page.
async function attempt(work) {
    complain(null);
    try {
        await work();
        return true;
    } catch (error) {
        complain(error);
        if (error.status === 403 && error.message === "LOGIN") await look();
        return false;
    }
}

// ---- what is seen

function item(list, ...children) {
    const element = document.createElement("li");
    element.append(...children);
    list.append(element);
    return element;
}

function element(name, text, properties = {}) {
    return Object.assign(document.createElement(name), {textContent: text}, properties);
}

function button(text, work) {
    return element("button", text, {type: "button", className: "small", onclick: () => attempt(work)});
}

function show() {
    const me = board.me;
    find("door").hidden = me !== null;
    for (const id of ["board", "state", "who"]) find(id).hidden = me === null;
    if (!me) return;
    find("who").replaceChildren(me.name, " ", element("small", me.device));
    const posts = find("posts");
    posts.replaceChildren();
    for (const post of [...board.posts.values()].sort((a, b) => b.at - a.at)) {
        const head = document.createElement("header");
        head.append(element("b", post.author), element("time", new Date(post.at).toLocaleString()));
        if (post.author === me.name) head.append(button("Withdraw", () => ask("DELETE", `/posts/${post.id}`)));
        const line = item(posts, head, element("p", post.text));
        line.dataset.id = post.id;
        line.classList.toggle("mine", post.author === me.name);
    }
    find("nothing").hidden = board.posts.size > 0;
    const friends = find("friends");
    friends.replaceChildren();
    for (const friend of [...board.friends.values()].sort((a, b) => a.name.localeCompare(b.name))) {
        const path = `/friends/${encodeURIComponent(friend.name)}`;
        const state = {asked: "asked", asks: "asks you", friend: friend.isOnline ? "here" : "away"}[friend.bond];
        const dot = element("i", "", {className: friend.isOnline ? "on" : ""});
        const line = item(friends, dot, element("b", friend.name), element("small", state));
        line.dataset.name = friend.name;
        if (friend.bond === "asks") line.append(button("Accept", () => ask("PUT", path)));
        line.append(button(friend.bond === "asks" ? "Decline" : "Remove", () => ask("DELETE", path)));
    }
    const devices = find("devices");
    devices.replaceChildren();
    for (const device of board.devices) {
        const isHere = device === me.device;
        const line = item(devices, element("b", device), element("small", isHere ? "this one" : ""));
        line.dataset.name = device;
        line.append(button(isHere ? "Log out" : "Kick", async () => {
            await ask("DELETE", `/devices/${encodeURIComponent(device)}`);
            if (isHere) await look();
        }));
    }
}

function showState(state) {
    find("state").dataset.state = state;
    find("state-text").textContent = state === "live" ? `live on ${board.node}` : "connecting …";
}

// ---- coming and going

// Who we are by now; fetches the board or shows the door.
async function look() {
    const me = await ask("GET", "/me");
    board.me ??= {name: me.name, device: me.device};
    if (me.standing !== "active") {
        socket.disconnect();
        Object.assign(board, {me: null, posts: new Map(), friends: new Map(), devices: []});
    } else if (socket.connected) {
        await refresh();
    } else {
        socket.connect();
    }
    show();
}

// The whole board: what was missed while the socket was away is in it. Events that overtake the answer come after it.
async function refresh() {
    waiting = [];
    try {
        const content = await ask("GET", "/board");
        board.me = {name: content.name, device: content.device};
        board.devices = content.devices;
        board.posts = new Map(content.posts.map(post => [post.id, post]));
        board.friends = new Map(content.friends.map(friend => [friend.name, friend]));
        board.node = content.node;
    } finally {
        const events = waiting;
        waiting = null;
        for (const event of events) take(...event);
    }
    showState("live");
    show();
}

const takes = {
    post: post => board.posts.set(post.id, post),
    withdrawn: id => board.posts.delete(id),
    devices: devices => { board.devices = devices; },
    friend: friend => {
        const was = board.friends.get(friend.name)?.bond;
        if (friend.bond) board.friends.set(friend.name, friend);
        else board.friends.delete(friend.name);
        if (was !== friend.bond && (was === "friend" || friend.bond === "friend")) attempt(refresh);
    },
    presence: (name, isOnline) => {
        const friend = board.friends.get(name);
        if (friend) friend.isOnline = isOnline;
    },
};

function take(name, ...values) {
    if (waiting) return waiting.push([name, ...values]);
    takes[name]?.(...values);
    show();
}

socket.onAny(take);
socket.on("connect", () => attempt(refresh));
socket.on("connect_error", () => {
    showState("away");
    if (!socket.active) attempt(look);
});
socket.on("disconnect", reason => {
    showState("away");
    // The server has ended it: this device was kicked, or everybody logged out. Otherwise the client comes back by itself.
    if (reason === "io server disconnect") attempt(look);
});

find("login").addEventListener("submit", event => {
    event.preventDefault();
    const path = event.submitter?.value === "register" ? "/register" : "/login";
    attempt(async () => {
        const device = find("device").value.trim();
        await ask("POST", path, {name: find("name").value, password: find("password").value, device});
        localStorage.setItem("device", device);
        find("password").value = "";
        await look();
    });
});
find("write").addEventListener("submit", event => {
    event.preventDefault();
    attempt(async () => {
        await ask("PUT", `/posts/${crypto.randomUUID()}`, {text: find("text").value});
        find("text").value = "";
    });
});
find("ask").addEventListener("submit", event => {
    event.preventDefault();
    attempt(async () => {
        await ask("PUT", `/friends/${encodeURIComponent(find("friend").value)}`);
        find("friend").value = "";
    });
});
find("leave").addEventListener("click", () => attempt(async () => {
    await ask("POST", "/logout");
    await look();
}));

const system = navigator.userAgentData?.platform || navigator.platform || "device";
find("device").value = localStorage.getItem("device") ?? `${system}-${crypto.randomUUID().slice(0, 4)}`;
attempt(look);
