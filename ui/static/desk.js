/* The Ask page. The server draws turns as HTML and sends them as the value of this component; this script puts
   them where they belong, and tells the server what the reader does. */
const desk = element.querySelector(".desk");
const find = (selector, root = desk) => root.querySelector(selector);
const all = (selector, root = desk) => [...root.querySelectorAll(selector)];
const turnsBox = find(".turns");
const pane = find(".pane");
const box = find("#question");
const tip = find(".tip");
const talksSearch = find(".talks-search");
const wide = window.matchMedia("(min-width: 1000px)");

const turns = new Map(); // number -> {node, sources, body, drawn, run}, where run names the asking that it answers
let conversation = "";
let run = null; // the question being answered: {id, number}
let active = null; // the number of the turn whose sources are shown
let papers = []; // the papers that alone are searched: {id, title}

// --- turns

function turnNode(number) {
  if (turns.has(number)) return turns.get(number);
  const node = document.createElement("article");
  node.className = "turn";
  node.dataset.turn = number;
  node.innerHTML = '<div class="body"></div>';
  const sources = document.createElement("section");
  sources.className = "sources";
  sources.dataset.turn = number;
  turnsBox.append(node);
  const turn = { node, sources, body: "", drawn: "" };
  turns.set(number, turn);
  return turn;
}

function draw(part) {
  const turn = turnNode(part.number);
  if (turn.body !== part.body) find(".body", turn.node).innerHTML = turn.body = part.body;
  if (turn.drawn !== part.sources) turn.sources.innerHTML = turn.drawn = part.sources;
  turn.node.setAttribute("aria-busy", String(!part.over));
  document.body.classList.add("has-turns");
}

function show(number) {
  active = number;
  for (const [key, turn] of turns) {
    turn.node.classList.toggle("active", key === number);
    if (!wide.matches) turn.node.append(turn.sources);
    else if (key === number) pane.replaceChildren(turn.sources);
    else turn.sources.remove();
  }
}
wide.addEventListener("change", () => active !== null && show(active));

// The server counts the turns that it keeps: those of another tab too, and none that failed.
function renumber(from, to) {
  const turn = turns.get(from);
  const failed = turns.get(to);
  failed?.node.remove();
  failed?.sources.remove();
  turns.delete(from);
  turns.set(to, turn);
  turn.node.dataset.turn = turn.sources.dataset.turn = to;
  if (active === from) active = to;
}

function forget(from) {
  for (const [number, turn] of [...turns]) {
    if (number < from) continue;
    turn.node.remove();
    turn.sources.remove();
    turns.delete(number);
  }
  if (active !== null && active >= from) active = null;
}

function fresh() {
  stop();
  asking(false);
  forget(0);
  conversation = "";
  active = null;
  pane.replaceChildren();
  find(".talk-title").textContent = "";
  document.body.classList.remove("has-turns");
  markOpen();
}

// Back and forward go from conversation to conversation.
function address(id) {
  const hash = id ? `#conversation=${id}` : "";
  if (location.hash !== hash) history.pushState(null, "", location.pathname + location.search + hash);
}

function addressed() {
  return new URLSearchParams(location.hash.slice(1)).get("conversation") ?? "";
}

window.addEventListener("popstate", () => {
  if (addressed() === conversation) return;
  if (addressed()) trigger("open", { conversation: addressed() });
  else fresh();
});

// --- asking

function scope() {
  const value = (name) => find(`.scope [name=${name}]`).value;
  const year = (name) => (value(name) ? Number(value(name)) : null);
  const one = (name) => (value(name) ? [value(name)] : []);
  return {
    first_year: year("first_year"),
    last_year: year("last_year"),
    sources: one("sources"),
    organisations: one("organisations"),
    papers: papers.map((paper) => paper.id),
    without: [],
  };
}

