"use strict";
document.documentElement.classList.add("js");
// Hover and arrow keys read out the marks of a chart.
for (const plot of document.querySelectorAll(".plot")) {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  plot.append(tip);
  const svg = plot.querySelector("svg");
  const marks = () => [...svg.querySelectorAll("[data-tip]")].filter((m) => !m.closest("[hidden]"));
  const middle = (mark) => {
    const box = mark.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  let at = null;
  const show = (mark) => {
    if (at) at.classList.remove("at");
    at = mark;
    if (!mark) { tip.textContent = ""; return; }
    mark.classList.add("at");
    tip.textContent = mark.dataset.tip;
    const frame = plot.getBoundingClientRect();
    const [x, y] = middle(mark);
    const left = Math.min(Math.max(0, x - frame.x - tip.offsetWidth / 2), frame.width - tip.offsetWidth);
    const above = y - frame.y - tip.offsetHeight - 10;
    tip.style.left = Math.max(0, left) + "px";
    tip.style.top = (above > 0 ? above : y - frame.y + 12) + "px";
  };
  plot.addEventListener("pointermove", (event) => {
    let best = null, least = 60 * 60;
    for (const mark of marks()) {
      const box = mark.getBoundingClientRect();
      const inside = (low, high, value) => Math.max(low - value, 0, value - high);
      const [dx, dy] = [inside(box.left, box.right, event.clientX), inside(box.top, box.bottom, event.clientY)];
      const far = dx * dx * 4 + dy * dy;
      if (far < least) { best = mark; least = far; }
    }
    show(best);
  });
  plot.addEventListener("pointerleave", () => show(null));
  plot.addEventListener("blur", () => show(null));
  plot.addEventListener("keydown", (event) => {
    const all = marks();
    const now = all.indexOf(at);
    const to = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Escape") show(null);
    if (to === undefined || !all.length) return;
    event.preventDefault();
    show(all[Math.min(Math.max(to, 0), all.length - 1)]);
  });
}
// Series on and off.
for (const button of document.querySelectorAll("[data-toggle]")) {
  button.addEventListener("click", () => {
    const off = button.getAttribute("aria-pressed") === "true";
    button.setAttribute("aria-pressed", String(!off));
    for (const part of button.closest("figure").querySelectorAll(`[data-series="${button.dataset.toggle}"]`)) {
      off ? part.setAttribute("hidden", "") : part.removeAttribute("hidden");
      part.style.display = off ? "none" : "";
    }
  });
}
// The threshold.
const cut = document.getElementById("cut");
if (cut) {
  const steps = JSON.parse(document.getElementById("cuts").textContent);
  const shown = document.getElementById("cut-shown");
  const place = document.getElementById("cut-table");
  const miss = document.getElementById("miss");
  const price = () => Math.max(0, Number(miss.value) || 0);
  const cost = (counts) => counts[1] + price() * counts[2];
  const share = (part, whole) => (whole ? (100 * part / whole).toFixed(1) + " %" : "–");
  const cell = (row, text, name) => {
    const made = document.createElement(name || "td");
    if (name === "th") made.scope = row.parentNode && row.parentNode.tagName === "THEAD" ? "col" : "row";
    else made.className = "n";
    made.textContent = text;
    row.append(made);
  };
  const draw = () => {
    const index = Math.round(cut.value * 200);
    shown.textContent = Number(cut.value).toFixed(3);
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const text of ["split", "false alarms", "misses", "precision", "recall", "cost"]) cell(head, text, "th");
    const body = table.createTBody();
    for (const [split, all] of Object.entries(steps)) {
      const counts = all[index];
      const row = body.insertRow();
      cell(row, split, "th");
      for (const text of [counts[1], counts[2], share(counts[0], counts[0] + counts[1]), share(counts[0], counts[0] + counts[2]), Number(cost(counts).toPrecision(6))]) cell(row, text);
    }
    place.replaceChildren(table);
  };
  document.getElementById("cheapest").addEventListener("click", () => {
    const all = steps.valid || Object.values(steps)[0];
    const costs = all.map(cost);
    const least = Math.min(...costs);
    const good = costs.map((value, index) => (value === least ? index : -1)).filter((index) => index >= 0);
    // The middle of the thresholds that cost least.
    cut.value = good[Math.floor(good.length / 2)] / 200;
    draw();
  });
  cut.addEventListener("input", draw);
  miss.addEventListener("input", draw);
  draw();
}
