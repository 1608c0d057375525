// What a page does better with a script; without one every page works too.
"use strict";

const KEPT = "halo:";

// A form that was refused: the reader begins at what is wrong.
document.querySelector("[data-focus]")?.focus();

// What takes longer follows its page: into the slots of the page that it has values for, else here.
async function load(place) {
  place.ariaBusy = "true";
  try {
    const answer = await fetch(place.dataset.load, { headers: { "X-Part": "1" } });
    if (answer.redirected) return location.reload();
    if (!answer.ok) throw new Error(String(answer.status));
    const part = new DOMParser().parseFromString(await answer.text(), "text/html").body;
    const slots = part.querySelectorAll("[data-slot]");
    slots.forEach((slot) => document.getElementById(slot.id)?.replaceChildren(...slot.childNodes));
    place.replaceChildren(...(slots.length ? [] : part.childNodes));
  } catch {
    place.prepend("Not done: ");
  }
  place.ariaBusy = "false";
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
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const part = form.dataset.live;
      const found = page.querySelector(part);
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

// What was typed and not saved is gone at sign-out.
document.querySelector("[data-sign-out]")?.addEventListener("submit", () => {
  for (const kept of [localStorage, sessionStorage])
    Object.keys(kept).filter((key) => key.startsWith(KEPT)).forEach((key) => kept.removeItem(key));
});
