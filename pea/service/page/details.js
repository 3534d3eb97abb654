// What one span says of itself: times, error, attributes, events, cache lookups, links.

import { copy, element } from "/page/dom.js";
import { microseconds, percent } from "/page/format.js";

function shown(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function table(pairs, title) {
  if (!pairs.length) return null;
  const rows = pairs.map(([key, value]) => element("div", {}, element("dt", { text: key }), element("dd", { text: shown(value) })));
  return element("section", {}, element("h3", { text: title }), element("dl", { class: "pairs" }, ...rows));
}

function events(row) {
  if (!row.events?.length) return null;
  return element("section", {}, element("h3", { text: "Events" }), ...row.events.map((event) => {
    const about = Object.entries(event.attributes ?? {});
    const summary = element("summary", {}, element("span", { class: "operation", text: event.name }), element("span", { class: "took", text: microseconds(event.at_us) }));
    return about.length
      ? element("details", { class: "event-box", open: event.name === "exception" }, summary, element("dl", { class: "pairs" }, ...about.map(([key, value]) => element("div", {}, element("dt", { text: key }), element("dd", { text: shown(value) })))))
      : element("p", { class: "event-box" }, ...summary.childNodes);
  }));
}

function lookups(row) {
  if (!row.ticks?.length) return null;
  const counts = new Map();
  for (const tick of row.ticks) {
    const key = `${tick.cache}\n${tick.tier}`;
    const [count, us] = counts.get(key) ?? [0, 0];
    counts.set(key, [count + 1, us + tick.duration_us]);
  }
  return table([...counts].map(([key, [count, us]]) => {
    const [cache, tier] = key.split("\n");
    return [cache, `${count} × ${tier === "none" ? "miss" : `hit in ${tier}`}, ${microseconds(us)} in all`];
  }), "Cache lookups");
}

function links(row, trace) {
  const own = (row.links ?? []).map((link) => [link.trace_id, link.span_id]);
  const joined = row.depth === 0 ? trace.linked.map((id) => [id, ""]) : [];
  const all = [...new Map([...own, ...joined].map((pair) => [pair[0], pair])).values()];
  if (!all.length) return null;
  return element("section", {}, element("h3", { text: "Links" }), element("ul", { class: "links" }, ...all.map(([id, span]) =>
    element("li", {}, element("a", { href: `/traces/${id}${span ? `#${span}` : ""}`, class: "mono", text: id === trace.trace_id ? `span ${span}` : `trace ${id}` })))));
}

export function details(row, trace) {
  const waited = (row.critical ?? []).reduce((sum, [from, to]) => sum + to - from, 0);
  const button = element("button", { type: "button", class: "quiet small", text: "Copy" });
  button.addEventListener("click", () => copy(JSON.stringify(row, null, 2), button));
  const facts = [
    ["Duration", microseconds(row.duration_us)],
    ["Self time", `${microseconds(row.self_us)}${row.duration_us ? ` · ${percent(row.self_us / row.duration_us)}` : ""}`],
    ["Critical path", waited ? microseconds(waited) : "not on it"],
    ["Begins", `+ ${microseconds(row.at_us)}`],
    ["Service", row.service], ["Agent", row.agent], ["Kind", row.kind ?? "internal"], ["Span", row.id],
  ].filter(([, value]) => value);
  return [
    element("div", { class: "heading" }, element("h2", { id: "details-title", text: row.name }), button),
    row.status === "error" ? element("p", { class: "failure" }, element("strong", { text: row.attributes?.["error.type"] ?? "error" }), row.message ? ` ${row.message}` : "") : null,
    element("dl", { class: "times" }, ...facts.map(([key, value]) => element("div", {}, element("dt", { text: key }), element("dd", { text: value })))),
    table(Object.entries(row.attributes ?? {}), "Attributes"),
    lookups(row),
    events(row),
    links(row, trace),
  ].filter(Boolean);
}
