// The objectives: each with what it is now, what is left of its budget, and how fast that is being spent.

import { poll } from "/page/api.js";
import { element, find, sync } from "/page/dom.js";
import { NONE, percent } from "/page/format.js";

const EVERY_MS = 15_000;
const HEADS = ["Objective", "Now", "Budget left", "Burn"];

const times = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)}×`;

function budget(one) {
  if (one.budget_left === null) return element("td", { class: "left", "data-label": HEADS[2], text: NONE });
  const left = Math.max(one.budget_left, 0);
  const bar = element("meter", { min: 0, max: 1, low: 0.25, optimum: 1, value: left, "aria-hidden": "true" });
  const said = one.budget_left < 0 ? `spent ${times(1 - one.budget_left)}` : percent(left);
  return element("td", { class: `left${one.budget_left < 0 ? " bad" : ""}`, "data-label": HEADS[2] }, bar, said);
}

function row(one) {
  const mood = one.met === null ? "other" : one.met ? "ready" : "failed";
  const burning = one.burn !== null && one.burn > 1;
  return element("tr", {},
    element("th", { scope: "row" }, element("span", { class: `state ${mood}`, title: one.met === null ? "too little is known" : one.met ? "met" : "missed" }, one.name), element("span", { class: "objective", text: one.objective })),
    element("td", { class: "now-text", "data-label": HEADS[1], text: one.now }),
    budget(one),
    element("td", { class: `number${burning ? " bad" : ""}`, "data-label": HEADS[3], text: one.burn === null ? NONE : times(one.burn) }));
}

async function refresh() {
  const sla = await poll("/v1/sla").catch(() => null); // not open yet, or the connection is lost: the page says so elsewhere
  if (!sla?.objectives.length) return;
  find("sla-section").hidden = false;
  find("sla-about").textContent = `Over ${Math.round(sla.period_s / 86_400)} days. A burn of 1× spends the budget exactly.${sla.shed ? ` Load is shed: ${sla.shed_reason}.` : ""}`;
  sync(find("sla"), sla.objectives, (one) => one.name, row);
}

export function watchObjectives() {
  find("sla-head").replaceChildren(...HEADS.map((text, place) => element("th", { scope: "col", class: place === 3 ? "number" : null, text })));
  const again = () => refresh().finally(() => setTimeout(again, document.hidden ? 4 * EVERY_MS : EVERY_MS));
  again();
}
