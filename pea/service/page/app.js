// The overview: every part of the dashboard drawn anew when it changes.

import { showAgents } from "/page/agents.js";
import { alert } from "/page/alerts.js";
import { Chart } from "/page/chart.js";
import { element, find, svg, sync } from "/page/dom.js";
import { bytes, clock, milliseconds, percent, rate, whole, words } from "/page/format.js";
import { watchObjectives } from "/page/objectives.js";
import { learn, open } from "/page/run.js";
import { Live } from "/page/stream.js";

const WINDOWS = ["15m", "1h", "6h", "24h"];
const LIVE = new Set(["queued", "running"]);
const FEW_ADVICE = 3; // the most urgent come first; the rest is there when asked for
let allAdvice = false;
const seconds = (value) => milliseconds(value === null || value === undefined ? value : 1e3 * value);

const charts = [
  new Chart(find("chart-response"), { title: "Response time", unit: seconds, height: 190, logarithmic: true, lines: [{ name: "p50", series: "p50", class: "one" }, { name: "p95", series: "p95", class: "two" }, { name: "p99", series: "p99", class: "three" }] }),
  new Chart(find("chart-rate"), { title: "Throughput", unit: rate, least: 0.05, lines: [{ name: "requests", series: "rate", class: "one" }] }),
  new Chart(find("chart-errors"), { title: "Error rate", unit: percent, least: 0.01, most: 1, lines: [{ name: "errors", series: "errors", class: "error" }] }),
  new Chart(find("chart-cpu"), { title: "CPU", unit: percent, least: 0.1, most: 1, height: 110, lines: [{ name: "CPU", series: "cpu", class: "four" }] }),
  new Chart(find("chart-memory"), { title: "Memory", unit: bytes, scale: 2 ** 20, height: 110, lines: [{ name: "memory", series: "memory", class: "four" }] }),
  new Chart(find("chart-lag"), { title: "Event-loop lag", unit: seconds, least: 0.001, height: 110, lines: [{ name: "mean lag", series: "lag", class: "four" }] }),
];

function tell(mood, text) {
  find("service").className = `service ${mood}`;
  const said = find("service").querySelector(".words");
  if (said.textContent !== text) said.textContent = text;
}

function tiles(overview) {
  const slow = overview.slowest_trace ? `/traces/${overview.slowest_trace}` : null;
  return [
    { name: "Requests", value: whole(overview.requests), about: rate(overview.requests_per_s) },
    { name: "Average response", value: milliseconds(overview.average_ms), about: "last 5 minutes" },
    { name: "p95 response", value: milliseconds(overview.p95_ms), about: slow ? "slowest trace" : "last 5 minutes", href: slow },
    { name: "Errors", value: percent(overview.error_rate), about: `${whole(overview.errors)} since the start`, bad: overview.error_rate > 0, href: overview.errors ? "/traces?error=true&since=24h" : null },
    { name: "Active agents", value: `${overview.agents_active} / ${overview.agents}`, about: overview.agents_active < overview.agents ? "not all in service" : "all in service", bad: overview.agents_active < overview.agents },
    { name: "Tasks running", value: whole(overview.running), about: `${whole(overview.queued)} waiting` },
  ];
}

function tile({ name, value, about, bad, href }) {
  return element("div", { class: bad ? "tile bad-tile" : "tile" }, element("dt", { text: name }), element("dd", {}, element("span", { class: "value", text: value }), href ? element("a", { class: "about", href, text: about }) : element("span", { class: "about", text: about })));
}

function showHealth({ score, lowered_by: lowered }) {
  const mood = score >= 90 ? "good" : score >= 60 ? "warn" : "bad";
  find("health").className = `panel health ${mood}`;
  find("score").textContent = score;
  find("score").setAttribute("aria-label", `${score} of 100`);
  const length = 2 * Math.PI * 34;
  find("ring").replaceChildren(svg("svg", { viewBox: "0 0 84 84", width: 84, height: 84 },
    svg("circle", { class: "rail", cx: 42, cy: 42, r: 34 }),
    svg("circle", { class: "arc", cx: 42, cy: 42, r: 34, "stroke-dasharray": `${(score / 100) * length} ${length}`, transform: "rotate(-90 42 42)" })));
  const shown = lowered.length ? lowered : [{ points: 0, reason: "Nothing lowers it." }];
  sync(find("lowered"), shown, (one) => one.reason, (one) => element("li", {}, one.points ? element("b", { text: `−${one.points}` }) : null, element("span", { text: one.reason })));
}

