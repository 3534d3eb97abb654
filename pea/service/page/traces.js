// The search for traces: the form is the address, so that a search can be kept and shared.

import { poll, Problem } from "/page/api.js";
import { element, find, svg, sync } from "/page/dom.js";
import { ago, clock, milliseconds, whole } from "/page/format.js";

const form = find("search"), said = find("said");
let asked = 0;

function wanted() {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value.trim()) query.set(name, value.trim());
  if (query.has("start_ms")) query.delete("since"); // a chart's point is a time of its own
  return query;
}

function fill(query) {
  for (const field of form.elements) {
    if (!field.name || !query.has(field.name)) continue;
    const value = query.get(field.name);
    if (field.type === "checkbox") field.checked = value === field.value;
    else {
      if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) field.append(element("option", { value, text: value }));
      field.value = value;
    }
  }
}

function row(longest) {
  return (trace) => {
    const bar = element("span", { class: `bar ${trace.errors ? "error" : ""}` });
    bar.style.width = `${Math.max(0.4, (100 * trace.duration_ms) / (longest || 1))}%`;
    const others = trace.services.filter((service) => service.name !== trace.service).map((service) => service.name);
    return element("li", {}, element(
      "a", { href: `/traces/${trace.trace_id}`, class: "result" },
      element("span", { class: "what" }, element("span", { class: "operation", text: trace.capability || trace.name || "(unnamed)" }), element("span", { class: "service-name", text: [...(trace.capability ? [trace.name] : []), trace.service, ...others].join(" · ") })),
      element("span", { class: "spans", text: `${whole(trace.spans)} ${trace.spans === 1 ? "span" : "spans"}` }),
      element("span", { class: "errors", text: trace.errors ? `${trace.errors} ${trace.errors === 1 ? "error" : "errors"}` : "" }),
      element("time", { class: "when", datetime: new Date(trace.start_ms).toISOString(), title: ago(trace.start_ms), text: clock(trace.start_ms) }),
      element("span", { class: "took", text: milliseconds(trace.duration_ms) }),
      element("span", { class: "track", "aria-hidden": "true" }, bar),
    ));
  };
}

// Every trace as a dot, time across and duration (logarithmic) up: what is slow or failed stands out.
function scatter(traces) {
  const figure = find("scatter");
  figure.hidden = traces.length < 2;
  if (figure.hidden) return;
  const width = figure.clientWidth || 800, height = 150, left = 52, right = 12, top = 10, bottom = 22;
  const times = traces.map((trace) => trace.start_ms), tooks = traces.map((trace) => Math.max(trace.duration_ms, 1e-3));
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const [low, high] = [Math.floor(Math.log10(Math.min(...tooks))), Math.ceil(Math.log10(Math.max(...tooks)) + 1e-9)];
  const x = (at) => left + ((at - from) / (to - from || 1)) * (width - left - right);
  const y = (ms) => height - bottom - ((Math.log10(Math.max(ms, 1e-3)) - low) / (high - low || 1)) * (height - top - bottom);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${traces.length} traces by time and duration; the list below has the same` });
  for (let power = low; power <= high; power += Math.max(1, Math.ceil((high - low) / 4))) {
    const at = y(10 ** power);
    drawing.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: at, y2: at }), svg("text", { class: "tick", x: left - 8, y: at + 4, "text-anchor": "end", text: milliseconds(10 ** power) }));
  }
  drawing.append(svg("text", { class: "tick", x: left, y: height - 5, text: clock(from) }), svg("text", { class: "tick", x: width - right, y: height - 5, "text-anchor": "end", text: clock(to) }));
  for (const trace of [...traces].sort((one, other) => one.errors - other.errors)) {
    const dot = svg("circle", { class: trace.errors ? "dot error" : "dot", cx: x(trace.start_ms), cy: y(trace.duration_ms), r: Math.min(9, 3 + Math.log10(trace.spans + 1) * 1.6) }, svg("title", { text: `${trace.capability || trace.name} · ${milliseconds(trace.duration_ms)} · ${clock(trace.start_ms)}` }));
    dot.addEventListener("click", () => (location.href = `/traces/${trace.trace_id}`));
    drawing.append(dot);
  }
  figure.replaceChildren(drawing);
}

async function search() {
  const turn = ++asked;
  said.textContent = "searching …";
  try {
    const found = await poll(`/v1/traces/search?${wanted()}`);
    if (turn !== asked) return;
    const longest = Math.max(...found.traces.map((trace) => trace.duration_ms), 0);
    sync(find("results"), found.traces, (trace) => trace.trace_id, row(longest));
    find("nothing").hidden = found.traces.length > 0;
    scatter(found.traces);
    said.textContent = `${found.traces.length} found in ${milliseconds(found.took_ms)}${found.complete ? "" : "; the search stopped early: narrow it by time or service"}`;
  } catch (error) {
    if (turn !== asked) return;
    said.textContent = error instanceof Problem ? [error.details.where, error.message, error.details.fix].filter(Boolean).join(": ") : "the service does not answer";
  }
}

async function learnServices() {
  const names = (await poll("/api/services")).data ?? [];
  const chosen = form.elements.service.value;
  const known = new Set([...form.elements.service.options].map((option) => option.value));
  form.elements.service.append(...names.filter((name) => !known.has(name)).map((name) => element("option", { value: name, text: name })));
  form.elements.service.value = chosen;
  await learnOperations(names);
}

async function learnOperations(names) {
  const service = form.elements.service.value || (names?.length === 1 ? names[0] : "");
  const found = service ? (await poll(`/api/services/${encodeURIComponent(service)}/operations`)).data ?? [] : [];
  find("operations").replaceChildren(...found.map((name) => element("option", { value: name })));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  history.pushState(null, "", `/traces?${wanted()}`);
  search();
});
form.elements.since.addEventListener("change", () => { form.elements.start_ms.value = form.elements.end_ms.value = ""; });
form.addEventListener("reset", () => setTimeout(() => {
  form.elements.start_ms.value = form.elements.end_ms.value = "";
  form.requestSubmit();
}));
form.elements.service.addEventListener("change", () => learnOperations().catch(() => null)); // a list of suggestions, no more
addEventListener("popstate", () => location.reload());
addEventListener("resize", () => { if (!find("scatter").hidden) search(); });
fill(new URLSearchParams(location.search));
learnServices().catch(() => null);
search();
