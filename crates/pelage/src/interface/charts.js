// Curves of training, drawn as SVG.

import { make } from "./dom.js";
import { count, percent, text } from "./text.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [420, 240, 46, 30, 10];

function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// About five round numbers from `low` to `high`.
function ticks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const list = [];
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9; value += step) list.push(value);
  return list;
}

function chart(title, rows, values) {
  const series = ["train", "validation"].map((name) => [name, rows.map((row) => [row.epoch, values(row, name)]).filter(([, y]) => Number.isFinite(y))]);
  const numbers = series.flatMap(([, points]) => points.map(([, y]) => y));
  let [low, high] = numbers.length ? [Math.min(...numbers), Math.max(...numbers)] : [0, 1];
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const [first, last] = rows.length > 1 ? [rows[0].epoch, rows.at(-1).epoch] : [0.5, 1.5];
  const x = (epoch) => LEFT + ((epoch - first) / (last - first)) * (WIDTH - LEFT - 12);
  const y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img" });
  const shown = (name) => values(rows.at(-1), name).toFixed(3);
  drawn.setAttribute("aria-label", rows.length ? text("chartOf", title, rows.length, shown("train"), shown("validation")) : title);
  for (const value of ticks(low, high)) {
    drawn.append(svg("line", { x1: LEFT, x2: WIDTH - 6, y1: y(value), y2: y(value), class: "grid" }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, String(+value.toPrecision(4))));
  }
  const epochs = rows.map((row) => row.epoch);
  const every = Math.ceil(epochs.length / 8);
  for (const epoch of epochs.filter((_, i) => i % every === 0))
    drawn.append(svg("text", { x: x(epoch), y: HEIGHT - 8, "text-anchor": "middle" }, String(epoch)));
  for (const [name, points] of series) {
    if (points.length > 1)
      drawn.append(svg("path", { d: points.map(([a, b], i) => `${i ? "L" : "M"}${x(a)} ${y(b)}`).join(""), class: name }));
    for (const [a, b] of points.length > 40 ? [] : points) drawn.append(svg("circle", { cx: x(a), cy: y(b), r: 3, class: name }));
  }
  const key = (name) => make(`span.key.${name}`, {}, text(name));
  return make("figure", {}, make("figcaption", {}, title, key("train"), key("validation")), drawn);
}

// Which class the pictures of each class were called; the darker, the larger the share of their row.
export function confusion({ classes, counts }) {
  const cell = (value, row, correct) => {
    const share = value / Math.max(1, row.reduce((sum, one) => sum + one, 0));
    const drawn = make(correct ? "td.right" : "td.wrong", { title: percent(share) }, count(value));
    drawn.style.setProperty("--share", share);
    return drawn;
  };
  return make("figure", {}, make("figcaption", {}, text("confusion")),
    make("div.scroll", { tabIndex: 0, role: "group", "aria-label": text("confusion") },
      make("table.confusion", {},
        make("thead", {}, make("tr", {}, make("th", { scope: "col" }, text("isCalled")), ...classes.map((name) => make("th", { scope: "col" }, name)))),
        make("tbody", {}, ...counts.map((row, at) => make("tr", {}, make("th", { scope: "row" }, classes[at]),
          ...row.map((value, called) => cell(value, row, at === called))))))));
}

// Loss and accuracy over the epochs, and the numbers themselves.
export function curves(rows) {
  const heads = ["epoch", "loss", "accuracy", "validation loss", "validation accuracy"];
  const cells = rows.map((row) => [row.epoch, row.train_loss?.toFixed(4), percent(row.train_accuracy), row.validation_loss?.toFixed(4), percent(row.validation_accuracy)]);
  const table = make("table", {},
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, ...cells.map((row) => make("tr", {}, ...row.map((value) => make("td", {}, value ?? ""))))));
  return make("div", {},
    make("div.charts", {},
      chart(text("lossChart"), rows, (row, name) => row[`${name}_loss`]),
      chart(text("accuracyChart"), rows, (row, name) => 100 * row[`${name}_accuracy`])),
    make("details", {}, make("summary", {}, `${text("numbers")} (${count(rows.length)})`),
      make("div.scroll", { tabIndex: 0, role: "group", "aria-label": text("numbers") }, table)));
}
