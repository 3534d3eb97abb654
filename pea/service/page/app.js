// The live page: asks the API every two seconds while it is looked at, and runs capabilities.

import { cancel, ended, poll, Problem, submit } from "/page/api.js";
import { fields, startingInput } from "/page/schema.js";
import { agentRow, fieldLine, option, overview, problemOutcome, sync, taskOutcome, taskRow, tile } from "/page/view.js";

const EVERY_MS = 2_000;
const RECENT = 25;
const COUNTED = 200;

const find = (id) => document.getElementById(id);
const form = find("run"), choice = find("capability"), input = find("input"), outcome = find("outcome");
const runButton = find("submit"), cancelButton = find("cancel");

let capabilities = new Map();
let shown = null; // the id of the task in the outcome
let running = null; // the task that was submitted here and has not ended

function tell(mood, text) {
  find("service").className = `service ${mood}`;
  find("service").querySelector(".words").textContent = text;
}

function counted(page) {
  return page.next ? `${COUNTED}+` : page.tasks.length;
}

async function refresh() {
  const ready = await poll("/readyz").then(
    (answer) => ["ready", `ready, started in ${Math.round(answer.started_ms)} ms`],
    (error) => {
      if (error instanceof Problem) return ["waiting", error.message];
      throw error;
    },
  );
  const { agents } = await poll("/v1/agents");
  sync(find("agents"), agents, (agent) => agent.name, agentRow);
  find("no-agents").hidden = agents.length > 0;
  if (ready[0] === "ready") {
    const [active, queued, recent] = await Promise.all([
      poll(`/v1/tasks?status=running&limit=${COUNTED}`),
      poll(`/v1/tasks?status=queued&limit=${COUNTED}`),
      poll(`/v1/tasks?limit=${RECENT}`),
    ]);
    sync(find("overview"), overview(agents, counted(active), counted(queued)), (one) => one.name, tile);
    const newest = new Map([...active.tasks.slice(0, RECENT), ...recent.tasks].map((task) => [task.id, task]));
    sync(find("tasks"), [...newest.values()], (task) => task.id, (task) => taskRow(task, open));
    find("no-tasks").hidden = newest.size > 0;
    if (!capabilities.size) await learn();
  }
  tell(...ready);
}

async function learn() {
  const listed = (await poll("/v1/capabilities")).capabilities;
  capabilities = new Map(listed.map((capability) => [capability.name, capability]));
  choice.replaceChildren(...listed.map(option));
  runButton.disabled = !listed.length;
  choose();
}

function choose() {
  const capability = capabilities.get(choice.value);
  if (!capability) return;
  find("summary").textContent = capability.summary;
  input.value = JSON.stringify(startingInput(capability.input), null, 2);
  input.removeAttribute("aria-invalid");
  find("fields").replaceChildren(...fields(capability.input).map(fieldLine));
}

function show(id, parts) {
  shown = id;
  outcome.replaceChildren(...parts);
  find("result").hidden = false;
}

function showError(error) {
  show(null, problemOutcome(error instanceof Problem ? error.details : { title: "No answer", detail: error.message }));
}

async function open(task) {
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
    refresh().catch(() => null); // the next poll says so if the service is gone
  }
}

async function takeBack() {
  if (running) await cancel(running).catch(() => null); // it may have ended meanwhile; its own answer says so
}

async function live() {
  if (!document.hidden) {
    try {
      await refresh();
    } catch {
      tell("gone", "the service does not answer");
    }
  }
  setTimeout(live, EVERY_MS);
}

choice.addEventListener("change", choose);
form.addEventListener("submit", run);
cancelButton.addEventListener("click", takeBack);
live();
