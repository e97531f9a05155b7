// Runs before the module and remembers what it makes: `made.sockets`, `made.connections`, `made.timers`, and `made.offers`, the offers that
// left this page by the server, by the SID that they went to.
"use strict";

window.made = { sockets: [], connections: [], offers: [], timers: new Set() };

{
    const { setTimeout, clearTimeout } = window;
    window.setTimeout = (work, delay, ...args) => {
        const timer = setTimeout(() => {
            made.timers.delete(timer);
            work(...args);
        }, delay);
        made.timers.add(timer);
        return timer;
    };
    window.clearTimeout = timer => {
        made.timers.delete(timer);
        clearTimeout(timer);
    };
}

{
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
        if (typeof data === "string" && data.includes('"offer"')) {
            const found = /"to":"([^"]+)"/.exec(data);
            if (found) made.offers.push(found[1]);
        }
        return send.call(this, data);
    };
}

for (const [name, list] of [["WebSocket", made.sockets], ["RTCPeerConnection", made.connections]]) {
    window[name] = new Proxy(window[name], {
        construct(target, args, heir) {
            const one = Reflect.construct(target, args, heir);
            list.push(one);
            return one;
        },
    });
}
