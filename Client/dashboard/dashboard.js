// The dashboard: a client of the control API, and of its event stream.

import { LineChart, short } from "./charts.js";
import { People } from "./people.js";

const SPAN = 5 * 60000;
const EVERY = 2;
const COLOURS = 6;

let account;
let source;
let offset = 0;
const looks = new Map();
const find = selector => document.querySelector(selector);

/** An element with attributes and children. */
export function make(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
}

/** How long ago that was, by the cluster's clock. */
export function ago(time) {
    const seconds = Math.max(Math.round((Date.now() + offset - time) / 1000), 0);
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
    return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds % 86400 / 3600)} h`;
}

/** Asks the control API. Throws an error with `status` and `content` for what is refused. */
export async function ask(path, body) {
    const headers = { accept: "application/json" };
    if (body) headers["content-type"] = "application/json";
    if (account?.csrf) headers["x-submergence-csrf"] = account.csrf;
    const response = await fetch(path, {
        method: body ? "POST" : "GET", headers, body: body ? JSON.stringify(body) : undefined, cache: "no-store",
    });
    const content = response.status === 204 ? {} : await response.json().catch(() => ({}));
    if (response.status === 401) location.reload();
    if (!response.ok) throw Object.assign(new Error(content.error ?? response.statusText), { status: response.status, content });
    return content;
}

// ---- figures

const charts = {
    connections: new LineChart("Connections", "", SPAN, 5),
    events: new LineChart("Events / s", "", SPAN, 5),
    bus: new LineChart("Bus: publish to delivery", "ms", SPAN, 5),
    lag: new LineChart("Event loops: worst lag", "ms", SPAN, 5),
};

/** A colour for each node, kept while it is there. */
function look(id) {
    if (!looks.has(id)) {
        const taken = new Set(looks.values());
        const free = [...Array(COLOURS).keys()].find(number => !taken.has(number)) ?? looks.size % COLOURS;
        looks.set(id, free);
    }
    return `s${looks.get(id)}`;
}

const worst = values => values.reduce((most, value) => value === null || value === undefined ? most : Math.max(most ?? value, value), null);
const total = (nodes, pick) => nodes.reduce((sum, node) => sum + pick(node), 0);
const latency = node => worst(node.homes.map(home => home.latency));
const lag = node => worst(node.loops.map(loop => loop.lag));

function showTiles(figures) {
    const { nodes, silent } = figures;
    const ready = nodes.filter(node => !node.unready.length).length;
    const all = nodes.length + silent.length;
    const bus = worst(nodes.map(latency));
    const late = worst(nodes.map(lag));
    const each = key => short(total(nodes, node => node.traffic.perSecond[key]));
    const tiles = [
        ["nodes", "Nodes ready", `${ready} / ${all}`, silent.length ? `${silent.length} silent` : "all answer", ready < all ? "warn" : ""],
        ["connections", "Connections", short(total(nodes, node => node.traffic.connections)), `${each("connects")} new / s`, ""],
        ["users", "Users on nodes", short(total(nodes, node => node.traffic.users)), "each once a node", ""],
        ["events-in", "Events in / s", each("eventsIn"), `${short(total(nodes, node => node.traffic.eventsIn))} since start`, ""],
        ["events-out", "Events out / s", each("eventsOut"), `${short(total(nodes, node => node.traffic.eventsOut))} since start`, ""],
        ["actions", "Actions / s", each("actions"), `${short(total(nodes, node => node.traffic.actions))} since start`, ""],
        ["bus", "Bus latency", bus === null ? "–" : `${short(bus)} ms`, `loops lag ${short(late)} ms`, bus > 250 ? "bad" : bus > 50 ? "warn" : ""],
    ];
    find("#tiles").replaceChildren(...tiles.map(([key, title, value, more, kind]) =>
        make("div", { class: `tile ${kind}`, "data-tile": key }, make("h3", {}, title), make("b", {}, value), make("small", {}, more))));
}

function showCharts(figures) {
    const time = figures.time;
    for (const node of figures.nodes) {
        const name = node.name ?? node.id.slice(0, 8);
        charts.connections.add(node.id, name, look(node.id), time, node.traffic.connections);
        charts.events.add(`${node.id} in`, `${name} in`, `${look(node.id)} dashed`, time, node.traffic.perSecond.eventsIn);
        charts.events.add(`${node.id} out`, `${name} out`, look(node.id), time, node.traffic.perSecond.eventsOut);
        charts.bus.add(node.id, name, look(node.id), time, latency(node));
        charts.lag.add(node.id, name, look(node.id), time, lag(node));
    }
    for (const chart of Object.values(charts)) chart.update(time);
}

function meter(share) {
    const bar = make("i");
    bar.style.width = `${Math.round(Math.min(Math.max(share, 0), 1) * 100)}%`;
    return make("div", { class: "meter", "aria-hidden": "true" }, bar);
}

function strip(title, rows) {
    return make("section", { class: "strip" }, make("h4", {}, title), make("ul", {}, ...rows));
}

function nodeCard(node, most) {
    const name = node.name ?? node.id;
    const isReady = !node.unready.length;
    const state = node.state !== "up" ? node.state : isReady ? "ready" : "not ready";
    const facts = [
        ["connections", node.traffic.connections], ["users", node.traffic.users],
        ["events in/s", node.traffic.perSecond.eventsIn], ["events out/s", node.traffic.perSecond.eventsOut],
        ["KB in/s", node.traffic.perSecond.bytesIn / 1000], ["KB out/s", node.traffic.perSecond.bytesOut / 1000],
        ["rooms", node.rooms], ["takes/s", node.intake],
    ].filter(([, value]) => value !== undefined && value !== null);
    const figures = make("dl", { class: "figures" }, ...facts.map(([key, value]) =>
        make("div", { "data-figure": key }, make("dt", {}, key), make("dd", {}, short(value)))));
    const loops = node.loops.map(loop => make("li", {}, make("span", {}, `loop ${loop.number}`),
        meter(loop.connections === undefined ? loop.lag / 50 : loop.connections / most),
        make("span", {}, `${loop.connections === undefined ? "" : `${short(loop.connections)} · `}${short(loop.lag)} ms`)));
    const homes = node.homes.map(home => make("li", {}, make("span", {}, home.home), meter((home.latency ?? 0) / 100),
        make("span", {}, `${home.mode} · ${short(home.latency)} ms`)));
    const shards = node.shards.map(shard => make("li", {}, make("span", {}, shard.name), meter(shard.latency / 200),
        make("span", {}, `${short(shard.pending)} waiting · ${short(shard.latency)} ms`)));
    const card = make("article", { class: `node ${look(node.id)}`, "data-node": name },
        make("header", {}, make("b", {}, name),
            make("span", { class: isReady && node.state === "up" ? "badge" : "badge warn" }, state),
            make("span", { class: "soft" }, `${node.version} · up ${ago(node.started)}`)),
        figures);
    if (node.unready.join() !== node.state && node.unready.length) card.append(make("p", { class: "complaint" }, node.unready.join("; ")));
    if (node.gaps) card.append(make("p", { class: "complaint" }, `${node.gaps} gaps in what the bus has brought since its start`));
    card.append(strip(node.loops.some(loop => loop.connections !== undefined) ? "Event loops: connections, lag" : "Event loops: lag", loops), strip("Inboxes: how they are read, latency", homes), strip("Shards: route writes, slowest", shards));
    return card;
}

function silentCard(node) {
    return make("article", { class: "node", "data-node": node.name ?? node.id },
        make("header", {}, make("b", {}, node.name ?? node.id), make("span", { class: "badge bad" }, "silent"),
            make("span", { class: "soft" }, `${node.state} · started ${ago(node.started)} ago`)),
        make("p", { class: "soft" }, "It has not answered in time: dead, of another version, or too busy."));
}

function showNodes(figures) {
    const most = Math.max(...figures.nodes.flatMap(node => node.loops.map(loop => loop.connections ?? 0)), 1);
    find("#nodes").replaceChildren(...figures.nodes.map(node => nodeCard(node, most)), ...figures.silent.map(silentCard));
    const asked = figures.nodes.find(node => node.id === figures.asked);
    find("#asked").textContent = `as ${asked?.name ?? figures.asked} has heard them`
        + (figures.leftOut ? `; ${figures.leftOut} more are not shown` : "");
}

function clock(time) {
    const date = new Date(time);
    return make("time", { datetime: date.toISOString(), title: date.toLocaleString() }, date.toLocaleTimeString());
}

function showProblems(figures) {
    const nodes = figures.nodes.filter(node => node.problems);
    find("#problems-card").hidden = !nodes.length;
    const all = nodes.flatMap(node => node.problems.map(problem => ({ ...problem, node: node.name ?? node.id })));
    all.sort((left, right) => right.time - left.time);
    const items = all.slice(0, 60).map(problem => {
        const details = Object.entries(problem.details).map(([key, value]) => `${key}: ${value}`).join(" · ");
        const times = problem.count > 1 ? `, ${short(problem.count)} times` : "";
        return make("li", { class: `level-${problem.level}` }, clock(problem.time), make("b", {}, problem.message),
            make("span", { class: "about" }, `${problem.node} · ${problem.level}${times}${details ? ` · ${details}` : ""}`));
    });
    find("#problems").replaceChildren(...items.length ? items : [make("li", { class: "empty" }, "Nothing to complain about.")]);
}

// ---- audit

async function showAudit() {
    if (!account.scopes.includes("audit")) return;
    find("#audit-card").hidden = false;
    const query = new URLSearchParams({ limit: 50, ...(domain() ? { domain: domain() } : {}) });
    try {
        const { entries } = await ask(`/v1/audit?${query}`);
        const items = entries.map(entry => {
            const whom = entry.user ? ` ${entry.user}${entry.client ? ` on ${entry.client}` : ""}` : "";
            const times = entry.count > 1 ? ` × ${short(entry.count)}` : "";
            const key = entry.key || "no key";
            return make("li", {}, clock(entry.time), make("b", {}, `${entry.action}${whom}${times}`),
                make("span", { class: "about" }, [key + (entry.isByDashboard ? " (dashboard)" : ""), entry.domain, entry.address, entry.node].filter(Boolean).join(" · ")));
        });
        find("#audit").replaceChildren(...items.length ? items : [make("li", { class: "empty" }, "Nothing yet.")]);
    } catch (error) {
        find("#audit").replaceChildren(make("li", { class: "empty" }, `Not to be had: ${error.message}`));
    }
}

// ---- the stream

function domain() {
    return find("#domain-pick").hidden ? "" : find("#domain").value;
}

function say(state, text) {
    find("#status").dataset.state = state;
    find("#status-text").textContent = text;
}

function notice(text) {
    find("#notice").textContent = text;
    find("#notice").hidden = !text;
}

function show(figures) {
    offset = figures.time - Date.now();
    const gone = new Set(looks.keys());
    for (const node of figures.nodes) gone.delete(node.id);
    for (const id of gone) looks.delete(id);
    showTiles(figures);
    showCharts(figures);
    showNodes(figures);
    showProblems(figures);
    document.body.dataset.figures = String(figures.time);
}

function watch() {
    source?.close();
    for (const chart of Object.values(charts)) chart.clear();
    if (!account.scopes.includes("status")) {
        say("lost", "no figures");
        return notice("This key lacks the scope “status”, so there are no figures to see.");
    }
    const query = new URLSearchParams({ every: EVERY, ...(domain() ? { domain: domain() } : {}) });
    source = new EventSource(`/v1/stream?${query}`);
    source.addEventListener("cluster", event => {
        say("live", "live");
        notice("");
        show(JSON.parse(event.data));
    });
    source.addEventListener("unavailable", event => {
        say("connecting", "no figures");
        notice(`The node cannot say how the cluster is: ${JSON.parse(event.data).error}. It tries again.`);
    });
    source.addEventListener("error", () => {
        say("lost", "reconnecting");
        // Refused, and not only cut: whoever is not signed in any more is shown the door.
        if (source.readyState === EventSource.CLOSED) setTimeout(() => ask("/dashboard/session").then(watch, watch), 3000);
    });
}

async function start() {
    find("#charts").replaceChildren(...Object.values(charts).map(chart => chart.figure));
    account = await ask("/dashboard/session");
    find("#key").textContent = account.isSignedIn ? account.key : "development mode: no key is asked for";
    find("#sign-out").hidden = !account.isSignedIn;
    find("#sign-out").addEventListener("click", async () => {
        source?.close();
        await ask("/dashboard/sign-out", {});
        location.reload();
    });
    if (!account.domain && account.domains.length > 1) {
        find("#domain").replaceChildren(make("option", { value: "" }, "all"),
            ...account.domains.map(name => make("option", { value: name }, name)));
        find("#domain-pick").hidden = false;
        find("#domain").addEventListener("change", () => { watch(); showAudit(); });
    }
    if (account.scopes.includes("presence")) {
        find("#people").hidden = false;
        new People(account, showAudit);
    }
    find("#audit-again").addEventListener("click", showAudit);
    watch();
    await showAudit();
}

start().catch(error => {
    say("lost", "no answer");
    notice(`The node does not answer: ${error.message}. Reload the page to try again.`);
});
