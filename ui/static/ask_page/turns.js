// --- turns of the conversation: show, ask, ask again, rate

const turnsBox = find(".turns");
const pane = find(".pane");
// number -> {node, sources, body, follow, drawn, run}; run is the id of the request that it answers
const turns = new Map();
let run = null; // the question being answered: {id, number}
let active = null; // the number of the turn whose sources are shown

function turnNode(number) {
  if (turns.has(number)) return turns.get(number);
  const node = document.createElement("article");
  node.className = "turn";
  node.dataset.turn = number;
  node.innerHTML = '<div class="body"></div><div class="next"></div>';
  const sources = document.createElement("section");
  sources.className = "sources";
  sources.dataset.turn = number;
  turnsBox.append(node);
  const turn = { node, sources, body: "", follow: "", drawn: "" };
  turns.set(number, turn);
  return turn;
}

const turnOf = (node) => turns.get(Number(node.closest("[data-turn]").dataset.turn));

function draw(part) {
  const turn = turnNode(part.number);
  if (turn.body !== part.body) find(".body", turn.node).innerHTML = turn.body = part.body;
  if (turn.follow !== part.follow) find(".next", turn.node).innerHTML = turn.follow = part.follow;
  if (turn.drawn !== part.sources) turn.sources.innerHTML = turn.drawn = part.sources;
  turn.node.setAttribute("aria-busy", String(!part.over));
}

function show(number) {
  active = number;
  for (const [key, turn] of turns) {
    turn.node.classList.toggle("active", key === number);
    const place = wide.matches ? pane : turn.node;
    if (wide.matches && key !== number) turn.sources.remove();
    // Append only if needed: moving a node removes the focus.
    else if (turn.sources.parentNode !== place) place.append(turn.sources);
  }
}
wide.addEventListener("change", () => active !== null && show(active));

// The server numbers the stored turns: also those of another tab, but not those that failed.
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

async function ask(question, number = null, without = []) {
  question = question.trim();
  if (!question || run) return;
  const place = number ?? Math.max(0, ...turns.keys()) + 1;
  const later = [...turns.keys()].some((other) => other > place);
  const warning = { question: "The questions after this one will be removed. Continue?", yes: "Ask again" };
  if (later && (!(await inquire(warning)) || run)) return;
  forget(place);
  run = { id: String(Math.random()).slice(2) + Date.now(), number: place };
  begin(place, question);
  trigger("ask", {
    question,
    conversation,
    number: place,
    again: number !== null,
    run: run.id,
    scope: { ...scope(), without },
    quotes: find(".quotes input").checked,
    matching: talksSearch.value,
  });
}

// Shows the question immediately; the HTML from the server replaces it later.
function begin(place, question) {
  const turn = turnNode(place);
  turn.run = run.id;
  const title = document.createElement("h2");
  title.textContent = question;
  const asked = document.createElement("header");
  asked.className = "asked";
  asked.append(title);
  find(".body", turn.node).replaceChildren(asked);
  find(".next", turn.node).replaceChildren();
  turn.body = turn.follow = "";
  show(place);
  asking(true);
  turn.node.scrollIntoView({ block: "start", behavior: "smooth" });
}

function asking(on) {
  find(".stop").hidden = !on;
  find(".send").hidden = on;
  if (!on) run = null;
}

function stop() {
  if (run) trigger("stop", { run: run.id });
}

function again(button, without = []) {
  const node = button.closest(".turn");
  ask(find(".asked h2", node).textContent, Number(node.dataset.turn), without);
}

function edit(node) {
  const asked = find(".asked", node);
  const form = document.createElement("form");
  form.className = "editing";
  form.innerHTML =
    '<textarea rows="2" aria-label="Your question"></textarea>' +
    '<span class="buttons"><button type="submit" class="primary">Ask again</button>' +
    '<button type="button" class="quiet">Cancel</button></span>';
  const area = find("textarea", form);
  area.value = find("h2", asked).textContent;
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

function judge(button) {
  const node = button.closest(".turn");
  const on = button.getAttribute("aria-pressed") !== "true";
  for (const thumb of all(".thumb", node)) thumb.setAttribute("aria-pressed", String(on && thumb === button));
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

Object.assign(acts, {
  ask: (button) => ask(button.dataset.question),
  edit: (button) => edit(button.closest(".turn")),
  retry: (button) => again(button),
  unfilter: (button) => again(button, [button.dataset.filter]),
  stop,
  judge,
  similar: (button) => trigger("similar", { paper: button.dataset.paper }),
});

Object.assign(received, {
  turn: (turn) => {
    // Ignore turns of a conversation that is no longer open, and of a question that was asked again.
    const place = [...turns.keys()].find((number) => turns.get(number).run === turn.run);
    if (place === undefined) return;
    if (!conversation && turn.conversation) {
      conversation = turn.conversation;
      address(conversation);
    }
    if (place !== turn.number) renumber(place, turn.number);
    draw(turn);
    if (active === turn.number || active === null) show(turn.number);
    if (!turn.over || run?.id !== turn.run) return;
    asking(false);
    checkPapers();
  },
  similar: ({ paper, html }) => {
    for (const card of document.querySelectorAll(`.card[data-paper="${CSS.escape(paper)}"]`)) {
      const place = find(".similar", card);
      place.innerHTML = html;
      place.hidden = false;
    }
  },
});
