// A form with a filter builder, live: no reloads, tabs, counts that follow, what was typed kept.
"use strict";

const form = document.querySelector("form[data-kept-as]");
if (form) {
  const draftKey = form.dataset.keptAs;
  const sent = (button) => {
    const said = new URLSearchParams(new FormData(form));
    if (button) said.set("do", button);
    // What was kept in this browser may be from before.
    said.set("organization", form.elements.organization.value);
    return said;
  };
  // What is saved; a page that a form led to may show something else.
  const unchanged = "fresh" in form.dataset ? String(sent()) : "";

  // Presses a button in the background, and takes parts of the page that it leads to. Of two that
  // are under way for the same parts, the later one counts. Null: the server cannot answer.
  const latest = {};
  async function press(button, parts, said = sent(button)) {
    const mine = (latest[parts] = (latest[parts] ?? 0) + 1);
    const stood = sent();
    const asked = fetch(form.action, { method: "POST", body: said, headers: { Accept: "text/html", "X-Part": 1 } });
    const answer = await asked.catch(() => ({ ok: false }));
    // Read in any case: what is not read keeps its connection.
    const page = answer.ok && (await parsed(answer));
    if (mine !== latest[parts]) return false;
    if (answer.status === 401) return tell("You are signed out. What you typed is kept in this browser: sign in again, and come back.");
    if (answer.status === 409) return tell("This browser is signed in to another organisation now: nothing can be saved here until you sign in again in another tab.");
    if (!answer.ok) {
      tell("The server cannot answer now. What you typed is kept.");
      return null;
    }
    const at = document.activeElement?.id;
    // What was typed since the button was pressed stays.
    const typed = [...new FormData(form)].filter(([name, value]) => !stood.getAll(name).includes(value));
    for (const id of parts) document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
    if (!parts.includes("fields")) return true;
    for (const [name, value] of typed) {
      const input = form.elements[name];
      if (input?.type === "checkbox") input.checked = true;
      else if (input && "value" in input) input.value = value;
    }
    dress();
    (form.querySelector("#fields [autofocus]") ?? document.getElementById(at ?? ""))?.focus();
    form.querySelectorAll("[data-load]").forEach(load);
    return true;
  }

  const cards = document.getElementById("cards");
  let counting;
  function count() {
    if (!cards) return;
    clearTimeout(counting);
    cards.ariaBusy = true;
    document.querySelectorAll("#matched, [data-counting]").forEach((place) => (place.textContent = "Counting …"));
    counting = setTimeout(async () => {
      const done = await press("count", ["cards", "matched"]);
      cards.ariaBusy = !done;
      if (done === null) counting = setTimeout(count, 5000);
    }, 400);
  }

  async function change(button, said) {
    if (!(await press(button, ["fields"], said))) return;
    keep();
    count();
  }

  // Tabs: without a script the three parts stand one below the other.
  const list = document.createElement("div");
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "Rules");
  list.className = "tabs";
  let open = "tab-entry";
  const sections = () => [...form.querySelectorAll("[data-tab]")];
  function select(id, focus) {
    open = id;
    for (const tab of list.children) {
      const is = tab.getAttribute("aria-controls") === id;
      tab.setAttribute("aria-selected", is);
      tab.tabIndex = is ? 0 : -1;
      if (is && focus) tab.focus();
    }
    for (const section of sections()) section.hidden = section.id !== id;
  }
  for (const section of sections()) {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.id = `${section.id}-tab`;
    tab.textContent = section.dataset.tab;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", section.id);
    tab.addEventListener("click", () => select(section.id));
    list.append(tab);
  }
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const ids = sections().map((section) => section.id);
    select(ids[(ids.indexOf(open) + step + ids.length) % ids.length], true);
  });
  if (list.firstChild) form.querySelector("#kept").before(list);

  function dress() {
    for (const section of sections()) {
      section.setAttribute("role", "tabpanel");
      section.setAttribute("aria-labelledby", `${section.id}-tab`);
      section.querySelector("h2").hidden = true;
    }
    form.querySelector("#count")?.remove();
    select(open);
    fit(form);
  }

  // A link leads to an input in another tab, too.
  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const section = target?.closest("[data-tab]");
    if (!section) return;
    select(section.id);
    const inputs = "input:not([type=hidden], :disabled), select, button";
    (target.matches(inputs) ? target : target.querySelector(inputs))?.focus();
    target.scrollIntoView({ block: "center" });
  }
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const way = event.target.closest('a[href^="#"]');
    if (way && way.getAttribute("href") === location.hash) reveal();
  });

  // What was typed is kept in this browser until it is saved, for this person and form.
  function tell(text, discards) {
    const place = form.querySelector("#kept");
    place.textContent = text;
    place.className = "notice info";
    if (!discards) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button plain";
    button.textContent = "Drop it";
    button.addEventListener("click", () => {
      localStorage.removeItem(draftKey);
      location.assign(location.pathname + location.search);
    });
    place.append(" ", button);
  }
  function keep() {
    const now = String(sent());
    if (now === unchanged) localStorage.removeItem(draftKey);
    else localStorage.setItem(draftKey, now);
  }
  if (!("fresh" in form.dataset)) keep();

  form.addEventListener("input", () => { keep(); count(); });
  form.addEventListener("change", (event) => {
    fit(form);
    if ("changes" in event.target.dataset) change("settle");
  });
  form.addEventListener("submit", (event) => {
    const act = event.submitter?.value ?? "";
    if (!/^(add-|remove:|preset:)/.test(act)) return;
    event.preventDefault();
    change(act);
  });

  dress();
  reveal();
  const before = localStorage.getItem(draftKey);
  if ("fresh" in form.dataset && before && before !== unchanged) {
    form.elements.version.value = new URLSearchParams(before).get("version");
    change("settle", new URLSearchParams(`${before}&do=settle`)).then(() =>
      tell("What you typed before and did not save is back.", true),
    );
  } else if (document.querySelector("[data-counting]")) count();
  if (document.querySelector(".wrong, [data-focus]")) {
    const section = form.querySelector(".wrong")?.closest("[data-tab]");
    if (section) select(section.id);
  }
}
