// Looking people up, sending to them, disconnecting them.

import { ask, ago, make } from "./dashboard.js";

const ARMED = 4000;
const LOOKS = 6;
const PAUSE = 400;

/** A button that wants to be pressed twice: the first time it says what it is about to do. */
function careful(text, question, act) {
    const button = make("button", { type: "button", class: "danger" }, text);
    let timer;
    const disarm = () => {
        clearTimeout(timer);
        button.textContent = text;
        button.classList.remove("armed");
    };
    button.addEventListener("click", async () => {
        if (!button.classList.contains("armed")) {
            button.classList.add("armed");
            button.textContent = question;
            timer = setTimeout(disarm, ARMED);
            return;
        }
        disarm();
        button.disabled = true;
        await act();
        button.disabled = false;
    });
    button.addEventListener("blur", disarm);
    return button;
}

function words(error) {
    const what = error.content?.error ?? "no answer";
    const detail = error.content?.message ?? error.content?.scope ?? "";
    return `${what}${detail ? `: ${detail}` : ""}`;
}

export class People {
    /** @param {{scopes: string[], domains: string[], domain: ?string}} account */
    constructor(account, changed) {
        this.scopes = new Set(account.scopes);
        this.changed = changed;
        this.place = document.querySelector("#person");
        this.pick = document.querySelector("#person-domain");
        const isChosen = account.domains.length > 1;
        this.pick.replaceChildren(...account.domains.map(name => make("option", { value: name }, name)));
        document.querySelector(".pick-domain").hidden = !isChosen;
        document.querySelector("#look-up").addEventListener("submit", event => {
            event.preventDefault();
            this.lookUp(document.querySelector("#user").value, this.pick.value);
        });
    }

    async lookUp(user, domain) {
        this.user = user;
        this.domain = domain;
        const query = new URLSearchParams({ user, ...(domain ? { domain } : {}) });
        const button = document.querySelector("#look-up button");
        button.disabled = true;
        try {
            const [presence, links] = await Promise.all([
                ask(`/v1/active?${query}`),
                this.scopes.has("links") ? ask(`/v1/links?${query}`) : null,
            ]);
            this.show(presence.users[0], links?.links);
        } catch (error) {
            this.place.replaceChildren(make("p", { class: "result bad" }, words(error)));
        }
        button.disabled = false;
    }

    about(client) {
        return { user: this.user, ...(this.domain ? { domain: this.domain } : {}), ...(client ? { client } : {}) };
    }

    show(person, links) {
        this.person = person;
        const mayKick = this.scopes.has("kick");
        const tabs = person.devices.reduce((sum, device) => sum + device.connections, 0);
        const state = person.active
            ? `on line: ${person.devices.length} ${person.devices.length === 1 ? "device" : "devices"}, ${tabs} ${tabs === 1 ? "tab" : "tabs"}`
            : "not on line";
        this.result = make("p", { class: "result", role: "status" });
        const head = make("div", { class: "presence" },
            make("b", {}, person.user),
            make("span", { class: person.active ? "badge" : "badge warn", id: "presence" }, state));
        if (mayKick && person.active) {
            head.append(make("div", { class: "acts" },
                careful("Kick everywhere", "Really kick all devices?", () => this.act("kick", this.about(), "Kicked everywhere.")),
                careful("Log out", "Really end all sessions?", () => this.act("logout", this.about(), "Logged out everywhere."))));
        }
        const devices = person.devices.map(device => this.device(device, mayKick));
        const parts = [head, ...devices, this.result];
        if (links) parts.push(this.links(links));
        if (this.scopes.has("send")) parts.push(this.sending(person));
        this.place.replaceChildren(...parts);
    }

    device(device, mayKick) {
        const head = make("header", {}, make("b", {}, device.client),
            make("span", { class: "soft" }, device.nodes.join(", ")));
        if (mayKick) {
            head.append(careful("Kick", "Really?", () =>
                this.act("kick", this.about(device.client), `Kicked ${device.client}.`)));
        }
        const tabs = (device.tabs ?? []).map(tab => make("li", { "data-sid": tab.sid },
            make("span", {}, tab.node), make("code", { title: `SID ${tab.sid}, endpoint ${tab.endpoint}` }, tab.sid),
            make("time", { datetime: new Date(tab.since).toISOString() }, `since ${ago(tab.since)}`)));
        return make("article", { class: "device", "data-client": device.client }, head, make("ul", { class: "tabs" }, ...tabs));
    }

    links(links) {
        const items = links.map(link => make("li", {},
            make("span", {}, link.own.client ?? "all devices"),
            make("span", {}, `↔ ${link.other.user}${link.other.client ? ` on ${link.other.client}` : ""}`),
            make("span", { class: "soft" }, `${link.state}, ${ago(link.changed)}`)));
        return make("div", { id: "links" }, make("h3", {}, "Links"),
            items.length ? make("ul", { class: "tabs" }, ...items) : make("p", { class: "soft" }, "None."));
    }

    sending(person) {
        const name = make("input", { id: "event-name", required: "", maxlength: "128", spellcheck: "false", value: "message" });
        const text = make("textarea", { id: "event-arguments", spellcheck: "false", rows: "3" });
        text.value = '{"text": "hello"}';
        const device = make("select", { id: "event-client" }, make("option", { value: "" }, "all devices"),
            ...person.devices.map(({ client }) => make("option", { value: client }, client)));
        const result = make("p", { class: "result", id: "send-result", role: "status" });
        const form = make("form", { class: "send", id: "send" },
            make("h3", {}, "Send an event"),
            make("div", { class: "row" },
                make("label", { class: "field grow" }, make("span", {}, "Name"), name),
                make("label", { class: "field grow" }, make("span", {}, "To"), device)),
            make("label", { class: "field" }, make("span", {}, "Argument (JSON; empty for none)"), text),
            make("div", { class: "row" }, make("button", { type: "submit", class: "main" }, "Send"), result));
        form.addEventListener("submit", async event => {
            event.preventDefault();
            const say = (kind, words) => { result.className = `result ${kind}`; result.textContent = words; };
            let values = [];
            try {
                if (text.value.trim()) values = [JSON.parse(text.value)];
            } catch (error) {
                return say("bad", `The argument is not JSON: ${error.message}`);
            }
            say("", "sending …");
            try {
                const answer = await ask("/v1/event", {
                    ...this.about(device.value), event: [name.value, ...values], confirm: 3,
                });
                const { receipt } = answer.receipts[0];
                const written = Object.values(receipt.confirmation?.written ?? {}).reduce((sum, count) => sum + count, 0);
                say(receipt.didReceive ? "good" : "bad",
                    receipt.didReceive ? `Written to ${written} ${written === 1 ? "tab" : "tabs"}.` : "Nobody was there to get it.");
            } catch (error) {
                say("bad", words(error));
            }
            this.changed();
        });
        return form;
    }

    isThere(client) {
        return client ? this.person.devices.some(device => device.client === client) : this.person.active;
    }

    async act(path, body, done) {
        try {
            await ask(`/v1/${path}`, body);
            // Connections that are being closed are there for a moment.
            for (let turn = 0; turn < LOOKS; turn++) {
                await this.lookUp(this.user, this.domain);
                if (!this.isThere(body.client)) break;
                await new Promise(resolve => setTimeout(resolve, PAUSE));
            }
            this.result.className = "result good";
            this.result.textContent = done;
        } catch (error) {
            this.result.className = "result bad";
            this.result.textContent = words(error);
        }
        this.changed();
    }
}
