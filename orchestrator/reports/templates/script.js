"use strict";

const exchanged = JSON.parse(document.getElementById("exchanged").textContent);
const darkScreen = window.matchMedia("(prefers-color-scheme: dark)");

function coloured(value) {
  if (typeof value === "string") return darkScreen.matches && exchanged[value] || value;
  if (Array.isArray(value)) return value.map(coloured);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, coloured(inner)]));
}

const figures = [...document.querySelectorAll(".figure")].map((place) => {
  const script = place.querySelector("script");
  const figure = JSON.parse(script.textContent);
  script.remove();
  return { place, figure };
});

function draw() {
  for (const { place, figure } of figures) {
    const { data, layout } = coloured(figure);
    Plotly.react(place, data, layout, { responsive: true, displayModeBar: false });
  }
}

function compare(left, right) {
  if (left === undefined || right === undefined) return (left === undefined) - (right === undefined);
  const numbers = [Number(left), Number(right)];
  return numbers.some(Number.isNaN) ? left.localeCompare(right) : numbers[0] - numbers[1];
}

function sortBy(heading) {
  const table = heading.closest("table");
  const rises = heading.getAttribute("aria-sort") !== "ascending";
  const column = heading.cellIndex;
  const value = (row) => row.cells[column].dataset.value;
  const rows = [...table.tBodies[0].rows].sort((one, other) => {
    const [left, right] = [value(one), value(other)];
    const isWhole = left !== undefined && right !== undefined;
    return compare(left, right) * (isWhole && !rises ? -1 : 1);
  });
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", rises ? "ascending" : "descending");
  table.tBodies[0].append(...rows);
}

document.querySelectorAll(".leaderboard th button").forEach((button) => {
  button.addEventListener("click", () => sortBy(button.closest("th")));
});

function showChosen(chooser) {
  document.querySelectorAll(`[data-choice-of="${chooser.id}"]`).forEach((part) => {
    part.hidden = part.dataset.value !== chooser.value;
  });
}

document.querySelectorAll("[data-chooser]").forEach((chooser) => {
  chooser.addEventListener("change", () => showChosen(chooser));
  showChosen(chooser);
});
darkScreen.addEventListener("change", draw);
draw();
