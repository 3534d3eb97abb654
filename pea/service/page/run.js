// The form that runs a capability, and the place where a task's outcome is shown.

import { cancel, ended, poll, Problem, submit } from "/page/api.js";
import { element, find } from "/page/dom.js";
import { milliseconds, words } from "/page/format.js";
import { fields, startingInput } from "/page/schema.js";

const LIVE = new Set(["queued", "running"]);
const form = find("run"), choice = find("capability"), input = find("input"), outcome = find("outcome");
const runButton = find("submit"), cancelButton = find("cancel");

let capabilities = new Map();
let shown = null; // the id of the task in the outcome
let running = null; // the task that was submitted here and has not ended

export async function learn() {
  if (capabilities.size) return;
  const listed = (await poll("/v1/capabilities")).capabilities;
  capabilities = new Map(listed.map((capability) => [capability.name, capability]));
  choice.replaceChildren(...listed.map(({ name, available }) => element("option", { value: name, text: name, disabled: !available })));
  runButton.disabled = !listed.length;
  choose();
}

function choose() {
  const capability = capabilities.get(choice.value);
  if (!capability) return;
  find("summary").textContent = capability.summary;
  input.value = JSON.stringify(startingInput(capability.input), null, 2);
  input.removeAttribute("aria-invalid");
  find("fields").replaceChildren(...fields(capability.input).map((field) => {
    const line = element("li", {}, element("code", { text: field.name }), ` ${field.kind}${field.required ? ", required" : ""}`);
    if (field.about) line.append(` · ${field.about}`);
    return line;
  }));
}

function facts(pairs) {
  return element("dl", {}, ...pairs.filter(([, value]) => value).map(([name, value]) => element("div", {}, element("dt", { text: name }), element("dd", { class: "mono" }, value))));
}

function traceLink(id) {
  return id ? element("a", { href: `/traces/${id}`, text: "open the waterfall" }) : null;
}

// A text is shown as a text; a result that brings one along (`text`) shows it first.
function readable(result) {
  if (typeof result === "string") return result;
  if (typeof result?.text !== "string") return JSON.stringify(result, null, 2);
  const { text, ...rest } = result;
  return Object.keys(rest).length ? `${text}\n\n${JSON.stringify(rest, null, 2)}` : text;
}

function taskOutcome(task) {
  return [
    element("p", {}, element("span", { class: `state ${task.status}`, text: words(task.status) })),
    task.error ? element("p", { class: "bad", text: task.error.message }) : null,
    facts([["Capability", task.capability], ["Where", task.error?.where], ["Fix", task.error?.fix], ["Took", LIVE.has(task.status) ? "" : milliseconds(task.duration_ms)], ["Task", task.id], ["Trace", traceLink(task.trace_id)]]),
    "result" in task ? element("pre", { text: readable(task.result), tabindex: "0" }) : null,
  ].filter(Boolean);
}

function problemOutcome(details) {
  return [
    element("p", {}, element("span", { class: "state failed", text: details.title ?? "Refused" })),
    element("p", { class: "bad", text: details.detail ?? "" }),
    facts([["Where", details.where], ["Fix", details.fix], ["Trace", traceLink(details.trace_id)]]),
  ];
}

function show(id, parts) {
  shown = id;
  outcome.replaceChildren(...parts);
  find("result").hidden = false;
}

function showError(error) {
  show(null, problemOutcome(error instanceof Problem ? error.details : { title: "No answer", detail: error.message }));
}

export async function open(task) {
  try {
    show(task.id, taskOutcome(await poll(task.links.self)));
    find("result").scrollIntoView({ block: "nearest", behavior: "smooth" });
  } catch (error) {
    showError(error);
  }
}

async function run(event) {
  event.preventDefault();
  let value;
  try {
    value = JSON.parse(input.value || "{}");
  } catch (error) {
    input.setAttribute("aria-invalid", "true");
    return showError(new Problem({ title: "The input is not JSON", detail: error.message }));
  }
  input.removeAttribute("aria-invalid");
  runButton.disabled = true;
  try {
    const task = (running = await submit(choice.value, value));
    cancelButton.hidden = false;
    show(task.id, taskOutcome(task));
    const end = await ended(task);
    if (shown === task.id) show(task.id, taskOutcome(end));
  } catch (error) {
    showError(error);
  } finally {
    running = null;
    cancelButton.hidden = true;
    runButton.disabled = false;
  }
}

async function takeBack() {
  if (running) await cancel(running).catch(() => null); // it may have ended meanwhile; its own answer says so
}

choice.addEventListener("change", choose);
form.addEventListener("submit", run);
cancelButton.addEventListener("click", takeBack);
