// Turns what the API says into elements. Text is only ever set as text.

const LIVE = new Set(["queued", "running"]);

export function element(tag, { class: name, text, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Brings a list of elements up to date, keeping those that stay: focus and selection survive a refresh.
export function sync(parent, items, key, render) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const print = JSON.stringify(item);
    const kept = old.get(key(item));
    if (kept?.dataset.print === print) return kept;
    const fresh = render(item);
    fresh.dataset.key = key(item);
    fresh.dataset.print = print;
    return fresh;
  });
  wanted.forEach((child, place) => {
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
  });
  while (parent.children.length > wanted.length) parent.lastElementChild.remove();
}

export function milliseconds(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 1_000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

export function share(part, whole) {
  if (!whole || !part) return "0 %";
  const percent = (100 * part) / whole;
  return percent < 0.1 ? "< 0.1 %" : `${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}

function clock(moment) {
  const at = new Date(moment);
  const today = at.toDateString() === new Date().toDateString();
  return today ? at.toLocaleTimeString() : at.toLocaleDateString();
}

const words = (state) => state.replace("_", " ");

export function overview(agents, running, queued) {
  const called = agents.map((agent) => agent.figures).filter(Boolean);
  const calls = called.reduce((sum, figures) => sum + figures.count, 0);
  const errors = called.reduce((sum, figures) => sum + figures.errors, 0);
  const ready = agents.filter((agent) => agent.state === "ready").length;
  return [
    { name: "Agents ready", value: `${ready} / ${agents.length}`, bad: ready < agents.length },
    { name: "Running", value: running },
    { name: "Waiting", value: queued },
    { name: "Agent calls", value: calls.toLocaleString() },
    { name: "Errors", value: calls ? share(errors, calls) : "–", bad: errors > 0 },
    { name: "Slowest p95", value: called.length ? milliseconds(Math.max(...called.map((figures) => figures.p95_ms))) : "–" },
  ];
}

export function tile({ name, value, bad }) {
  return element("div", { class: bad ? "bad" : "" }, element("dt", { text: name }), element("dd", { text: value }));
}

export function agentRow(agent) {
  const name = element("th", { scope: "row", text: agent.name });
  const trouble = agent.reason ?? agent.health.problem;
  if (trouble) name.append(element("span", { class: "reason", text: trouble }));
  const state = element("td", { class: "where" }, element("span", { class: `state ${agent.state}`, text: agent.state }));
  const figures = agent.figures;
  const cell = (label, text, mood = "") => element("td", { class: `number ${figures ? mood : "none"}`, "data-label": label, text: figures ? text() : "–" });
  return element(
    "tr", { class: figures ? "" : "uncalled" }, name, state,
    cell("Calls", () => figures.count.toLocaleString()),
    cell("Errors", () => share(figures.errors, figures.count), figures?.errors ? "bad" : ""),
    ...["Mean", "p50", "p95", "p99", "Max"].map((word) => cell(word, () => milliseconds(figures[`${word.toLowerCase()}_ms`]))),
  );
}

export function taskRow(task, open) {
  const took = LIVE.has(task.status) ? "" : milliseconds(task.duration_ms);
  const row = element(
    "button", { class: "task", type: "button" },
    element("span", { class: `state ${task.status}`, text: words(task.status) }),
    element("span", { class: "name mono", text: task.capability }),
    element("span", { class: "took", text: took }),
    element("time", { class: "when", datetime: task.created, text: clock(task.created) }),
  );
  row.addEventListener("click", () => open(task));
  return element("li", {}, row);
}

export function option(capability) {
  const made = element("option", { value: capability.name, text: capability.name });
  made.disabled = !capability.available;
  return made;
}

export function fieldLine(field) {
  const line = element("li", {}, element("code", { text: field.name }), ` ${field.kind}${field.required ? ", required" : ""}`);
  if (field.about) line.append(` · ${field.about}`);
  return line;
}

function facts(pairs) {
  const list = element("dl");
  for (const [name, value] of pairs) {
    if (value) list.append(element("div", {}, element("dt", { text: name }), element("dd", { class: "mono", text: value })));
  }
  return list;
}

export function taskOutcome(task) {
  const parts = [element("p", {}, element("span", { class: `state ${task.status}`, text: words(task.status) }))];
  if (task.error) parts.push(element("p", { class: "what", text: task.error.message }));
  parts.push(facts([
    ["Capability", task.capability],
    ["Where", task.error?.where],
    ["Fix", task.error?.fix],
    ["Took", LIVE.has(task.status) ? "" : milliseconds(task.duration_ms)],
    ["Task", task.id],
    ["Trace", task.trace_id],
  ]));
  if ("result" in task) parts.push(element("pre", { text: shown(task.result), tabindex: "0" }));
  return parts;
}

// A text is shown as a text; a result that brings one along (`text`) shows it first.
function shown(result) {
  if (typeof result === "string") return result;
  if (typeof result?.text === "string") {
    const { text, ...rest } = result;
    return Object.keys(rest).length ? `${text}\n\n${JSON.stringify(rest, null, 2)}` : text;
  }
  return JSON.stringify(result, null, 2);
}

export function problemOutcome(details) {
  return [
    element("p", {}, element("span", { class: "state refused", text: details.title ?? "Refused" })),
    element("p", { class: "what", text: details.detail ?? "" }),
    facts([["Where", details.where], ["Fix", details.fix], ["Trace", details.trace_id]]),
  ];
}
