// What a page does better with a script; without one every page works too.
"use strict";

const KEPT = "halo:";

// A form that was refused: the reader begins at what is wrong.
document.querySelector("[data-focus]")?.focus();

const parsed = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");

// What takes longer follows its page: into the slots of the page that it has values for, else here.
async function load(place) {
  place.ariaBusy = true;
  try {
    const answer = await fetch(place.dataset.load, { headers: { "X-Part": "1" } });
    if (answer.redirected) return location.reload();
    if (!answer.ok) throw new Error(String(answer.status));
    const part = (await parsed(answer)).body;
    const slots = part.querySelectorAll("[data-slot]");
    slots.forEach((slot) => document.getElementById(slot.id)?.replaceChildren(...slot.childNodes));
    place.replaceChildren(...(slots.length ? [] : part.childNodes));
  } catch {
    place.prepend("Not done: ");
  }
  place.ariaBusy = false;
}
const loadAll = (within) => within.querySelectorAll("[data-load]").forEach(load);
loadAll(document);

// A search narrows while somebody types: the part of the page that it names is replaced.
document.querySelectorAll("form[data-live]").forEach((form) => {
  let timer, latest = 0;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const mine = ++latest;
      const path = `${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`;
      const answer = await fetch(path).catch(() => null);
      if (mine !== latest || !answer?.ok) return;
      if (answer.redirected) return location.assign(answer.url);
      const part = form.dataset.live;
      const found = (await parsed(answer)).querySelector(part);
      if (!found) return;
      const place = document.querySelector(part);
      place.replaceChildren(...found.childNodes);
      loadAll(place);
      history.replaceState(null, "", path);
    }, 200);
  });
});

// A page that stands in a frame is asked for by a form.
document.querySelectorAll("form[data-into]").forEach((form) => form.requestSubmit());

// All tabs share one session: a tab says when the organisation was changed under it.
const whose = document.querySelector("[data-organization]");
if (whose) {
  const mine = JSON.stringify([whose.dataset.organization, whose.dataset.name]);
  const tell = (text) => {
    document.getElementById("elsewhere")?.remove();
    const notice = document.createElement("p");
    notice.id = "elsewhere";
    notice.className = "notice amber";
    notice.setAttribute("role", "alert");
    notice.textContent = text;
    document.querySelector("main").prepend(notice);
  };
  const id = (kept) => JSON.parse(kept)[0];
  const name = (kept) => JSON.parse(kept)[1];
  const key = `${KEPT}organization`;
  const before = sessionStorage.getItem(key);
  if (before && id(before) !== id(mine)) tell(`This tab was at ${name(before)}. It is at ${name(mine)} now, as another tab signed in there.`);
  sessionStorage.setItem(key, mine);
  const tabs = new BroadcastChannel(KEPT);
  tabs.addEventListener("message", ({ data }) => {
    if (id(data) !== id(mine))
      tell(`This page is of ${name(mine)}. In another tab you signed in to ${name(data)}: nothing can be saved here until you sign in to ${name(mine)} again.`);
  });
  tabs.postMessage(mine);
}

// What belongs to a choice is shown with it; so is what a picker suggests.
function fit(form) {
  const given = new FormData(form);
  for (const part of form.querySelectorAll("[data-for]")) {
    const [name, wanted] = part.dataset.for.split("=");
    const said = given.getAll(name);
    part.hidden = !(wanted ? wanted.split(",").some((each) => said.includes(each)) : said.length);
    part.disabled = part.hidden; // A fieldset's inputs are not sent then.
  }
  for (const input of form.querySelectorAll("[data-list-by]"))
    input.setAttribute("list", `${input.name}-${given.get(input.dataset.listBy)}`);
}
document.querySelectorAll("form[data-fits]").forEach((form) => {
  fit(form);
  form.addEventListener("change", () => fit(form));
});

// Pickers ask for what they suggest once somebody goes to them.
document.addEventListener("focusin", async ({ target }) => {
  const path = target.dataset.suggestions ?? target.list?.dataset.suggestions;
  if (!path || !target.list || target.list.dataset.asked === path) return;
  target.list.dataset.asked = path;
  const answer = await fetch(path, { headers: { Accept: "text/html" } });
  if (answer.ok && !answer.redirected && target.list) target.list.innerHTML = await answer.text();
});

// A merge field goes where somebody wrote last.
document.querySelectorAll("[data-inserts]").forEach((fields) => {
  const form = fields.closest("form");
  let at = "body";
  form.addEventListener("focusout", ({ target }) => {
    if (/^(subject|preview|body|html)$/.test(target.name)) at = target.name;
  });
  for (const field of [...fields.children]) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button chip";
    button.textContent = field.textContent;
    button.addEventListener("click", () => {
      const input = form.elements[at];
      input.setRangeText(field.textContent, input.selectionStart, input.selectionEnd, "end");
      input.focus();
    });
    field.replaceWith(button);
  }
});

// What goes on by itself is looked at again: a part of the page that says so is replaced.
async function again(part) {
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const answer = await fetch(location.href).catch(() => null);
  if (answer?.redirected || (answer && answer.status < 500 && !answer.ok)) return location.reload();
  if (answer?.ok) {
    const found = (await parsed(answer)).getElementById(part.id);
    part.replaceChildren(...found.childNodes);
    if (!("again" in found.dataset)) return;
  }
  again(part);
}
document.querySelectorAll("[data-again]").forEach(again);

// A file that is too large is not sent.
document.querySelectorAll("input[data-largest]").forEach((input) => {
  const said = document.getElementById(input.dataset.said);
  input.addEventListener("change", () => {
    const problem = input.files[0]?.size > Number(input.dataset.largest) ? input.dataset.problem : "";
    input.setCustomValidity(problem);
    said.textContent = problem;
    input.ariaInvalid = String(Boolean(problem));
  });
  input.form.addEventListener("submit", () => (said.textContent = "Sending the file …"));
});

// What is shown once can be copied.
document.querySelectorAll("[data-copy]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent.trim());
    button.textContent = "Copied";
  });
});

// The database is away: come back when it is there.
if (document.querySelector("[data-away]")) {
  const look = async () => {
    const answer = await fetch("/readyz").catch(() => null);
    if (answer?.ok) location.reload();
    else setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
}

// What was typed and not saved is gone at sign-out; what is saved now is kept here no longer.
document.querySelector("[data-sign-out]")?.addEventListener("submit", () => {
  for (const kept of [localStorage, sessionStorage])
    Object.keys(kept).filter((key) => key.startsWith(KEPT)).forEach((key) => kept.removeItem(key));
});
document.querySelectorAll("[data-saved-as]").forEach(({ dataset }) => localStorage.removeItem(dataset.savedAs));
