"""What hostile pages try, as scripts that run in a page: each is an expression that becomes a promise.

The same scripts run in the application's own page with the proof of domesticity, where they work: so they can fail."""

import json

_PRELUDE = """
const gift = '/gift?to=mallory' + (proof && '&_domestic=' + proof);
const place = element => { document.body.append(element); return element; };
const loads = (name, attributes) => new Promise(resolve => {
    const element = Object.assign(document.createElement(name), attributes);
    element.onload = element.onerror = () => resolve('sent');
    place(element);
});
const submits = (path, enctype, fields) => new Promise(resolve => {
    const frame = document.createElement('iframe');
    frame.name = 'frame-' + Math.random();
    place(frame);
    const form = place(document.createElement('form'));
    Object.assign(form, {action: base + path, method: 'post', enctype, target: frame.name});
    for (const [name, value] of Object.entries(fields)) {
        form.append(Object.assign(document.createElement('input'), {name, value}));
    }
    frame.onload = () => resolve('sent');
    form.submit();
});
const answers = request => request.then(answer => answer.status, () => 'refused');
"""

# Each with what it does when it is allowed to, as the ledger has it.
ATTACKS = {
    "fetch, JSON": (
        """answers(fetch(base + '/transfer', {method: 'POST', credentials: 'include',
            headers: {'content-type': 'application/json', ...(proof && {'x-domestic': proof})},
            body: '{"to":"mallory"}'}))""",
        "transfer",
    ),
    "fetch, JSON as text": (
        """answers(fetch(base + gift, {method: 'POST', credentials: 'include', mode: 'no-cors',
            headers: {'content-type': 'text/plain'}, body: '{"to":"mallory"}'}))""",
        "gift",
    ),
    "XHR": (
        """new Promise(resolve => {
            const request = new XMLHttpRequest();
            request.open('POST', base + '/transfer');
            request.withCredentials = true;
            request.setRequestHeader('content-type', 'application/x-www-form-urlencoded');
            request.onloadend = () => resolve(request.status);
            request.send('to=mallory' + (proof && '&_domestic=' + proof));
        })""",
        "transfer",
    ),
    "form": (
        """submits('/transfer', 'application/x-www-form-urlencoded',
            {to: 'mallory', ...(proof && {_domestic: proof})})""",
        "transfer",
    ),
    "form, multipart": ("submits(gift, 'multipart/form-data', {to: 'mallory'})", "gift"),
    "form, JSON as text": ("""submits(gift, 'text/plain', {'{"to":"mallory","x":"': '"}'})""", "gift"),
    "beacon": ("Promise.resolve(navigator.sendBeacon(base + gift, 'x'))", "gift"),
    "image": ("loads('img', {src: base + gift})", "gift"),
    "script": ("loads('script', {src: base + gift})", "gift"),
    "frame": ("loads('iframe', {src: base + gift})", "gift"),
    "EventSource": (
        """new Promise(resolve => {
            const source = new EventSource(base + gift, {withCredentials: true});
            source.onerror = () => { source.close(); resolve('sent'); };
        })""",
        "gift",
    ),
}

WEBSOCKET = """new Promise(resolve => {
    const socket = new WebSocket(base.replace('http', 'ws') + '/socket.io/?EIO=4&transport=websocket' + sid);
    const finish = result => { resolve(result); socket.close(); };
    socket.onopen = () => { if (sid) socket.send('2probe'); };
    socket.onclose = () => finish('closed');
    socket.onmessage = ({data}) => {
        if (data[0] === '0') socket.send('40' + auth);
        else if (data === '2') socket.send('3');
        else if (data.startsWith('40')) socket.send('421["transfer","mallory"]');
        else if (data.startsWith('43') || data.startsWith('44') || data === '3probe') finish(data);
    };
})"""

POLLING = """(async () => {
    const url = base + '/socket.io/?EIO=4&transport=polling';
    let open;
    try { open = await (await fetch(url, {credentials: 'include'})).text(); } catch { return 'refused'; }
    const sid = JSON.parse(open.slice(1)).sid;
    const post = async body => (await fetch(`${url}&sid=${sid}`, {method: 'POST', body})).status;
    await post('40');
    let text = '';
    while (!text.includes('40{')) text = await (await fetch(`${url}&sid=${sid}`)).text();
    await post('421["transfer","mallory"]');
    while (!text.includes('431[')) text = await (await fetch(`${url}&sid=${sid}`)).text();
    return 'done';
})()"""


def script(expression, base, proof="", **names):
    """The expression with what it needs: where the application is, the proof if there is one, and further names."""
    names = {"sid": "", "auth": "", **names, "base": base, "proof": proof}
    values = "".join(f"const {name} = {json.dumps(value)};" for name, value in names.items())
    return f"(() => {{ {values}{_PRELUDE} return {expression}; }})()"


def in_sandbox(attributes, body):
    """Runs a script's text in a frame; the promise has what it became there. `attributes` make the frame what it is,
    for instance `{sandbox: 'allow-scripts', srcdoc: page}`, where `page` is the document."""
    inner = "<!doctype html><body><script>Promise.resolve(" + body + ").then(v => parent.postMessage(String(v), '*'))"
    document = json.dumps(inner + "</script>").replace("</", "<\\/")
    return f"""new Promise(resolve => {{
        const page = {document};
        addEventListener('message', ({{data}}) => resolve(data), {{once: true}});
        document.body.append(Object.assign(document.createElement('iframe'), {attributes}));
    }})"""
