// The list of papers and the details of a paper both use this script. A button's action is in its data-do.
const sheetOf = (id) => document.querySelector(`dialog.lib-sheet[data-id="${CSS.escape(id)}"]`);

const open = (id) => {
  const sheet = sheetOf(id);
  if (!sheet) trigger("open", { id });
  else if (!sheet.open) sheet.showModal();
};

const ask = ({ id, title }) => {
  element.querySelector("dialog")?.close();
  document.dispatchEvent(new CustomEvent("ask-paper", { detail: { id, title } }));
};

const copy = async (button) => {
  const entry = button.closest("details").querySelector("pre");
  const status = button.nextElementSibling;
  try {
    await navigator.clipboard.writeText(entry.textContent);
    status.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(entry);
    status.textContent = "Selected: press Ctrl+C to copy";
  }
};

const cards = () => element.querySelectorAll("[data-do=open]");
let grownFrom = null; // number of cards before "Show more"

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

// Clear a message when it is closed, so that the same message is a change of the value when it is sent again.
// (`close` does not bubble: listen in the capture phase.)
element.addEventListener("close", (event) => event.target.matches(".lib-said") && (props.value = ""), true);

watch("value", () => {
  const sheet = element.querySelector("dialog");
  if (sheet && !sheet.open) sheet.showModal();
  // After "Show more", keyboard users continue at the first new card.
  if (grownFrom !== null) cards()[grownFrom]?.focus({ preventScroll: true });
  grownFrom = null;
});