function ask(question, number = null, without = []) {
  question = question.trim();
  if (!question || run) return;
  const place = number ?? Math.max(0, ...turns.keys()) + 1;
  const later = [...turns.keys()].some((other) => other > place);
  if (later && !window.confirm("The questions after this one are taken back with it. Go on?")) return;
  forget(place);
  run = { id: String(Math.random()).slice(2) + Date.now(), number: place };
  const turn = turnNode(place);
  turn.run = run.id;
  const title = document.createElement("h2");
  title.textContent = question;
  const asked = document.createElement("header");
  asked.className = "asked";
  asked.append(title);
  find(".body", turn.node).replaceChildren(asked);
  turn.body = "";
  document.body.classList.add("has-turns");
  show(place);
  asking(true);
  turn.node.scrollIntoView({ block: "start", behavior: "smooth" });
  const again = number !== null;
  trigger("ask", {
    question,
    conversation,
    number: place,
    again,
    run: run.id,
    scope: { ...scope(), without },
    matching: talksSearch.value,
  });
}

function asking(on) {
  find(".stop").hidden = !on;
  find(".send").hidden = on;
  if (!on) run = null;
}

function stop() {
  if (run) trigger("stop", { run: run.id });
}

function questionOf(node) {
  return find(".asked h2", node).textContent;
}

function edit(node) {
  const asked = find(".asked", node);
  const form = document.createElement("form");
  form.className = "editing";
  form.innerHTML =
    '<label class="sr">Your question</label><textarea rows="2"></textarea>' +
    '<span class="buttons"><button type="submit" class="primary">Ask again</button>' +
    '<button type="button" class="quiet">Leave it</button></span>';
  const area = find("textarea", form);
  area.value = questionOf(node);
  find("label", form).append(area);
  asked.replaceWith(form);
  area.focus();
  find("[type=button]", form).addEventListener("click", () => form.replaceWith(asked));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const question = area.value;
    form.replaceWith(asked);
    ask(question, Number(node.dataset.turn));
  });
}

// --- scope

function drawScope() {
  const chips = papers.map((paper) => ({ text: paper.title, off: () => (papers = papers.filter((one) => one !== paper)) }));
  for (const field of all(".scope [name]")) {
    if (!field.value) continue;
    const label = field.closest("label").firstChild.textContent.trim().toLowerCase();
    chips.push({ text: `${label} ${field.value}`, off: () => (field.value = "") });
  }
  find(".scope-chips").replaceChildren(
    ...chips.map(({ text, off }) => {
      const item = document.createElement("li");
      item.className = "chip";
      const name = document.createElement("bdi");
      name.textContent = text;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "\u00d7";
      button.setAttribute("aria-label", `Search without: ${text}`);
      button.addEventListener("click", () => {
        off();
        drawScope();
        box.focus();
      });
      item.append(name, button);
      return item;
    }),
  );
}

function only(id, title) {
  if (!papers.some((paper) => paper.id === id)) papers.push({ id, title });
  drawScope();
  box.focus();
}

function options(name, values) {
  const select = find(`.scope [name=${name}]`);
  select.replaceChildren(select.options[0], ...values.map((value) => new Option(value, value)));
  select.closest("label").hidden = values.length === 0;
}

// --- marks and evidence

function sourcesOf(node) {
  return turns.get(Number(node.closest("[data-turn]").dataset.turn));
}

function evidence(turn, mark) {
  return all(`mark[data-marks~="${mark}"], .fact[data-marks~="${mark}"]`, turn.sources);
}

function showTip(chip) {
  const turn = sourcesOf(chip);
  const found = turn ? evidence(turn, chip.dataset.mark) : [];
  if (!found.length) return;
  const title = find(`.card[data-marks~="${chip.dataset.mark}"] h4`, turn.sources);
  const heading = document.createElement("strong");
  heading.append(...[...title.childNodes].filter((one) => !one.classList?.contains("number")).map((one) => one.cloneNode(true)));
  const quotes = found.map((one) => {
    const line = document.createElement("p");
    line.append(...[...one.childNodes].map((child) => child.cloneNode(true)));
    return line;
  });
  tip.replaceChildren(heading, ...quotes);
  tip.hidden = false;
  const at = chip.getBoundingClientRect();
  const width = Math.min(420, window.innerWidth - 24);
  tip.style.width = `${width}px`;
  tip.style.left = `${Math.max(12, Math.min(at.left - 20, window.innerWidth - width - 12))}px`;
  const above = at.top > tip.offsetHeight + 16;
  tip.style.top = above ? `${at.top - tip.offsetHeight - 8}px` : `${at.bottom + 8}px`;
  chip.setAttribute("aria-describedby", tip.id);
}

function hideTip() {
  tip.hidden = true;
}

