// Line charts in SVG: values over the last few minutes, one line for each series.

const SVG = "http://www.w3.org/2000/svg";
/** The least that is shown: with less, one value after the other would fill the chart. */
const SHORTEST = 60000;
const MARGIN = { left: 44, right: 8, top: 8, bottom: 20 };

function element(name, attributes = {}, ...children) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
}

/** Short for people: 1,234 or 12.3K. */
export function short(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2;
    return new Intl.NumberFormat("en", size >= 100000
        ? { notation: "compact", maximumFractionDigits: 1 }
        : { maximumFractionDigits: digits }).format(value);
}

/** The smallest of 1, 2, 5 times a power of ten that is not below. */
function ceiling(value) {
    const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-6)));
    return [1, 2, 5, 10].map(step => step * power).find(step => step >= value * 0.999) ?? 10 * power;
}

export class LineChart {
    /**
     * @param {string} title
     * @param {string} unit behind numbers, such as "ms"; may be empty
     * @param {number} span milliseconds that are shown at most
     * @param {number} least the axis goes at least so far
     */
    constructor(title, unit, span, least) {
        this.title = title;
        this.unit = unit;
        this.span = span;
        this.least = least;
        this.series = new Map();
        this.legend = document.createElement("ul");
        this.legend.className = "legend";
        this.svg = element("svg", { role: "img", preserveAspectRatio: "none" });
        const caption = document.createElement("figcaption");
        const name = document.createElement("b");
        name.textContent = title;
        caption.append(name, this.legend);
        this.figure = document.createElement("figure");
        this.figure.className = "card chart";
        this.figure.append(caption, this.svg);
        this.svg.addEventListener("pointermove", event => this.point(event.offsetX));
        this.svg.addEventListener("pointerleave", () => this.point(null));
        new ResizeObserver(() => this.draw()).observe(this.svg);
    }

    /** Adds a value. `look` is a class for the colour; `key` tells series apart. */
    add(key, name, look, time, value) {
        let series = this.series.get(key);
        if (!series) this.series.set(key, series = { name, look, points: [] });
        series.name = name;
        series.look = look;
        if (value !== null && value !== undefined) series.points.push([time, value]);
        while (series.points.length && series.points[0][0] < time - this.span) series.points.shift();
        this.now = time;
    }

    /** Forgets series that have nothing to show any more, and draws. */
    update(time) {
        this.now = time;
        for (const [key, series] of this.series) {
            while (series.points.length && series.points[0][0] < time - this.span) series.points.shift();
            if (!series.points.length) this.series.delete(key);
        }
        this.draw();
    }

    clear() {
        this.series.clear();
        this.draw();
    }

    point(x) {
        this.cursor = x;
        this.draw();
    }

    draw() {
        const width = this.svg.clientWidth;
        const height = this.svg.clientHeight;
        if (!width || !height || this.now === undefined) return;
        this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
        const first = Math.min(...[...this.series.values()].map(({ points }) => points[0]?.[0] ?? this.now));
        const span = Math.min(Math.max(this.now - first, SHORTEST), this.span);
        const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
        let highest = this.least;
        for (const { points } of this.series.values()) for (const [, value] of points) highest = Math.max(highest, value);
        const top = ceiling(highest);
        const x = time => MARGIN.left + inner.width * (1 - (this.now - time) / span);
        const y = value => MARGIN.top + inner.height * (1 - value / top);
        const parts = [];
        for (const share of [0, 0.5, 1]) {
            const at = y(top * share);
            parts.push(element("line", { class: "grid-line", x1: MARGIN.left, x2: width - MARGIN.right, y1: at, y2: at }));
            parts.push(element("text", { class: "axis", x: MARGIN.left - 6, y: at + 4, "text-anchor": "end" }, short(top * share)));
        }
        for (const [time, text, anchor] of [
            [this.now - span, `${duration(span)} ago`, "start"], [this.now, "now", "end"],
        ]) parts.push(element("text", { class: "axis", x: x(time), y: height - 4, "text-anchor": anchor }, text));
        const alone = this.series.size === 1;
        for (const { points, look } of this.series.values()) {
            if (!points.length) continue;
            const line = points.map(([time, value], index) => `${index ? "L" : "M"}${x(time).toFixed(1)} ${y(value).toFixed(1)}`).join("");
            if (alone) {
                const floor = y(0);
                parts.push(element("path", {
                    class: `wash ${look}`, d: `${line}L${x(points.at(-1)[0])} ${floor}L${x(points[0][0])} ${floor}Z`,
                }));
            }
            parts.push(element("path", { class: `plot ${look}`, d: points.length > 1 ? line : `${line}h0.1` }));
        }
        let when = null;
        if (this.cursor !== null && this.cursor !== undefined && this.cursor >= MARGIN.left) {
            when = this.now - span * (1 - (this.cursor - MARGIN.left) / inner.width);
            parts.push(element("line", {
                class: "cursor", x1: this.cursor, x2: this.cursor, y1: MARGIN.top, y2: height - MARGIN.bottom,
            }));
        }
        this.svg.replaceChildren(...parts);
        const items = [...this.series.values()].filter(({ points }) => points.length).map(({ name, look, points }) => {
            const value = when === null ? points.at(-1)[1] : nearest(points, when);
            const item = document.createElement("li");
            item.className = look;
            item.textContent = `${name} ${short(value)}${this.unit ? ` ${this.unit}` : ""}`;
            return item;
        });
        this.legend.replaceChildren(...items);
        this.svg.setAttribute("aria-label", `${this.title}: ${items.map(item => item.textContent).join(", ") || "nothing yet"}`);
    }
}

function duration(milliseconds) {
    const seconds = Math.round(milliseconds / 1000);
    return seconds % 60 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : `${seconds / 60} min`;
}

function nearest(points, time) {
    return points.reduce((best, point) => Math.abs(point[0] - time) < Math.abs(best[0] - time) ? point : best)[1];
}
