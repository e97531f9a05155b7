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

for (const { prototype } of [WebSocket, XMLHttpRequest]) {
    const { send } = prototype;
    prototype.send = function (data) {
        // A request of long-polling has several packets.
        for (const packet of typeof data === "string" ? data.split("\x1e") : []) {
            const found = packet.includes('"offer"') && /"to":"([^"]+)"/.exec(packet);
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