function flash(nodes) {
  for (const node of nodes) {
    node.classList.remove("flash");
    void node.offsetWidth; // restarts the animation
    node.classList.add("flash");
  }
}

function toEvidence(chip) {
  const number = Number(chip.closest("[data-turn]").dataset.turn);
  if (active !== number) show(number);
  const turn = turns.get(number);
  const found = evidence(turn, chip.dataset.mark);
  const first = found[0] ?? find(`.card[data-marks~="${chip.dataset.mark}"]`, turn.sources);
  if (!first) return;
  const folded = first.closest("details");
  if (folded) folded.open = true;
  hideTip();
  first.scrollIntoView({ block: "center", behavior: "smooth" });
  first.focus({ preventScroll: true });
  flash(found);
}

function toSentences(marked) {
  const number = Number(marked.closest("[data-turn]").dataset.turn);
  const wanted = marked.dataset.marks.split(" ");
  const said = all(".said", turns.get(number).node).filter((one) =>
    one.dataset.marks.split(" ").some((mark) => wanted.includes(mark)),
  );
  if (!said.length) return;
  said[0].scrollIntoView({ block: "center", behavior: "smooth" });
  find(".mark", said[0])?.focus({ preventScroll: true });
  flash(said);
}

// --- small things

let told;
function tell(text) {
  const line = find(".said-aloud");
  line.textContent = text;
  line.classList.add("on");
  clearTimeout(told);
  told = setTimeout(() => line.classList.remove("on"), Math.max(2500, 80 * text.length)); // long enough to be read
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea"); // pages that are not served over https have no clipboard
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  tell(`${what} copied`);
}

function download({ name, text }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function markOpen() {
  for (const item of all(".talks-list li")) item.classList.toggle("current", item.dataset.conversation === conversation);
}

function menu(button) {
  const open = button?.getAttribute("aria-expanded") === "false";
  for (const other of all('[data-act="menu"][aria-expanded="true"]')) {
    other.setAttribute("aria-expanded", "false");
    other.nextElementSibling.hidden = true;
  }
  if (open) {
    button.setAttribute("aria-expanded", "true");
    button.nextElementSibling.hidden = false;
  }
}

function judge(button) {
  const node = button.closest(".turn");
  const on = button.getAttribute("aria-pressed") !== "true";
  for (const one of all(".thumb", node)) one.setAttribute("aria-pressed", String(on && one === button));
  const form = find(".word", node);
  form.hidden = !on;
  if (on) find("input", form).focus();
  sendJudgement(node);
}

function sendJudgement(node) {
  const pressed = find('.thumb[aria-pressed="true"]', node);
  const good = pressed ? pressed.dataset.good === "1" : null;
  const word = pressed ? find(".word input", node).value : "";
  trigger("judge", { conversation, number: Number(node.dataset.turn), good, word });
}

// --- what the reader does

const acts = {
  ask: (button) => ask(button.dataset.question),
  edit: (button) => edit(button.closest(".turn")),
  retry: (button) => {
    const node = button.closest(".turn");
    ask(questionOf(node), Number(node.dataset.turn));
  },
  unfilter: (button) => {
    const node = button.closest(".turn");
    ask(questionOf(node), Number(node.dataset.turn), [button.dataset.filter]);
  },
  stop,
  fresh: () => {
    fresh();
    address("");
    box.focus();
  },
  open: (button) => {
    desk.classList.remove("talks-open");
    trigger("open", { conversation: button.dataset.conversation, matching: talksSearch.value });
  },
  rename: (button) => {
    const title = window.prompt("A new name for this conversation", button.dataset.title);
    if (!title?.trim()) return;
    const { conversation: renamed } = button.dataset;
    trigger("rename", { conversation: renamed, title: title.trim(), matching: talksSearch.value });
  },
  delete: (button) => {
    if (!window.confirm(`Delete the conversation “${button.dataset.title}”?`)) return;
    if (button.dataset.conversation === conversation) acts.fresh();
    trigger("delete", { conversation: button.dataset.conversation, matching: talksSearch.value });
  },
  talks: (button) => button.setAttribute("aria-expanded", String(desk.classList.toggle("talks-open"))),
  dark: () => localStorage.setItem("ask-the-papers-dark", String(document.body.classList.toggle("dark"))),
  menu: (button) => menu(button),
  export: (button) => {
    menu(null);
    const number = button.dataset.whole ? null : Number(button.closest("[data-turn]").dataset.turn);
    if (conversation) trigger("export", { conversation, number, kind: button.dataset.kind });
  },
  copy: (button) => copy(button.dataset.text, "Answer with its references"),
  bibtex: (button) => copy(button.dataset.text, "BibTeX"),
  judge,
  only: (button) => only(button.dataset.paper, button.dataset.title),
  similar: (button) => trigger("similar", { paper: button.dataset.paper }),
};

desk.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (!event.target.closest(".menu")) menu(null);
  if (button) return acts[button.dataset.act](button);
  const chip = event.target.closest(".mark");
  if (chip) return toEvidence(chip);
  const marked = event.target.closest("mark, .fact");
  if (marked) return toSentences(marked);
  const turn = event.target.closest(".turn");
  if (turn && wide.matches) show(Number(turn.dataset.turn));
});