function advice(one) {
  const line = element("li", { class: `item ${one.priority}` },
    element("p", { class: "what" }, element("span", { class: `tag ${one.priority}`, text: one.priority }), element("strong", { text: one.what })),
    element("p", { text: one.evidence }), element("p", { class: "effect", text: `Expected: ${one.effect}` }),
    one.settings ? element("pre", { class: "settings", text: one.settings }) : null);
  if (one.trace) line.append(element("a", { href: `/traces/${one.trace}`, text: "Example trace" }));
  return line;
}

function taskRow(task) {
  const live = LIVE.has(task.status);
  return element("li", { class: "task" },
    element("span", { class: `state ${task.status}`, text: words(task.status) }),
    element("button", { class: "task-name mono", type: "button", text: task.capability, title: "show its result", onclick: () => open(task) }),
    element("span", { class: "took", text: live ? "" : milliseconds(task.duration_ms) }),
    task.trace_id && !live ? element("a", { class: "to-trace", href: `/traces/${task.trace_id}`, "aria-label": `trace of ${task.capability}`, text: "trace" }) : element("span"),
    element("time", { class: "when", datetime: task.created, text: clock(task.created) }));
}

function list(name, items, key, render) {
  sync(find(name), items, key, render);
}

function draw(changed) {
  const { parts } = live;
  const overview = parts.get("overview");
  const time = parts.get("time");
  tell("ready", `live · up ${milliseconds(time.at_ms - time.started_ms)}`);
  find("collected").textContent = `Collected in ${milliseconds(time.collected_ms)} at ${clock(time.at_ms)}.`;
  if (changed.has("overview")) {
    showHealth(overview.health);
    list("tiles", tiles(overview), (one) => one.name, tile);
    document.title = `${overview.health.score} · PEA`;
    if (overview.agents_active) learn().catch(() => null); // asked again with the next change
  }
  if (changed.has("charts")) for (const chart of charts) chart.show(parts.get("charts"));
  if ([...changed].some((name) => name.startsWith("agent/"))) showAgents(live.agents());
  if (changed.has("tasks")) {
    const tasks = parts.get("tasks");
    list("tasks", tasks, (task) => task.id, taskRow);
    find("no-tasks").hidden = tasks.length > 0;
  }
  if (changed.has("recommendations")) {
    const found = parts.get("recommendations");
    find("advice-section").hidden = !found.length;
    const more = find("more-advice");
    more.hidden = found.length <= FEW_ADVICE;
    more.textContent = allAdvice ? "Show fewer" : `Show all ${found.length}`;
    more.setAttribute("aria-expanded", allAdvice);
    list("advice", allAdvice ? found : found.slice(0, FEW_ADVICE), (one) => `${one.kind}/${one.subject}/${one.evidence}`, advice);
  }
  if (changed.has("alerts")) {
    const found = parts.get("alerts");
    find("alerts-section").hidden = !found;
    find("no-alerts").hidden = Boolean(found?.length);
    list("alerts", found ?? [], (one) => String(one.id ?? one.name), alert);
  }
}

find("more-advice").addEventListener("click", () => {
  allAdvice = !allAdvice;
  draw(new Set(["recommendations"]));
});

function chooseWindow(window) {
  for (const button of find("windows").children) button.setAttribute("aria-pressed", button.textContent === window);
  live.open(window);
}

const live = new Live(draw, tell);
find("windows").replaceChildren(...WINDOWS.map((window) => element("button", { type: "button", class: "quiet small", text: window, onclick: () => chooseWindow(window) })));
chooseWindow("15m");
watchObjectives();
