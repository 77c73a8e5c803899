// Two rows side by side. The figures and paired differences were computed by bastzoo; here they are laid out.
"use strict";

const { words, boards } = JSON.parse(document.querySelector("#data").textContent);
const [first, second] = ["#a", "#b"].map((id) => document.querySelector(id));
const places = new Map(boards.flatMap((board) => board.rows.map((row, place) => [row.id, { board, row, place }])));

function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
function isolated(tag, text, attributes) {
  const element = make(tag, "", attributes);
  element.append(make("bdi", text));
  return element;
}
function draw(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
function shown(value, unit, sign = "") {
  if (value === null || value === undefined) return "-";
  const plus = sign && value > 0 ? sign : "";
  if (unit === "%") return `${plus}${(100 * value).toFixed(1)} %`;
  if (unit === "°") return `${plus}${value.toFixed(2)}°`;
  return `${plus}${Number(value.toPrecision(4))}${unit && ` ${unit}`}`;
}
function fill(select, board, chosen) {
  const groups = (board ? [board] : boards).map(({ title, rows }) => {
    const group = make("optgroup", "", { label: title });
    group.append(...rows.map((row) => make("option", row.rank === "-" ? row.name : `${row.rank} ${row.name}`, { value: row.id })));
    return group;
  });
  select.replaceChildren(...groups);
  if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
}
function bar([ad, low, high], scale) {
  const svg = draw("svg", { class: "bar", "aria-hidden": "true" });
  if (low !== null) svg.append(draw("rect", { x: `${(100 * low) / scale}%`, width: `${(100 * (high - low)) / scale}%` }));
  if (ad !== null) svg.append(draw("rect", { class: "mean", x: `${(100 * ad) / scale}%` }));
  return svg;
}
function verdict(pair) {
  if (!pair || pair.includes(null)) return "";
  const [difference, low, high, p] = pair;
  const words = `${shown(difference, "°", "+")} (${low.toFixed(2)} to ${high.toFixed(2)}), p ${p < 0.001 ? "< 0.001" : `= ${p.toFixed(3)}`}`;
  if (low <= 0 && high >= 0) return `${words}: cannot be told apart`;
  return `${words}: ${difference < 0 ? "the first" : "the second"} is better`;
}
function paired(board, a, b) {
  const found = board.pairs?.[`${a.place},${b.place}`];
  if (found) return found;
  const turned = board.pairs?.[`${b.place},${a.place}`];
  return turned?.map(([difference, low, high, p]) => [difference, low, high, p].includes(null) ? [null] : [-difference, -high, -low, p]);
}
function table(heads, caption) {
  const made = make("table");
  made.append(make("caption", caption));
  const row = make("tr");
  row.append(...heads.map((head, i) => isolated("th", head, { scope: "col", class: i && i < 3 ? "" : "t" })));
  made.createTHead().append(row);
  return [made, made.createTBody()];
}
function region(title, content) {
  const box = make("div", "", { class: "wide", tabindex: "0", role: "region", "aria-label": title });
  box.append(content);
  return [make("h2", title), box];
}
function tests(board, a, b) {
  const pairs = paired(board, a, b);
  const ends = [a, b].flatMap(({ row }) => row.ad.flat()).filter((end) => end !== null);
  const scale = Math.max(1, ...ends);
  const [made, body] = table(["Tested on", "First", "Second", "First minus second, with its paired interval"], `Bars: AD with its interval, from 0 to ${scale.toFixed(1)}°`);
  board.tests.forEach((label, i) => {
    const line = make("tr");
    line.append(isolated("th", label, { scope: "row", class: "t" }));
    for (const { row } of [a, b]) {
      const cell = make("td", shown(row.ad[i][0], "°"), {});
      cell.append(bar(row.ad[i], scale));
      if (row.ad[i][1] !== null) cell.append(make("small", `${row.ad[i][1].toFixed(2)} to ${row.ad[i][2].toFixed(2)}`));
      line.append(cell);
    }
    line.append(make("td", pairs ? verdict(pairs[i]) || "-" : "not computed here", { class: "t long" }));
    body.append(line);
  });
  return region("Angular distance", made);
}
function figures(board, a, b) {
  return board.tests.flatMap((label, test) => {
    const [made, body] = table(["Figure", "First", "Second", "Better"], board.tests.length > 1 ? `Tested on ${label}` : "Mean over seeds");
    board.names.forEach((name, i) => {
      const [x, y] = [a, b].map(({ row }) => row.figures[test]?.[i] ?? null);
      if (x === null && y === null) return;
      const [told, unit, better] = words[name] ?? [name, "", ""];
      const known = better && x !== null && y !== null && shown(x, unit) !== shown(y, unit);
      const wins = known && (better === "lower") === (x < y) ? 0 : 1;
      const line = make("tr");
      line.append(isolated("th", told, { scope: "row", class: "t" }));
      line.append(...[x, y].map((value, k) => make("td", shown(value, unit), { class: known && wins === k ? "better" : "" })));
      line.append(make("td", known ? ["first", "second"][wins] : "-", { class: "t" }));
      body.append(line);
    });
    return region(board.tests.length > 1 ? `Figures on ${label}` : "Figures", made);
  });
}
function command(board, a, b) {
  const quoted = (text) => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const track = board.track ? ` --track ${quoted(board.track)}` : "";
  const pre = make("pre");
  pre.append(make("bdi", `bastzoo compare ${quoted(a.row.run)} ${quoted(b.row.run)}${track} --runs ${quoted(board.folder)}`));
  return [make("h2", "In a terminal, where the runs lie"), pre];
}
function heading(sides) {
  const list = make("dl");
  for (const [word, { row }] of sides) {
    const link = isolated("a", row.name, { href: `runs/${row.id}.html` });
    const said = make("dd");
    said.append(link, row.rank === "-" ? "" : `, rank ${row.rank}`);
    list.append(make("dt", word), said);
  }
  return list;
}
function show() {
  const [a, b] = [first, second].map((select) => places.get(select.value));
  const target = document.querySelector("#comparison");
  if (!a || !b) return target.replaceChildren();
  if (a === b) return target.replaceChildren(make("p", "Choose two different rows."));
  const { board } = a;
  return target.replaceChildren(heading([["First", a], ["Second", b]]), ...tests(board, a, b), ...figures(board, a, b), ...command(board, a, b));
}
function follow() {
  const { board } = places.get(first.value) ?? {};
  if (board) fill(second, board, second.value);
  if (board && second.value === first.value) second.value = board.rows.find((row) => row.id !== first.value)?.id ?? "";
  show();
}

const asked = new URLSearchParams(location.search);
fill(first, null, asked.get("a"));
const start = places.get(first.value);
if (start) fill(second, start.board, asked.get("b"));
first.addEventListener("change", follow);
second.addEventListener("change", show);
if (asked.get("b")) show();
else follow();