for (const [on, off] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  desk.addEventListener(on, (event) => event.target.closest(".mark") && showTip(event.target.closest(".mark")));
  desk.addEventListener(off, (event) => event.target.closest(".mark") && hideTip());
}
window.addEventListener("scroll", hideTip, { passive: true });

desk.addEventListener("keydown", (event) => {
  const marked = event.target.closest("mark, .fact");
  if (marked && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    toSentences(marked);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && desk.offsetParent) {
    const closes = !tip.hidden || find('[data-act="menu"][aria-expanded="true"]');
    hideTip();
    menu(null);
    if (!closes) stop();
  }
  const writing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !writing && desk.offsetParent) {
    event.preventDefault();
    box.focus();
  }
});

function grow() {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
}

function send() {
  if (run) return;
  ask(box.value);
  box.value = "";
  grow();
}

box.addEventListener("input", grow);
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
desk.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.matches(".composer")) send();
  if (event.target.matches(".word")) {
    sendJudgement(event.target.closest(".turn"));
    tell("Kept, thank you");
  }
});
for (const field of all(".scope [name]")) field.addEventListener("change", drawScope);

let searching;
talksSearch.addEventListener("input", () => {
  clearTimeout(searching);
  searching = setTimeout(() => trigger("find", { matching: talksSearch.value }), 200);
});
document.addEventListener("ask-paper", (event) => {
  document.querySelector('#pages [role="tab"]').click();
  requestAnimationFrame(() => only(event.detail.id, event.detail.title));
});

// --- what the server sends

const received = {
  hello: (hello) => {
    find(".hello").innerHTML = hello.html;
    options("sources", hello.sources);
    options("organisations", hello.organisations);
    if (addressed() && !conversation) trigger("open", { conversation: addressed() });
  },
  turn: (turn) => {
    // Of a conversation that was left, or of a question that was asked anew, nothing is shown.
    const place = [...turns.keys()].find((number) => turns.get(number).run === turn.run);
    if (place === undefined) return;
    if (!conversation && turn.conversation) {
      conversation = turn.conversation;
      address(conversation);
    }
    if (place !== turn.number) renumber(place, turn.number);
    draw(turn);
    if (active === turn.number || active === null) show(turn.number);
    if (turn.over && run?.id === turn.run) asking(false);
  },
  talks: (talks) => {
    find(".talks-list").innerHTML = talks;
    markOpen();
  },
  open: (opened) => {
    fresh();
    conversation = opened.conversation;
    address(conversation);
    find(".talk-title").textContent = opened.title;
    for (const part of opened.turns) draw(part);
    if (opened.turns.length) show(opened.turns.at(-1).number);
    turns.get(active)?.node.scrollIntoView({ block: "start" });
    markOpen();
  },
  similar: ({ paper, html }) => {
    for (const card of document.querySelectorAll(`.card[data-paper="${CSS.escape(paper)}"]`)) {
      const place = find(".similar", card);
      place.innerHTML = html;
      place.hidden = false;
    }
  },
  download,
  tell,
};

function take() {
  for (const [name, content] of Object.entries(props.value ?? {})) received[name]?.(content);
}
watch("value", take);
take();
if (localStorage.getItem("ask-the-papers-dark") !== null)
  document.body.classList.toggle("dark", localStorage.getItem("ask-the-papers-dark") === "true");
