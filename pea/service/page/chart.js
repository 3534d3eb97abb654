// One chart: lines over time, a cursor for the pointer and the keyboard, and a way from a point to its trace.

import { element, svg } from "/page/dom.js";
import { clock } from "/page/format.js";

const LEFT = 58, RIGHT = 10, TOP = 8, BOTTOM = 22;
const STEPS = [1, 2, 2.5, 5, 10];

// The smallest round number that is not below a value.
function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * STEPS.find((step) => step * power >= value * 0.999);
}

export class Chart {
  // lines: {name, series, class}; unit: how a value is written; least: the least that the axis reaches; scale: what is
  // round on the axis; logarithmic: powers of ten, for what spans several.
  constructor(figure, { title, lines, unit, least = 0, height = 150, most = Infinity, scale = 1, logarithmic = false }) {
    Object.assign(this, { figure, title, lines, unit, least, height, most, scale, logarithmic, at: null, data: null });
    this.now = element("span", { class: "now" });
    this.caption = element("figcaption", {}, element("span", { class: "chart-title", text: title }), this.now);
    this.box = element("div", { class: "plot", tabindex: "0", role: "group", "aria-label": `${title}: arrow keys move along the time, Enter opens a trace` });
    this.tip = element("div", { class: "tip", role: "status", hidden: true });
    figure.replaceChildren(this.caption, this.box, this.tip);
    this.box.addEventListener("pointermove", (event) => this.point(this.near(event.clientX)));
    this.box.addEventListener("pointerleave", () => this.point(null));
    this.box.addEventListener("blur", () => this.point(null));
    this.box.addEventListener("click", (event) => { this.point(this.near(event.clientX)); this.open(event.clientY); });
    this.box.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(figure);
  }

  show(charts) {
    this.data = charts;
    this.draw();
  }

  get count() { return this.data?.series[this.lines[0].series]?.length ?? 0; }

  x(place) { return LEFT + (place / Math.max(this.count - 1, 1)) * (this.width - LEFT - RIGHT); }
  y(value) {
    const high = this.height - TOP - BOTTOM;
    if (!this.logarithmic) return this.height - BOTTOM - (Math.min(value, this.top) / this.top) * high;
    const share = Math.log10(Math.max(value, this.bottom) / this.bottom) / Math.log10(this.top / this.bottom);
    return this.height - BOTTOM - share * high;
  }

  // What the axis spans, and where its lines are: powers of ten, or nought, half and whole.
  reach(found) {
    this.bottom = 0;
    if (this.logarithmic) {
      const low = Math.floor(Math.log10(Math.max(Math.min(...found, 1), 1e-6))), high = Math.max(Math.ceil(Math.log10(Math.max(...found, 1e-6))), low + 1);
      [this.bottom, this.top] = [10 ** low, 10 ** high];
      return Array.from({ length: high - low + 1 }, (_, step) => 10 ** (low + step));
    }
    this.top = Math.min(this.scale * round(Math.max(this.least, ...found.map((value) => (value * 1.05) / this.scale), 1e-9)), this.most);
    return [0, this.top / 2, this.top];
  }

  draw() {
    this.width = this.box.clientWidth;
    if (!this.count || !this.width) return;
    const found = this.lines.flatMap((line) => this.data.series[line.series]).filter((value) => value !== null);
    const marks = this.reach(found);
    const drawing = svg("svg", { viewBox: `0 0 ${this.width} ${this.height}`, width: this.width, height: this.height, "aria-hidden": "true" });
    for (const mark of marks) {
      const y = this.y(mark);
      drawing.append(svg("line", { class: "grid", x1: LEFT, x2: this.width - RIGHT, y1: y, y2: y }), svg("text", { class: "tick", x: LEFT - 8, y: y + 4, "text-anchor": "end", text: this.unit(mark) }));
    }
    const wide = this.width > 420 ? [0, 1 / 3, 2 / 3, 1] : [0, 1];
    for (const part of wide) {
      const place = Math.round(part * (this.count - 1));
      const at = new Date(this.time(place)).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
      drawing.append(svg("text", { class: "tick", x: this.x(place), y: this.height - 5, "text-anchor": part === 0 ? "start" : part === 1 ? "end" : "middle", text: at }));
    }
    for (const line of this.lines) drawing.append(...this.path(line));
    this.cursor = svg("g", { class: "cursor" });
    drawing.append(this.cursor);
    if (!found.length) drawing.append(svg("text", { class: "tick", x: this.width / 2, y: this.height / 2, "text-anchor": "middle", text: "nothing in this time yet" }));
    this.box.replaceChildren(drawing);
    this.now.replaceChildren(...this.lines.map((line) => element("span", { class: `legend-item ${line.class}`, text: `${this.lines.length > 1 ? `${line.name} ` : ""}${this.unit(this.last(line))}` })));
    if (this.at !== null) this.point(Math.min(this.at, this.count - 1));
  }

