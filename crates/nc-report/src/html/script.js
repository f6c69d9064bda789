"use strict";
// Everything on the page is readable without this script. It adds copy buttons, values at the pointer, series that can be
// hidden, and tables that can be sorted.

function button(element, act) {
  element.setAttribute("role", "button");
  element.tabIndex = 0;
  element.addEventListener("click", act);
  element.addEventListener("keydown", event => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act(event); }
  });
}

for (const command of document.querySelectorAll(".command")) {
  const copy = document.createElement("button");
  copy.textContent = "Copy";
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(command.querySelector("pre").textContent);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  command.append(copy);
}

// The name beside a line hides this line, the legend of the page all lines of a series.
for (const name of document.querySelectorAll("g[data-series] > text")) {
  button(name, () => name.parentNode.classList.toggle("off"));
}
for (const swatch of document.querySelectorAll(".legend .swatch")) {
  button(swatch, () => {
    const off = swatch.classList.toggle("off");
    for (const group of document.querySelectorAll(`g[data-series="${swatch.dataset.series}"]`)) {
      group.classList.toggle("off", off);
    }
  });
}

function shown(value, percent) {
  return percent ? `${(100 * value).toFixed(1)} %` : String(value);
}

// The text for a point of the canvas, or nothing.
function text(values, x, y, figure) {
  if (values.kind === "lines") {
    const [left, right] = values.ends;
    if (x < left || x > right) return;
    const at = values.range[0] + (x - left) / (right - left) * (values.range[1] - values.range[0]);
    const all = values.series.flatMap(series => series.points.map(point => point[0]));
    const nearest = all.reduce((best, x) => Math.abs(x - at) < Math.abs(best - at) ? x : best, Infinity);
    const lines = values.series.flatMap(series => {
      const point = series.points.find(point => point[0] === nearest);
      const off = figure.querySelector(`g[data-series="${series.index}"].off`);
      return point && !off ? [`${series.name}: ${shown(point[1], values.percent)}`] : [];
    });
    return [`${values.x} ${values.names[nearest] ?? nearest}`, ...lines].join("\n");
  }
  if (values.kind === "squares") {
    const [row, column] = [(y - values.top) / values.side, (x - values.left) / values.side].map(Math.floor);
    const value = values.values[row]?.[column];
    if (value === undefined || (row === column && values.unit === "°")) return;
    return `${values.names[row]} – ${values.names[column]}: ${value}${values.unit}`;
  }
  const distance = place => Math.abs(place[0] - x) + (values.places.every(p => p[1] === place[1]) ? 0 : Math.abs(place[1] - y));
  const nearest = values.places.reduce((best, place) => !best || distance(place) < distance(best) ? place : best, null);
  return nearest && distance(nearest) < 60 ? nearest[2] : undefined;
}

for (const figure of document.querySelectorAll("figure[data-values]")) {
  const values = JSON.parse(figure.dataset.values);
  const svg = figure.querySelector("svg");
  const box = document.createElement("div");
  box.className = "value";
  svg.addEventListener("pointermove", event => {
    const place = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / place.width;
    const found = text(values, (event.clientX - place.left) * scale, (event.clientY - place.top) * scale, figure);
    if (!found) { box.remove(); return; }
    box.textContent = found;
    figure.append(box);
    const frame = figure.getBoundingClientRect();
    const x = Math.min(event.clientX - frame.left + 14, frame.width - box.offsetWidth);
    box.style.left = `${Math.max(0, x)}px`;
    box.style.top = `${event.clientY - frame.top + 14}px`;
  });
  svg.addEventListener("pointerleave", () => box.remove());
}

// Print what is folded on screen.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const details of folded) details.open = true;
});
addEventListener("afterprint", () => { for (const details of folded) details.open = false; });

function number(cell) {
  const found = cell.textContent.replaceAll(",", "").match(/-?\d+(\.\d+)?/);
  return found ? Number(found[0]) : -Infinity;
}

for (const table of document.querySelectorAll("table.sortable")) {
  const [head, ...rows] = table.rows;
  [...head.cells].forEach((cell, index) => button(cell, () => {
    const up = cell.getAttribute("aria-sort") === "descending";
    for (const other of head.cells) other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", up ? "ascending" : "descending");
    const numeric = rows.some(row => number(row.cells[index]) !== -Infinity) && index > 0;
    const order = (a, b) => numeric ? number(a.cells[index]) - number(b.cells[index])
      : a.cells[index].textContent.localeCompare(b.cells[index].textContent);
    for (const row of rows.sort((a, b) => up ? order(a, b) : order(b, a))) row.parentNode.append(row);
  }));
}
