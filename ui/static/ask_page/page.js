/* The Ask page. The server sends turns as HTML in the value of this component. The scripts of this folder are
   concatenated and run as one script: they insert the HTML and send the reader's actions to the server. */
const askPage = element.querySelector(".ask-page");
const find = (selector, root = askPage) => root.querySelector(selector);
const all = (selector, root = askPage) => [...root.querySelectorAll(selector)];
const box = find("#question");
const tip = find(".tip");
const wide = window.matchMedia("(min-width: 1000px)");

const acts = {}; // action of a button, by its data-act
const received = {}; // handler of a part that the server sends, by its name

let hideTimer;
// Shows a short message and makes screen readers read it.
function announce(text) {
  const line = find(".said-aloud");
  line.textContent = text;
  line.classList.add("on");
  clearTimeout(hideTimer);
  const readingTime = Math.max(2500, 80 * text.length); // milliseconds
  hideTimer = setTimeout(() => line.classList.remove("on"), readingTime);
}

/* Opens a dialog with a question. The promise resolves to true, or to the new text if `name` is given; to null if the
   reader cancels. */
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
    const area = document.createElement("textarea"); // without https, browsers offer no clipboard API
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  announce(`${what} copied`);
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

Object.assign(received, { announce, download });
