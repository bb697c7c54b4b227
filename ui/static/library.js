// Of the feed and of the paper's sheet alike: buttons say in data-do what they do.
const sheetOf = (id) => document.querySelector(`dialog.lib-sheet[data-id="${CSS.escape(id)}"]`);

const open = (id) => {
  const there = sheetOf(id);
  if (!there) trigger("open", { id });
  else if (!there.open) there.showModal();
};

const ask = ({ id, title }) => {
  element.querySelector("dialog")?.close();
  document.dispatchEvent(new CustomEvent("ask-paper", { detail: { id, title } }));
};

const copy = async (button) => {
  const entry = button.closest("details").querySelector("pre");
  const said = button.nextElementSibling;
  try {
    await navigator.clipboard.writeText(entry.textContent);
    said.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(entry);
    said.textContent = "Selected: press Ctrl+C to copy";
  }
};

const cards = () => element.querySelectorAll("[data-do=open]");
let grownFrom = null;

const actions = {
  open: (button) => open(button.dataset.id),
  more: () => {
    grownFrom = cards().length;
    trigger("more", {});
  },
  ask: (button) => ask(button.dataset),
  close: (button) => button.closest("dialog").close(),
  keep: (button) => (button.closest("details").open = false),
  remove: (button) => {
    button.disabled = true;
    trigger("remove", { id: button.dataset.id });
  },
  copy,
};

element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) actions[button.dataset.do](button);
  else if (event.target.matches("dialog")) event.target.close(); // on the backdrop
});

// A message that was read goes, so that the same one is news when it comes again. (`close` does not bubble.)
element.addEventListener("close", (event) => event.target.matches(".lib-said") && (props.value = ""), true);

watch("value", () => {
  const sheet = element.querySelector("dialog");
  if (sheet && !sheet.open) sheet.showModal();
  // Whoever asked for more by keyboard goes on at the first new card.
  if (grownFrom !== null) cards()[grownFrom]?.focus({ preventScroll: true });
  grownFrom = null;
});
