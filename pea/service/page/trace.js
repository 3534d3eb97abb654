// One trace: where its time went, the waterfall, what a span says of itself, and who called whom.

import { poll, Problem } from "/page/api.js";
import { copy, element, find, sync } from "/page/dom.js";
import { details } from "/page/details.js";
import { microseconds, moment, percent, whole } from "/page/format.js";
import { drawGraph } from "/page/graph.js";
import { label, Waterfall } from "/page/waterfall.js";

const id = location.pathname.split("/").pop();
const RETRIES = 5, RETRY_MS = 700; // a trace that has just ended is written within a second

async function read(left = RETRIES) {
  try {
    return await poll(`/v1/traces/${encodeURIComponent(id)}`);
  } catch (error) {
    if (!(error instanceof Problem) || error.details.status !== 404 || !left) throw error;
    await new Promise((done) => setTimeout(done, RETRY_MS));
    return read(left - 1);
  }
}

function facts(trace) {
  const parts = [
    moment(trace.start_ms), microseconds(trace.duration_us), `${whole(trace.spans)} ${trace.spans === 1 ? "span" : "spans"}`,
    ...(trace.errors ? [`${trace.errors} ${trace.errors === 1 ? "error" : "errors"}`] : []), ...(trace.capability ? [trace.name] : []), trace.services.join(", "),
  ];
  const line = parts.map((text) => element("span", { text, class: /errors?$/.test(text) ? "bad" : "" }));
  return [...line, element("code", { text: trace.trace_id })];
}

// The spans with the most time on the critical path: the answer to "what took so long?" before any reading.
function shares(trace, waterfall) {
  const waits = trace.rows.map((row) => ({ row, us: (row.critical ?? []).reduce((sum, [from, to]) => sum + to - from, 0) }));
  const whole = waits.reduce((sum, wait) => sum + wait.us, 0);
  const top = waits.filter((wait) => wait.us > 0).sort((one, other) => other.us - one.us).slice(0, 5);
  find("blame").hidden = !whole || trace.rows.length < 2;
  find("shares").replaceChildren(...top.map(({ row, us }) => {
    const bar = element("span", { class: "bar" });
    bar.style.width = `${(100 * us) / whole}%`;
    return element("li", {}, element("button", { type: "button", class: "share", onclick: () => waterfall.show(row.id) },
      element("span", { class: "operation", text: label(row) }), element("span", { class: "service-name", text: row.agent || row.service }),
      element("span", { class: "took", text: `${microseconds(us)} · ${percent(us / whole)}` }), element("span", { class: "track", "aria-hidden": "true" }, bar)));
  }));
}

function draw(trace) {
  document.title = `${trace.capability || trace.name} · ${microseconds(trace.duration_us)} · PEA`;
  find("name").textContent = trace.capability || trace.name || "(unnamed)";
  find("facts").replaceChildren(...facts(trace));
  find("drawing").hidden = false;
  const panel = find("details");
  const waterfall = new Waterfall(trace, (row, asked) => {
    history.replaceState(null, "", `#${row.id}`);
    panel.replaceChildren(...details(row, trace));
    if (asked && matchMedia("(max-width: 1100px)").matches) panel.scrollIntoView({ block: "nearest", behavior: "smooth" });
  });
  find("legend-hit").hidden = !trace.rows.some((row) => row.ticks?.some((tick) => tick.tier !== "none"));
  find("legend-miss").hidden = !trace.rows.some((row) => row.ticks?.some((tick) => tick.tier === "none"));
  shares(trace, waterfall);
  if (trace.edges.length) {
    find("graph-section").hidden = false;
    drawGraph(find("graph"), trace, (name) => waterfall.find(name));
  }
  find("copy").addEventListener("click", () => copy(JSON.stringify(trace, null, 2), find("copy")));
  const link = find("download");
  link.href = `/v1/traces/${trace.trace_id}/otlp`;
  link.download = `${trace.trace_id}.otlp.json`;
  // Where an error went up through several spans, it began in the deepest.
  const worst = trace.rows.filter((row) => row.status === "error").reduce((deepest, row) => (row.depth > (deepest?.depth ?? -1) ? row : deepest), null);
  waterfall.show(location.hash.slice(1) || worst?.id || trace.rows[0].id, false);
}

try {
  draw(await read());
} catch (error) {
  const notice = find("trouble");
  notice.hidden = false;
  notice.textContent = error instanceof Problem && error.details.status === 404
    ? "This trace is not in the store: it was not kept, or is older than what is kept."
    : `The trace cannot be shown: ${error.message}`;
  sync(find("facts"), [], String, String);
}
