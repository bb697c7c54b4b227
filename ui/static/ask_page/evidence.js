// --- citations and evidence: from a sentence to the text that supports it, and back

function evidence(turn, mark) {
  return all(`mark[data-marks~="${mark}"], .fact[data-marks~="${mark}"]`, turn.sources);
}

function showTip(chip) {
  const turn = turnOf(chip);
  const found = turn ? evidence(turn, chip.dataset.mark) : [];
  if (!found.length) return;
  const title = find(`.card[data-marks~="${chip.dataset.mark}"] h4`, turn.sources);
  const heading = document.createElement("strong");
  const titleNodes = [...title.childNodes].filter((node) => !node.classList?.contains("number"));
  heading.append(...titleNodes.map((node) => node.cloneNode(true)));
  const quotes = found.map((quote) => {
    const line = document.createElement("p");
    line.append(...[...quote.childNodes].map((child) => child.cloneNode(true)));
    return line;
  });
  tip.replaceChildren(heading, ...quotes);
  tip.hidden = false;
  const place = chip.getBoundingClientRect();
  const width = Math.min(420, window.innerWidth - 24);
  tip.style.width = `${width}px`;
  tip.style.left = `${Math.max(12, Math.min(place.left - 20, window.innerWidth - width - 12))}px`;
  const above = place.top > tip.offsetHeight + 16;
  tip.style.top = above ? `${place.top - tip.offsetHeight - 8}px` : `${place.bottom + 8}px`;
  chip.setAttribute("aria-describedby", tip.id);
}

function hideTip() {
  tip.hidden = true;
}

function flash(nodes) {
  for (const node of nodes) {
    node.classList.remove("flash");
    void node.offsetWidth; // forces a layout, which restarts the animation
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
  const wanted = marked.dataset.marks.split(" ");
  const sentences = all(".said", turnOf(marked).node).filter((sentence) =>
    sentence.dataset.marks.split(" ").some((mark) => wanted.includes(mark)),
  );
  if (!sentences.length) return;
  sentences[0].scrollIntoView({ block: "center", behavior: "smooth" });
  find(".mark", sentences[0])?.focus({ preventScroll: true });
  flash(sentences);
}

function toSources(button) {
  const heading = find("h3, summary", turnOf(button).sources);
  heading?.scrollIntoView({ block: "start", behavior: "smooth" });
  heading?.focus({ preventScroll: true });
}

Object.assign(acts, { sources: toSources, back: (button) => toSentences(button.closest(".card")) });

for (const [on, off] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  askPage.addEventListener(on, (event) => event.target.closest(".mark") && showTip(event.target.closest(".mark")));
  askPage.addEventListener(off, (event) => event.target.closest(".mark") && hideTip());
}
window.addEventListener("scroll", hideTip, { passive: true });
