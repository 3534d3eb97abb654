// The login: a token becomes a cookie that no script can read, and the page that was asked for is opened.

import { logIn } from "/page/session.js";

const form = document.getElementById("login");
const token = document.getElementById("token");
const wrong = document.getElementById("wrong");
const enter = document.getElementById("enter");

// A path of this service, whatever the address says.
function wanted() {
  const next = new URL(new URLSearchParams(location.search).get("next") ?? "/", location.origin);
  return next.origin === location.origin && next.pathname !== "/login" ? next.pathname + next.search + next.hash : "/";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  enter.disabled = true;
  wrong.hidden = true;
  try {
    await logIn(token.value.trim());
    location.replace(wanted());
  } catch (problem) {
    wrong.textContent = problem.status === 401 ? "This token is not valid, or no longer." : problem.message;
    wrong.hidden = false;
    token.select();
    token.focus();
  } finally {
    enter.disabled = false;
  }
});

enter.disabled = false; // until here a click would have sent the form by itself
