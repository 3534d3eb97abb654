// A row per agent: state, figures of the last minutes, trends, cache, and the way to its slowest trace.

import { element, find, svg, sync } from "/page/dom.js";
import { bytes, milliseconds, NONE, percent, rate, whole } from "/page/format.js";

const FEW = 20; // more agents than this, and they can be searched
const BETTER = new Set(["improving"]), WORSE = new Set(["degrading", "worsening"]);
const ARROWS = { improving: "↘", degrading: "↗", worsening: "↗", increasing: "↗", decreasing: "↘", stable: "→" };

const COLUMNS = [
  { key: "name", title: "Agent", value: (row) => row.name },
  { key: "state", title: "State", value: (row) => row.state ?? "~" },
  { key: "rate", title: "Rate", number: true, value: (row) => row.metrics.throughput.requests_per_s },
  { key: "errors", title: "Errors", number: true, value: (row) => row.metrics.reliability.error_rate ?? -1 },
  { key: "p50", title: "p50", number: true, value: (row) => row.metrics.response.p50_ms ?? -1 },
  { key: "p95", title: "p95", number: true, value: (row) => row.metrics.response.p95_ms ?? -1 },
  { key: "max", title: "Max", number: true, value: (row) => row.metrics.response.max_ms ?? -1 },
  { key: "cpu", title: "CPU", number: true, value: (row) => row.metrics.resources.cpu ?? -1, any: (row) => row.metrics.resources.cpu !== null },
  { key: "memory", title: "Memory", number: true, value: (row) => row.metrics.resources.memory_bytes ?? -1, any: (row) => row.metrics.resources.memory_bytes !== null },
  { key: "cache", title: "Cache hits", number: true, value: (row) => hits(row) ?? -1, any: (row) => hits(row) !== null },
  { key: "tokens", title: "Tokens", number: true, value: (row) => used(row) ?? -1, any: (row) => row.tokens !== null },
  { key: "trend", title: "15 min" },
];

let order = { key: "", down: false };
let last = [];

function hits(row) {
  const all = Object.values(row.cache).reduce((sum, count) => sum + count, 0);
  return all ? 1 - (row.cache.none ?? 0) / all : null;
}

function used(row) {
  return row.tokens && row.tokens.input + row.tokens.output;
}

function standing({ uptime, mtbf_s, mttr_s }) {
  const said = [uptime !== null && `in service ${+(100 * uptime).toFixed(3)} % of the time`, mtbf_s !== null && `${milliseconds(1e3 * mtbf_s)} between failures`, mttr_s !== null && `${milliseconds(1e3 * mttr_s)} to recover`];
  return said.filter(Boolean).join(", ") || null;
}

function uses({ network_bytes_per_s, disk_operations_per_s }) {
  return `of all CPUs, estimated over five minutes; ${bytes(network_bytes_per_s)}/s over the network, ${rate(disk_operations_per_s)} reads and writes of files`;
}

function tiers(row) {
  return Object.entries(row.cache).map(([tier, count]) => `${tier === "none" ? "missed" : tier} ${whole(count)}`).join(", ");
}

function spark(values) {
  const known = values.filter((value) => value !== null);
  if (!known.length) return null;
  const top = Math.max(...known) || 1;
  const points = values.map((value, place) => (value === null ? null : [2 + place * 2.4, 17 - (value / top) * 14])).filter(Boolean);
  const drawing = svg("svg", { class: "spark", viewBox: "0 0 76 20", width: 76, height: 20, "aria-hidden": "true" });
  drawing.append(points.length > 1 ? svg("polyline", { class: "line", points: points.map((pair) => pair.map((value) => value.toFixed(1)).join(",")).join(" ") }) : svg("circle", { cx: points[0][0], cy: points[0][1], r: 1.5 }));
  return drawing;
}

function trend(name, word) {
  if (!word) return null;
  const mood = BETTER.has(word) ? "good" : WORSE.has(word) ? "bad" : "";
  return word === "stable" ? null : element("span", { class: `trend ${mood}`, title: `${name} ${word}` }, `${ARROWS[word]} `, element("span", { text: `${name} ${word}` }));
}

