// A dot shows its paper on hover and focus; a click selects the paper for a question. On a touch screen the first tap
// shows the paper, the second one selects it.
const all = () => [...element.querySelectorAll(".map-dot")];
const middle = (dot) => [dot.cx.baseVal.value, dot.cy.baseVal.value];
let tapped = null;
let zoom = 1;

const ask = ({ id, title }) =>
  document.dispatchEvent(new CustomEvent("ask-paper", { detail: { id, title } }));

const showTip = (dot) => {
  const tip = element.querySelector(".map-tip");
  tip.hidden = !dot;
  if (!dot) return;
  // HTML from the server: formulas as MathML, all else escaped.
  tip.querySelector("strong").innerHTML = dot.dataset.shown;
  tip.querySelector("span").textContent = [dot.dataset.date, tapped && "tap again to ask"].filter(Boolean).join(" · ");
  const frame = element.querySelector(".map-frame").getBoundingClientRect();
  const box = dot.getBoundingClientRect();
  const left = box.x + box.width / 2 - frame.x - tip.offsetWidth / 2;
  const above = box.y - frame.y - tip.offsetHeight - 8;
  tip.style.left = `${Math.max(4, Math.min(left, frame.width - tip.offsetWidth - 4))}px`;
  tip.style.top = `${above > 4 ? above : box.bottom - frame.y + 8}px`;
};

// A finger is wider than a dot: take the nearest dot within 24 pixels.
const touched = (event) => {
  const away = (dot) => {
    const box = dot.getBoundingClientRect();
    return Math.hypot(box.x + box.width / 2 - event.clientX, box.y + box.height / 2 - event.clientY);
  };
  const nearest = all().reduce((best, dot) => (!best || away(dot) < away(best) ? dot : best), null);
  return nearest && away(nearest) < 24 ? nearest : null;
};

// The next dot in a direction: near along the direction, with a penalty for distance across it.
const neighbour = (from, [right, down]) => {
  const [x, y] = middle(from);
  const cost = (dot) => {
    const [dx, dy] = [middle(dot)[0] - x, middle(dot)[1] - y];
    const along = dx * right + dy * down;
    return along > 0 ? along + 3 * Math.abs(dx * down - dy * right) : Infinity;
  };
  return all().reduce((best, dot) => (cost(dot) < cost(best) ? dot : best), from);
};

const go = (dot) => {
  element.querySelector(".map-dot[tabindex='0']").setAttribute("tabindex", "-1");
  dot.setAttribute("tabindex", "0");
  dot.focus();
};

const zoomBy = (factor) => {
  const view = element.querySelector(".map-view");
  const [x, y] = [view.scrollLeft + view.clientWidth / 2, view.scrollTop + view.clientHeight / 2];
  const before = zoom;
  zoom = Math.min(12, Math.max(1, zoom * factor));
  if (Math.abs(zoom - 1) < 0.05) zoom = 1;
  view.style.setProperty("--zoom", zoom);
  view.scrollTo((x * zoom) / before - view.clientWidth / 2, (y * zoom) / before - view.clientHeight / 2);
  showTip(null);
};

const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

element.addEventListener("pointerover", (event) => {
  if (event.pointerType === "mouse") showTip(event.target.closest(".map-dot"));
});
element.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && showTip(null));
element.addEventListener("focusin", (event) => event.target.matches(".map-dot:focus-visible") && showTip(event.target));
element.addEventListener("focusout", () => tapped || showTip(null));
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.zoom) return zoomBy(Number(button.dataset.zoom));
  if (button) return ask(button.dataset);
  if (!event.target.closest(".map-plane")) return;
  const dot = event.pointerType === "mouse" ? event.target.closest(".map-dot") : touched(event);
  if (dot && (event.pointerType === "mouse" || dot === tapped)) return ask(dot.dataset);
  tapped = dot;
  showTip(dot);
});
element.addEventListener("keydown", (event) => {
  const dot = event.target.closest(".map-dot");
  if (!dot) return;
  if (event.key in ARROWS) go(neighbour(dot, ARROWS[event.key]));
  else if (event.key === "Enter" || event.key === " ") ask(dot.dataset);
  else return;
  event.preventDefault();
});

watch("value", () => {
  tapped = null;
  zoom = 1;
});
