// --- scope: which papers are searched, as chips that can be removed

let papers = []; // if not empty, only these papers are searched: {id, title, html, gone}

function scope() {
  const value = (name) => find(`.scope [name=${name}]`).value;
  const year = (name) => (value(name) ? Number(value(name)) : null);
  const list = (name) => (value(name) ? [value(name)] : []);
  return {
    first_year: year("first_year"),
    last_year: year("last_year"),
    sources: list("sources"),
    organisations: list("organisations"),
    papers: papers.map((paper) => paper.id),
    without: [],
  };
}

function drawScope() {
  const chips = papers.map(paperChip);
  for (const field of all(".scope [name]")) {
    if (!field.value) continue;
    const label = field.closest("label").firstChild.textContent.trim().toLowerCase();
    chips.push(chip(`${label} ${field.value}`, () => (field.value = "")));
  }
  find(".scope-chips").replaceChildren(...chips);
}

function chip(text, off) {
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
}

function paperChip(paper) {
  const before = paper.gone ? "No longer in the library: " : "";
  const item = chip(before + paper.title, () => (papers = papers.filter((other) => other !== paper)));
  item.classList.toggle("gone", Boolean(paper.gone));
  if (paper.html) find("bdi", item).innerHTML = before + paper.html;
  return item;
}

function only(id, title) {
  if (!papers.some((paper) => paper.id === id)) papers.push({ id, title });
  drawScope();
  checkPapers();
  box.focus();
}

// The server returns the titles with their formulas as HTML, and null for papers that were removed from the library.
function checkPapers() {
  if (papers.length) trigger("titles", { papers: papers.map((paper) => paper.id) });
}

function options(name, values) {
  const select = find(`.scope [name=${name}]`);
  select.replaceChildren(select.options[0], ...values.map((value) => new Option(value, value)));
  select.closest("label").hidden = values.length === 0;
}

for (const field of all(".scope [name]")) field.addEventListener("change", drawScope);

document.addEventListener("ask-paper", (event) => {
  document.querySelector('#pages [role="tab"]').click();
  requestAnimationFrame(() => only(event.detail.id, event.detail.title));
});

acts.only = (button) => only(button.dataset.paper, button.dataset.title);

received.titles = (titles) => {
  for (const paper of papers) {
    if (!(paper.id in titles)) continue;
    paper.gone = titles[paper.id] === null;
    paper.html = titles[paper.id] ?? paper.html;
  }
  drawScope();
};
