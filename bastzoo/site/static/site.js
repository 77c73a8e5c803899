// Sorting, filtering, choosing two rows, and the theme. Text goes into the page as text, never as markup.
"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const one = (selector) => document.querySelector(selector);

// Of a long table the rows that a screen shows are laid out at once, the others some a frame: no click waits.
const AT_ONCE = 60;
function revealed(table) {
  const later = all("tr.later", table);
  later.slice(0, AT_ONCE).forEach((row) => row.classList.remove("later"));
  if (later.length > AT_ONCE) requestAnimationFrame(() => revealed(table));
}

// Sorting: a header's button sorts each group of rows by its column; rows without a value come last.
function sort(header) {
  const table = header.closest("table");
  const down = header.getAttribute("aria-sort") === "ascending";
  const column = header.cellIndex;
  const isText = header.classList.contains("t");
  const by = isText ? new Intl.Collator("en", { numeric: true }) : null;
  for (const body of table.tBodies) {
    const rows = all("tr:not(.heading)", body).map((row) => {
      const cell = row.cells[column];
      const value = isText ? (cell.querySelector("bdi") ?? cell).textContent : cell.dataset.v;
      const known = value !== undefined && value !== "-";
      return { row, known, value: known && !isText ? Number(value) : value };
    });
    rows.sort((a, b) => {
      if (!a.known || !b.known) return b.known - a.known;
      const order = isText ? by.compare(a.value, b.value) : a.value - b.value;
      return down ? -order : order;
    });
    rows.forEach(({ row }, place) => row.classList.toggle("later", place >= AT_ONCE));
    // Rows are moved in a body that is on no page: there nothing has a place that each move would change.
    const next = body.nextSibling;
    body.remove();
    body.append(...rows.map(({ row }) => row));
    table.insertBefore(body, next);
  }
  all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  requestAnimationFrame(() => requestAnimationFrame(() => revealed(table)));
}
all(".sortable thead button").forEach((button) => button.addEventListener("click", () => sort(button.closest("th"))));

// Filtering: a row stays when it has what was chosen, or has no such part (a baseline has no loss).
const filters = one("#filters");
function filter() {
  const wanted = all("select", filters).filter((select) => select.value);
  const words = one("#words").value.trim().toLowerCase();
  let shown = 0;
  let total = 0;
  for (const board of all(".board")) {
    let models = 0;
    for (const row of all("tbody tr:not(.heading)", board)) {
      const fits = wanted.every(({ dataset, value }) => [undefined, value].includes(row.dataset[dataset.facet]));
      row.hidden = !fits || (words !== "" && !row.textContent.toLowerCase().includes(words));
      const counts = row.parentElement.className === "model";
      total += counts;
      models += counts && !row.hidden;
    }
    for (const heading of all("tr.heading", board)) {
      heading.hidden = all("tr:not(.heading)", heading.parentElement).every((row) => row.hidden);
    }
    const isFiltered = wanted.length > 0 || words !== "";
    board.hidden = isFiltered && all("tbody tr:not(.heading)", board).every((row) => row.hidden || row.parentElement.className !== "model");
    shown += models;
  }
  one("#status").textContent = `${shown} of ${total} models shown`;
}
if (filters) {
  filters.hidden = false;
  filters.addEventListener("input", filter);
  filters.addEventListener("reset", () => setTimeout(filter));
  filters.addEventListener("submit", (event) => event.preventDefault());
  filter();
}

// Two rows of one board, which heard the same clips; a third one takes the place of the first.
let ticked = [];
function choose(box) {
  ticked = ticked.filter((other) => other !== box && other.closest("table") === box.closest("table"));
  if (box.checked) ticked = [...ticked, box].slice(-2);
  tell();
}
function tell() {
  for (const box of all(".pick input")) box.checked = ticked.includes(box);
  const names = ticked.map((box) => box.getAttribute("aria-label").replace("Compare ", ""));
  one("#chosen").hidden = ticked.length === 0;
  one("#chosen-words").textContent = names.length === 1 ? `${names[0]}: tick another row of this board` : names.join(" and ");
  one("#chosen-link").hidden = ticked.length < 2;
  one("#chosen-link").href = `compare.html?${ticked.map((box, i) => `${"ab"[i]}=${encodeURIComponent(box.value)}`).join("&")}`;
}
if (one("#chosen")) {
  document.addEventListener("change", (event) => event.target.matches(".pick input") && choose(event.target));
  one("#chosen-none").addEventListener("click", () => { ticked = []; tell(); });
  all(".pick input").forEach((box) => { box.checked = false; });
}

// The theme: the system's, or the reader's choice, kept where the browser keeps things for files.
const themes = ["automatic", "light", "dark"];
function kept(value) {
  try {
    if (value !== undefined) localStorage.setItem("theme", value);
    return localStorage.getItem("theme");
  } catch { return null; }
}
function dress(theme) {
  if (theme === "automatic") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  one("#theme").textContent = `Theme: ${theme}`;
}
let theme = themes.includes(kept()) ? kept() : "automatic";
one("#theme").hidden = false;
one("#theme").addEventListener("click", () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  kept(theme);
  dress(theme);
});
dress(theme);