  last(line) { return this.data.series[line.series].findLast((value) => value !== null); }
  time(place) { return this.data.start_ms + place * this.data.step_s * 1e3; }

  // A line with gaps where nothing was measured; a lonely point is a dot.
  path(line) {
    const parts = [];
    let run = [];
    const end = () => {
      if (run.length === 1) parts.push(svg("circle", { class: `dot ${line.class}`, cx: run[0][0], cy: run[0][1], r: 2 }));
      else if (run.length) parts.push(svg("polyline", { class: `line ${line.class}`, points: run.map((pair) => pair.map((value) => value.toFixed(1)).join(",")).join(" ") }));
      run = [];
    };
    this.data.series[line.series].forEach((value, place) => (value === null ? end() : run.push([this.x(place), this.y(value)])));
    end();
    return parts;
  }

  near(clientX) {
    const { left } = this.box.getBoundingClientRect();
    const place = Math.round(((clientX - left - LEFT) / (this.width - LEFT - RIGHT)) * (this.count - 1));
    return Math.min(Math.max(place, 0), this.count - 1);
  }

  point(place) {
    this.at = this.count ? place : null;
    this.tip.hidden = this.at === null;
    if (!this.cursor) return;
    this.cursor.replaceChildren();
    if (this.at === null) return;
    const x = this.x(this.at);
    this.cursor.append(svg("line", { class: "hair", x1: x, x2: x, y1: TOP, y2: this.height - BOTTOM }));
    const said = [element("time", { text: clock(this.time(this.at)) })];
    for (const line of this.lines) {
      const value = this.data.series[line.series][this.at];
      if (value !== null) this.cursor.append(svg("circle", { class: `dot ${line.class}`, cx: x, cy: this.y(value), r: 4 }));
      said.push(element("span", { class: line.class, text: `${line.name} ${this.unit(value)}` }));
    }
    if (this.data.exemplars[this.at]) said.push(element("span", { class: "hint", text: "↵ trace" }));
    this.tip.replaceChildren(...said);
    this.tip.style.left = `${Math.min(Math.max(x, 70), this.width - 70)}px`;
  }

  key(event) {
    const last = this.count - 1;
    const moves = { ArrowRight: (this.at ?? -1) + 1, ArrowLeft: (this.at ?? last + 1) - 1, Home: 0, End: last };
    if (event.key in moves) this.point(Math.min(Math.max(moves[event.key], 0), last));
    else if (event.key === "Enter" && this.at !== null) this.open(null);
    else return;
    event.preventDefault();
  }

  // To the trace of the line nearest to the pointer, or of the highest; where none is remembered, to a search.
  open(clientY) {
    const traces = this.data.exemplars[this.at];
    const from = Math.round(this.time(this.at));
    if (!traces) {
      location.href = `/traces?start_ms=${from - this.data.step_s * 1e3}&end_ms=${from + this.data.step_s * 1e3}`;
      return;
    }
    const quantiles = ["p50", "p95", "p99"];
    const held = this.lines.filter((line) => quantiles.includes(line.series));
    let chosen = held.at(-1);
    if (held.length && clientY !== null) {
      const y = clientY - this.box.getBoundingClientRect().top;
      const off = (line) => Math.abs(this.y(this.data.series[line.series][this.at] ?? 0) - y);
      chosen = held.reduce((best, line) => (off(line) < off(best) ? line : best));
    }
    location.href = `/traces/${traces[chosen ? quantiles.indexOf(chosen.series) : 2]}`;
  }
}
