// Makes elements. Text is only ever set as text, styles only through the object model: the policy allows nothing else.

const SVG = "http://www.w3.org/2000/svg";

function dressed(made, { class: name, text, ...attributes }, children) {
  if (name) made.setAttribute("class", name);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function element(tag, attributes = {}, ...children) {
  return dressed(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return dressed(document.createElementNS(SVG, tag), attributes, children);
}

export const find = (id) => document.getElementById(id);

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
    if (kept) kept.replaceWith(fresh);
    return fresh;
  });
  wanted.forEach((child, place) => {
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
  });
  while (parent.children.length > wanted.length) parent.lastElementChild.remove();
}

export async function copy(text, button) {
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => (button.textContent = said), 1_500);
}
