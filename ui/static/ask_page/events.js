// --- events of the reader and values from the server: the last script, because it uses all the others

askPage.addEventListener("click", (event) => {
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

askPage.addEventListener("keydown", (event) => {
  const marked = event.target.closest("mark, .fact");
  if (marked && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    toSentences(marked);
  }
});

document.addEventListener("keydown", (event) => {
  if (!askPage.offsetParent || find("dialog[open]")) return;
  if (event.key === "Escape") {
    const closes = !tip.hidden || find('[data-act="menu"][aria-expanded="true"]');
    hideTip();
    menu(null);
    if (!closes) stop();
  }
  const writing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !writing) {
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
askPage.addEventListener("submit", (event) => {
  if (event.target.method === "dialog") return; // the browser closes the dialog
  event.preventDefault();
  if (event.target.matches(".composer")) send();
  if (event.target.matches(".word")) {
    sendJudgement(event.target.closest(".turn"));
    announce("Feedback saved. Thank you.");
  }
});

received.hello = (hello) => {
  find(".hello").innerHTML = hello.html;
  find(".log-out").hidden = !hello.user;
  find(".log-out").title = `Logged in as ${hello.user}`;
  find(".quotes").hidden = !hello.writes;
  options("sources", hello.sources);
  options("organisations", hello.organisations);
  if (addressed() && !conversation) trigger("open", { conversation: addressed() });
};

function take() {
  for (const [name, content] of Object.entries(props.value ?? {})) received[name]?.(content);
}
watch("value", take);
take();
if (localStorage.getItem("ask-the-papers-dark") !== null)
  document.body.classList.toggle("dark", localStorage.getItem("ask-the-papers-dark") === "true");