function render(shown) {
  return (row) => {
    const { response, throughput, reliability, resources, trends } = row.metrics;
    const idle = !row.window_calls;
    const cell = (column, content, extra = "") => element("td", { class: `${column.number ? "number" : ""} ${extra}`, "data-label": column.title }, ...[content].flat().filter(Boolean));
    const name = element("th", { scope: "row" }, row.slowest_trace ? element("a", { href: `/traces/${row.slowest_trace}`, title: "its slowest trace of the last five minutes", text: row.name }) : row.name);
    if (row.problem) name.append(element("span", { class: "reason", text: row.problem }));
    const failed = row.failed_trace && reliability.errors;
    const makers = {
      state: () => element("span", { class: `state ${row.state ?? "other"}`, title: standing(reliability), text: row.state ?? "seen" }),
      rate: () => (idle ? NONE : rate(throughput.requests_per_s)),
      errors: () => (failed ? element("a", { href: `/traces/${row.failed_trace}`, class: "bad", title: Object.entries(reliability.errors_by_type).map(([type, count]) => `${type}: ${count}`).join(", "), text: percent(reliability.error_rate) }) : percent(reliability.error_rate)),
      p50: () => milliseconds(response.p50_ms), p95: () => milliseconds(response.p95_ms), max: () => milliseconds(response.max_ms),
      cpu: () => (resources.cpu === null ? NONE : element("span", { title: uses(resources), text: percent(resources.cpu) })),
      memory: () => bytes(resources.memory_bytes),
      cache: () => (hits(row) === null ? NONE : element("span", { title: tiers(row), text: percent(hits(row)) })),
      tokens: () => (row.tokens === null ? NONE : element("span", { title: `${whole(row.tokens.input)} in, ${whole(row.tokens.output)} out, ${whole(row.tokens.model_calls)} calls of models`, text: whole(used(row)) })),
      trend: () => [spark(row.spark), trend("responses", trends.response_time), trend("calls", trends.throughput), trend("errors", trends.errors)],
    };
    return element("tr", { class: idle ? "idle" : "" }, name, ...shown.slice(1).map((column) => cell(column, makers[column.key](), `in-${column.key}`)));
  };
}

function ordered(rows) {
  const column = COLUMNS.find((one) => one.key === order.key);
  if (!column?.value) return rows;
  const sorted = [...rows].sort((one, other) => {
    const [first, second] = [column.value(one), column.value(other)];
    return first < second ? -1 : first > second ? 1 : 0;
  });
  return order.down ? sorted.reverse() : sorted;
}

function head(shown) {
  find("agents-head").replaceChildren(...shown.map((column) => {
    const sort = order.key === column.key ? (order.down ? "descending" : "ascending") : null;
    const title = column.value ? element("button", { type: "button", class: "sort", text: column.title, onclick: () => { order = { key: column.key, down: order.key === column.key ? !order.down : Boolean(column.number) }; head(shown); showAgents(last); } }) : column.title;
    return element("th", { scope: "col", class: column.number ? "number" : "", "aria-sort": sort }, title);
  }));
  find("agents-head").dataset.shown = shown.map((column) => column.key).join();
}

export function showAgents(rows) {
  last = rows;
  const shown = COLUMNS.filter((column) => !column.any || rows.some(column.any));
  if (find("agents-head").dataset.shown !== shown.map((column) => column.key).join()) {
    find("agents").replaceChildren();
    head(shown);
  }
  const filter = find("agent-filter");
  filter.hidden = rows.length <= FEW;
  const wanted = filter.value.trim().toLowerCase();
  sync(find("agents"), ordered(rows.filter((row) => row.name.toLowerCase().includes(wanted))), (row) => row.name, render(shown));
  find("no-agents").hidden = rows.length > 0;
}

find("agent-filter").addEventListener("input", () => showAgents(last));
