/* The Ask page. The server draws turns as HTML and sends them as the value of this component; the scripts of this
   folder, which run as one, put them where they belong and tell the server what the reader does. */
const desk = element.querySelector(".desk");
const find = (selector, root = desk) => root.querySelector(selector);
const all = (selector, root = desk) => [...root.querySelectorAll(selector)];
const box = find("#question");
const tip = find(".tip");
const wide = window.matchMedia("(min-width: 1000px)");

const acts = {}; // what a button does, by its data-act
const received = {}; // what is done with what the server sends, by its name

let hideTimer;
function tell(text) {
  const line = find(".said-aloud");
  line.textContent = text;
  line.classList.add("on");
  clearTimeout(hideTimer);
  hideTimer = setTimeout(() => line.classList.remove("on"), Math.max(2500, 80 * text.length)); // long enough to be read
}

/* Asks the reader in a dialog: the promise is of true, or of the text that was given where `name` is to be changed; of
   null where the reader would rather not. */
function inquire({ question, yes, name = null }) {
  const dialog = find("dialog.inquiry");
  const input = find("input", dialog);
  find("h2", dialog).textContent = question;
  find(".yes", dialog).textContent = yes;
  input.hidden = name === null;
  input.disabled = name === null;
  input.value = name ?? "";
  dialog.returnValue = "";
  dialog.showModal();
  if (name !== null) input.select();
  return new Promise((resolve) => {
    const closed = () => {
      if (dialog.returnValue !== "yes") resolve(null);
      else resolve(name === null ? true : input.value.trim() || null);
    };
    dialog.addEventListener("close", closed, { once: true });
  });
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

Object.assign(acts, {
  menu,
  dark: () => localStorage.setItem("ask-the-papers-dark", String(document.body.classList.toggle("dark"))),
  copy: (button) => copy(button.dataset.text, "Answer with its references"),
  bibtex: (button) => copy(button.dataset.text, "BibTeX"),
});

Object.assign(received, { tell, download });
