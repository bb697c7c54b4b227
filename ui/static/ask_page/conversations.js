// --- conversations: the open conversation, its address, and the list

const talksSearch = find(".talks-search");
let conversation = "";

function fresh() {
  stop();
  asking(false);
  forget(0);
  conversation = "";
  active = null;
  pane.replaceChildren();
  find(".talk-title").textContent = "";
  markOpen();
}

// The browser's Back and Forward buttons move between conversations.
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

function markOpen() {
  for (const item of all(".talks-list li"))
    item.classList.toggle("current", item.dataset.conversation === conversation);
}

let searching;
talksSearch.addEventListener("input", () => {
  clearTimeout(searching);
  searching = setTimeout(() => trigger("find", { matching: talksSearch.value }), 200);
});

Object.assign(acts, {
  fresh: () => {
    fresh();
    address("");
    box.focus();
  },
  open: (button) => {
    askPage.classList.remove("talks-open");
    trigger("open", { conversation: button.dataset.conversation, matching: talksSearch.value });
  },
  rename: async ({ dataset: { conversation: renamed, title: name } }) => {
    const title = await inquire({ question: "A new name for this conversation", yes: "Rename", name });
    if (title) trigger("rename", { conversation: renamed, title, matching: talksSearch.value });
  },
  delete: async ({ dataset: { conversation: deleted, title } }) => {
    if (!(await inquire({ question: `Delete the conversation “${title}”?`, yes: "Delete" }))) return;
    if (deleted === conversation) acts.fresh();
    trigger("delete", { conversation: deleted, matching: talksSearch.value });
  },
  talks: (button) => button.setAttribute("aria-expanded", String(askPage.classList.toggle("talks-open"))),
  export: (button) => {
    menu(null);
    const number = button.dataset.whole ? null : Number(button.closest("[data-turn]").dataset.turn);
    if (conversation) trigger("export", { conversation, number, kind: button.dataset.kind });
  },
});

Object.assign(received, {
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
});
