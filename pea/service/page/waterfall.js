// The waterfall: only the rows in sight are in the document, so a trace of ten thousand spans scrolls as one of ten.

import { element, find } from "/page/dom.js";
import { microseconds } from "/page/format.js";

const BEYOND = 12; // rows drawn above and below what is in sight
const HUES = 8;

// What a row is called: an agent's call by what was asked of it, a job by its function.
export function label(row) {
  if (row.name.startsWith("worker ")) return `worker ${row.name.split(".").pop()}`;
  const asked = row.attributes?.["pea.capability"];
  if (!asked || !row.name.startsWith("invoke_agent")) return row.name;
  const attempt = row.attributes["pea.attempt"];
  return attempt > 1 ? `${asked} (attempt ${attempt})` : asked;
}

export class Waterfall {
  constructor(trace, chosen) {
    this.trace = trace;
    this.chosen = chosen;
    this.box = find("waterfall");
    this.spacer = find("spacer");
    this.folded = new Set();
    this.filter = "";
    this.criticalOnly = false;
    this.at = null;
    this.narrow = matchMedia("(max-width: 700px)");
    this.places = new Map(trace.rows.map((row, place) => [row.id, place]));
    this.drawn = new Map();
    this.hues = new Map();
    for (const row of trace.rows) this.hue(row);
    const waterfall = this;
    this.box.addEventListener("scroll", () => this.paint(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("click", (event) => this.click(event));
    new ResizeObserver(() => this.paint()).observe(this.box);
    this.narrow.addEventListener("change", () => this.layout());
    find("filter").addEventListener("input", (event) => { waterfall.filter = event.target.value.trim().toLowerCase(); waterfall.layout(); });
    find("critical").addEventListener("change", (event) => { waterfall.criticalOnly = event.target.checked; waterfall.layout(); });
    find("fold").addEventListener("click", () => this.foldAll());
    this.layout();
    this.axis();
  }

  // A colour for each agent, in the order in which they come.
  hue(row) {
    const name = row.agent || row.service || "";
    if (!this.hues.has(name)) this.hues.set(name, this.hues.size % HUES);
    return this.hues.get(name);
  }

  get height() { return this.narrow.matches ? 44 : 28; }

  // Which rows are to be seen, by place in the trace.
  layout() {
    const rows = this.trace.rows;
    this.seen = [];
    for (let place = 0; place < rows.length; place++) {
      const row = rows[place];
      if (this.criticalOnly && !row.critical && !this.filter) continue;
      if (this.filter && !this.fits(row)) continue;
      this.seen.push(place);
      if (!this.filter && this.folded.has(row.id)) place += row.inside;
    }
    this.spacer.style.height = `${this.seen.length * this.height}px`;
    this.box.style.height = `${Math.min(this.seen.length, 24) * this.height + 2}px`;
    this.box.setAttribute("aria-rowcount", this.seen.length);
    for (const node of this.drawn.values()) node.remove();
    this.drawn.clear();
    this.paint();
  }

  fits(row) {
    if (`${row.name} ${row.agent ?? ""} ${row.service ?? ""} ${row.message ?? ""}`.toLowerCase().includes(this.filter)) return true;
    return Object.entries(row.attributes ?? {}).some(([key, value]) => `${key}=${value}`.toLowerCase().includes(this.filter));
  }

  paint() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - BEYOND);
    const last = Math.min(this.seen.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.height) + BEYOND);
    const wanted = new Set(this.seen.slice(first, last));
    for (const [place, node] of this.drawn) if (!wanted.has(place)) { node.remove(); this.drawn.delete(place); }
    for (let index = first; index < last; index++) {
      const place = this.seen[index];
      let node = this.drawn.get(place);
      if (!node) {
        node = this.row(this.trace.rows[place], index);
        this.drawn.set(place, node);
        this.spacer.append(node);
      }
      const selected = place === this.at;
      if (node.getAttribute("aria-selected") !== String(selected)) node.setAttribute("aria-selected", selected);
    }
    if (this.at !== null && this.drawn.has(this.at)) this.box.setAttribute("aria-activedescendant", `span-${this.trace.rows[this.at].id}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  row(row, index) {
    const failed = row.status === "error";
    const open = row.inside ? String(!this.folded.has(row.id)) : null;
    const name = element("span", { class: "name", role: "gridcell" },
      element("span", { class: "fold", "aria-hidden": "true", text: open === null ? "" : open === "true" ? "▾" : "▸" }),
      element("span", { class: `mark hue-${this.hue(row)}`, "aria-hidden": "true" }),
      element("span", { class: "label", text: label(row) }),
      failed ? element("span", { class: "sign", title: row.message || "failed", text: "error" }) : null);
    name.style.paddingInlineStart = `${Math.min(row.depth, 24) * (this.narrow.matches ? 8 : 14)}px`;
    const self = element("span", { class: "self", role: "gridcell", text: microseconds(row.self_us) });
    const made = element("div", { class: `row${failed ? " failed" : ""}${row.critical ? " critical" : ""}`, role: "row", id: `span-${row.id}`, "aria-level": row.depth + 1, "aria-rowindex": index + 1, "aria-expanded": open }, name, this.timeline(row), self);
    made.dataset.place = this.places.get(row.id);
    made.style.transform = `translateY(${index * this.height}px)`;
    made.style.height = `${this.height}px`;
    return made;
  }

  share(us) { return (100 * us) / (this.trace.duration_us || 1); }

  timeline(row) {
    const from = this.share(row.at_us), width = this.share(row.duration_us);
    const bar = element("span", { class: `span hue-${this.hue(row)}` });
    bar.style.left = `${from}%`;
    bar.style.width = `max(2px, ${width}%)`;
    const parts = [bar];
    for (const [start, end] of row.critical ?? []) {
      const stretch = element("span", { class: "path" });
      stretch.style.left = `${this.share(start)}%`;
      stretch.style.width = `max(2px, ${this.share(end - start)}%)`;
      parts.push(stretch);
    }
    for (const tick of row.ticks ?? []) {
      const made = element("span", { class: `cache ${tick.tier}`, title: `${tick.cache}: ${tick.tier === "none" ? "miss" : `hit in ${tick.tier}`}, ${microseconds(tick.duration_us)}` });
      made.style.left = `${this.share(tick.at_us)}%`;
      parts.push(made);
    }
    for (const event of row.events ?? []) {
      const made = element("span", { class: `event ${event.name === "exception" ? "bad" : ""}`, title: `${event.name} at ${microseconds(event.at_us)}` });
      made.style.left = `${Math.min(100, Math.max(0, this.share(event.at_us)))}%`;
      parts.push(made);
    }
    const took = element("span", { class: "took", text: microseconds(row.duration_us) });
    if (from + width > 78) {
      took.style.right = `${100 - from}%`;
      took.classList.add("before");
      if (from < 14) { took.classList.add("within"); took.style.right = `${Math.max(0, 100 - from - width)}%`; }
    } else took.style.left = `${from + width}%`;
    return element("span", { class: "time", role: "gridcell" }, element("span", { class: "scale" }, ...parts, took));
  }

  axis() {
    const marks = [0, 0.25, 0.5, 0.75, 1].map((part) => {
      const made = element("span", { text: microseconds(part * this.trace.duration_us) });
      made.style.left = `${100 * part}%`;
      return made;
    });
    marks.at(-1).className = "end";
    marks[0].className = "begin";
    find("axis").replaceChildren(...marks);
  }

  click(event) {
    const node = event.target.closest(".row");
    if (!node) return;
    const place = Number(node.dataset.place);
    if (event.target.closest(".fold")) this.toggle(place);
    this.select(place, true);
  }

  key(event) {
    const index = this.seen.indexOf(this.at);
    const row = this.trace.rows[this.at];
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.height) - 1);
    const moves = { ArrowDown: index + 1, ArrowUp: index - 1, PageDown: index + page, PageUp: index - page, Home: 0, End: this.seen.length - 1 };
    if (event.key in moves) this.select(this.seen[Math.min(Math.max(moves[event.key], 0), this.seen.length - 1)], false);
    else if (event.key === "ArrowRight" && row?.inside && this.folded.has(row.id)) this.toggle(this.at);
    else if (event.key === "ArrowRight" && row?.inside) this.select(this.at + 1, false);
    else if (event.key === "ArrowLeft" && row?.inside && !this.folded.has(row.id)) this.toggle(this.at);
    else if (event.key === "ArrowLeft" && this.places.has(row?.parent)) this.select(this.places.get(row.parent), false);
    else if (event.key === "Enter") find("details").focus();
    else return;
    event.preventDefault();
  }

  toggle(place) {
    const row = this.trace.rows[place];
    if (!row.inside) return;
    if (!this.folded.delete(row.id)) this.folded.add(row.id);
    this.layout();
  }

  foldAll() {
    const button = find("fold");
    const fold = button.getAttribute("aria-pressed") === "false";
    this.folded = new Set(fold ? this.trace.rows.filter((row) => row.inside && row.depth > 0).map((row) => row.id) : []);
    button.setAttribute("aria-pressed", fold);
    button.textContent = fold ? "Expand all" : "Collapse all";
    this.layout();
  }

  select(place, asked) {
    if (place === undefined) return;
    this.at = place;
    const index = this.seen.indexOf(place);
    const top = index * this.height;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + this.height > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + this.height - this.box.clientHeight;
    this.paint();
    this.chosen(this.trace.rows[place], asked);
  }

  // Unfolds the way to a span and selects it.
  show(id, asked = true) {
    const place = this.places.get(id) ?? 0;
    for (let above = this.trace.rows[place]; above; above = this.trace.rows[this.places.get(above.parent)]) {
      this.folded.delete(above.id);
      if (above.parent === above.id || !above.depth) break;
    }
    if (!this.seen.includes(place)) { this.filter = find("filter").value = ""; this.criticalOnly = find("critical").checked = false; }
    this.layout();
    this.select(place, asked);
  }

  find(text) {
    find("filter").value = text;
    this.filter = text.toLowerCase();
    this.layout();
    this.box.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }
}
