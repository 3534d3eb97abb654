// Who is logged in: sends to the login when a token is needed, and offers to log out.

const PATH = "/v1/session";

async function ask(method, body) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const response = await fetch(PATH, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw Object.assign(new Error(said.detail ?? `the service answered ${response.status}`), { status: response.status });
  return said;
}

export const logIn = (token) => ask("POST", { token });

// To the login, and back here afterwards.
export function toLogin() {
  const here = location.pathname + location.search + location.hash;
  location.replace(`/login?next=${encodeURIComponent(here)}`);
}

// Goes to the login where a token is needed and none was shown; the session otherwise.
export async function checkLogin() {
  const session = await ask("GET").catch(() => null);
  if (session?.locked && session.scopes.length === 0) toLogin();
  return session;
}

// Where tokens are needed: a button that logs out.
async function greet() {
  const session = await checkLogin();
  if (!session?.locked || session.scopes.length === 0) return;
  const leave = document.createElement("button");
  leave.type = "button";
  leave.className = "quiet small";
  leave.textContent = "Log out";
  leave.title = `Logged in with the token “${session.name}”: ${session.scopes.join(", ")}`;
  leave.addEventListener("click", async () => {
    await ask("DELETE").catch(() => null);
    location.assign("/login");
  });
  document.querySelector("header nav")?.append(leave);
}

if (location.pathname !== "/login") greet();
