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
    const text = command.querySelector("pre");
    try {
      await navigator.clipboard.writeText(text.textContent);
      copy.textContent = "Copied";
    } catch {
      // Without permission, or on a page from an insecure server.
      getSelection().selectAllChildren(text);
      copy.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
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
  return percent ? `${value.toFixed(1)} %` : String(value);
}

// The text for a point of the canvas, or nothing.
function text(values, x, y, figure) {
  if (values.kind === "lines") {
    const [left, right] = values.ends;
    if (x < left || x > right) return;
    const at = values.range[0] + (x - left) / (right - left) * (values.range[1] - values.range[0]);
    const visible = values.series.filter(
      series => series.points.length && !figure.querySelector(`g[data-series="${series.index}"].off`));
    if (!visible.length) return;
    const all = visible.flatMap(series => series.points.map(point => point[0]));
    const nearest = all.reduce((best, x) => Math.abs(x - at) < Math.abs(best - at) ? x : best, Infinity);
    const lines = visible.flatMap(series => {
      const point = series.points.find(point => point[0] === nearest);
      return point ? [`${series.name}: ${shown(point[1], values.percent)}`] : [];
    });
    return [`${values.x} ${values.names[nearest] ?? nearest}`, ...lines].join("\n");
  }
  if (values.kind === "squares") {
    const [row, column] = [(y - values.top) / values.side, (x - values.left) / values.side].map(Math.floor);
    const angles = values.unit === "°";
    if (angles && row === column) return;
    const value = angles ? values.values[Math.max(row, column)]?.[Math.min(row, column)] : values.values[row]?.[column];
    if (value === undefined) return;
    const found = value === null ? "no images" : `${value}${values.unit}`;
    return `${values.names[row]}${values.between}${values.names[column]}: ${found}`;
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

// The first number of a cell; none for a dash.
function number(cell) {
  const text = cell.dataset.sort ?? cell.textContent.replaceAll(",", "").trim();
  const found = /^[-–]( |$)/.test(text) ? null : text.match(/-?\d+(\.\d+)?/);
  return found ? Number(found[0]) : null;
}

for (const table of document.querySelectorAll("table.sortable")) {
  const [head, ...rows] = table.rows;
  [...head.cells].forEach((cell, index) => {
    const sort = document.createElement("button");
    sort.append(...cell.childNodes);
    cell.append(sort);
    sort.addEventListener("click", () => {
      const up = cell.getAttribute("aria-sort") === "descending";
      for (const other of head.cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", up ? "ascending" : "descending");
      const isText = index === 0 || cell.classList.contains("text");
      const order = (a, b) => {
        const sign = up ? 1 : -1;
        if (isText) {
          return sign * a.cells[index].textContent.localeCompare(b.cells[index].textContent, undefined, { numeric: true });
        }
        const [x, y] = [number(a.cells[index]), number(b.cells[index])];
        // Missing values are last in both directions.
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * (x - y);
      };
      for (const row of rows.sort(order)) row.parentNode.append(row);
    });
  });
}

// A page of a run in progress reloads itself, but not while its reader has opened, hidden or sorted something.
if (document.querySelector("meta[name=live]")) {
  setInterval(() => {
    if (!document.querySelector("details[open], .off, [aria-sort]")) location.reload();
  }, 10000);
}
