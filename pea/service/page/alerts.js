// An alert: what is wrong, why in words, its causes with figures before and now, and the traces that show it.

import { course } from "/page/course.js";
import { element } from "/page/dom.js";
import { bytes, clock, milliseconds, percent } from "/page/format.js";

const CAUSES = 3;
const TRACES = 5;

function causeRow(cause, errors) {
  if (cause.kind === "memory") return [cause.agent || "not accounted for", "", `+${bytes(cause.grown_bytes)}`, percent(cause.share)];
  if (cause.kind === "allocation") return [cause.where, "", bytes(cause.held_bytes), ""];
  if (cause.kind === "blocked") return [cause.where, "", milliseconds(1e3 * cause.blocked_s), ""];
  const figure = (side) => (!side.calls ? "–" : errors ? percent(side.error_ratio) : milliseconds(side.self_ms));
  const where = element("span", {}, element("b", { text: cause.who }), ` ${cause.place.operation} `, element("span", { class: "sign", text: cause.sign }));
  return [where, figure(cause.before), figure(cause.after), percent(cause.share)];
}

function causes(found) {
  const spans = found.some((cause) => cause.before);
  const errors = spans && found[0].after.error_ratio > found[0].before.error_ratio + 0.01;
  const of = spans && found[0].compared === false ? "of all" : "of added";
  const share = errors ? `${of} failures` : spans ? `${of} time` : "of growth";
  const what = errors ? "failing" : spans ? "own time" : "";
  const heads = ["Likely cause", spans ? `${what} before` : "", spans ? "now" : "size", share];
  const rows = found.slice(0, CAUSES).map((cause) => {
    const [where, ...figures] = causeRow(cause, errors);
    return element("tr", {}, element("th", { scope: "row" }, where), ...figures.map((text, place) => element("td", { class: "number", "data-label": text ? heads[place + 1] : null, text })));
  });
  return element("div", { class: "causes" }, element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map((text, place) => element("th", { scope: "col", class: place ? "number" : null, text })))),
    element("tbody", {}, ...rows)));
}

export function alert(one) {
  const traces = one.exemplars.slice(0, TRACES);
  return element("li", { class: `item alert ${one.severity}` },
    element("p", { class: "what" }, element("span", { class: `tag ${one.severity}`, text: one.severity }), element("strong", { text: one.message })),
    element("p", { class: "sign", text: `Since ${clock(one.since)}, told at ${clock(one.fired)} by the rule ${one.rule}.` }),
    one.explanation ? element("p", { text: one.explanation }) : null,
    one.cause.length ? causes(one.cause) : null,
    one.course ? course(one.course) : null,
    traces.length ? element("p", { class: "proof" }, "Traces that show it: ", ...traces.map((trace) => element("a", { href: `/traces/${trace}`, class: "mono", text: trace.slice(0, 8) }))) : null);
}
