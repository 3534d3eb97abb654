// Who called whom in a trace: columns by distance from the start, frames that grow with their share of the wait.

import { svg } from "/page/dom.js";
import { microseconds, whole } from "/page/format.js";

const HIGH = 46, GAP = 18, COLUMN = 230, WIDE = 160, PAD = 12;

function columns(trace) {
  const depth = new Map();
  const called = new Set(trace.edges.filter((edge) => edge.source !== edge.target).map((edge) => edge.target));
  let ring = trace.nodes.map((node) => node.name).filter((name) => !called.has(name));
  if (!ring.length) ring = [trace.nodes[0].name];
  for (let column = 0; ring.length; column++) {
    for (const name of ring) depth.set(name, column);
    ring = [...new Set(trace.edges.filter((edge) => ring.includes(edge.source) && !depth.has(edge.target)).map((edge) => edge.target))];
  }
  for (const node of trace.nodes) if (!depth.has(node.name)) depth.set(node.name, 0);
  return depth;
}

export function drawGraph(box, trace, open) {
  const depth = columns(trace);
  const critical = trace.nodes.reduce((sum, node) => sum + node.critical_us, 0) || 1;
  const byColumn = [];
  for (const node of trace.nodes) (byColumn[depth.get(node.name)] ??= []).push(node);
  const tallest = Math.max(...byColumn.map((column) => column?.length ?? 0));
  const height = tallest * (HIGH + GAP) - GAP + 2 * PAD + 10, width = byColumn.length * COLUMN - (COLUMN - WIDE) + 2 * PAD + 30;
  const place = new Map();
  byColumn.forEach((column, at) => column?.forEach((node, row) => {
    const top = (height - (column.length * (HIGH + GAP) - GAP)) / 2;
    place.set(node.name, { x: PAD + at * COLUMN, y: top + row * (HIGH + GAP) });
  }));
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": trace.edges.map((edge) => `${edge.source} calls ${edge.target} ${edge.calls} times`).join("; ") });
  for (const edge of trace.edges) {
    const from = place.get(edge.source), to = place.get(edge.target);
    if (!from || !to) continue;
    const y1 = from.y + HIGH / 2, y2 = to.y + HIGH / 2;
    const x1 = from.x + WIDE, x2 = to.x > from.x ? to.x : to.x + WIDE;
    const bend = to.x > from.x ? Math.max(30, (x2 - x1) / 2) : 40;
    const path = edge.source === edge.target
      ? `M${x1} ${y1 - 8}c26 -12 26 28 0 16`
      : `M${x1} ${y1}C${x1 + bend} ${y1} ${to.x > from.x ? x2 - bend : x2 + bend} ${y2} ${x2} ${y2}`;
    drawing.append(svg("path", { class: edge.errors ? "edge error" : "edge", d: path }, svg("title", { text: `${edge.source} → ${edge.target}: ${edge.calls} calls${edge.errors ? `, ${edge.errors} failed` : ""}` })));
    if (edge.source !== edge.target) drawing.append(svg("text", { class: edge.errors ? "count error" : "count", x: x2 + (to.x > from.x ? -8 : 8), y: y2 - 6, "text-anchor": to.x > from.x ? "end" : "start", text: edge.errors ? `${edge.calls} · ${edge.errors} failed` : `${edge.calls} ×` }));
  }
  for (const node of trace.nodes) {
    const { x, y } = place.get(node.name);
    const share = node.critical_us / critical;
    const group = svg("g", { class: `node${node.agent ? "" : " service"}${node.errors ? " error" : ""}`, transform: `translate(${x} ${y})` },
      svg("rect", { width: WIDE, height: HIGH, rx: 9, "stroke-width": 1 + 4 * share }),
      svg("text", { class: "node-name", x: 12, y: 19, text: node.name.length > 19 ? `${node.name.slice(0, 18)}…` : node.name }),
      svg("text", { class: "node-about", x: 12, y: 36, text: `${whole(node.spans)} spans · self ${microseconds(node.self_us)}` }),
      svg("title", { text: `${node.name}: ${Math.round(100 * share)} % of the critical path${node.errors ? `, ${node.errors} errors` : ""}` }));
    group.addEventListener("click", () => open(node.name));
    drawing.append(group);
  }
  box.replaceChildren(drawing);
}
