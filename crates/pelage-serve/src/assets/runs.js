// Runs of training, growing as they are watched.

import { find, make, pairs } from "./dom.js";
import { watch } from "./server.js";
import { confusion, curves } from "./charts.js";
import { count, date, duration, percent, text } from "./text.js";

const runs = new Map();
let chosen = "";
let served = null;
let watching = null;

export const offered = (server) => server.runs;

export function show(server, name) {
  served = server;
  chosen = name;
  draw();
  watching ??= watch("/api/runs/events", (changed) => {
    for (const run of changed) runs.set(run.name, run);
    draw();
  }, () => find("#run-list").prepend(make("p.note", { role: "status" }, text("lost"))));
}

export function leave() {
  watching?.();
  watching = null;
}

function draw() {
  const list = [...runs.values()].sort((a, b) => b.updated - a.updated);
  const run = runs.get(chosen);
  const open = Boolean(find("#run-list details")?.open);
  find("#run-list").replaceChildren(...(run ? one(run) : list.length ? list.map(entry) : [make("p.card", {}, text("noRuns"))]));
  const details = find("#run-list details");
  if (details) details.open = open;
}

const accuracy = (run) => {
  const best = run.history.find((row) => row.epoch === run.best_epoch);
  return best && text("bestValue", run.best_epoch, best.validation_loss?.toFixed(4), percent(best.validation_accuracy, 2));
};

function progress(run) {
  const bar = make("progress", { max: run.epochs, value: run.history.length, "aria-label": text("progress", run.history.length, run.epochs) });
  return run.state === "running" ? bar : null;
}

function entry(run) {
  return make("article.card", {},
    make("h2", {}, make("a", { href: `#runs/${encodeURIComponent(run.name)}` }, run.name)),
    progress(run),
    make("p", {}, [text(run.state), text("progress", run.history.length, run.epochs), run.seconds_left !== null && text("left", duration(run.seconds_left))].filter(Boolean).join(" · ")),
    make("p.quiet", {}, [`${run.model}, ${run.data}`, accuracy(run) && `${text("best")} ${accuracy(run)}`, date(run.updated)].filter(Boolean).join(" · ")));
}

function one(run) {
  const last = run.history.at(-1);
  const report = run.report && !served.token
    ? make("a", { href: `/api/runs/report?${new URLSearchParams({ run: run.name })}`, target: "_blank", rel: "noopener" }, text("report"))
    : run.state === "running" ? null : make("code", {}, text("noReport", run.name));
  return [
    make("p", {}, make("a", { href: "#runs" }, text("back"))),
    make("article.card", {},
      make("h2", {}, run.name),
      progress(run),
      pairs([
        [text("state"), text(run.state)],
        [text("epoch"), text("progress", count(run.history.length), count(run.epochs))],
        [text("remaining"), run.seconds_left === null ? null : text("left", duration(run.seconds_left))],
        [text("rate"), last && text("rateValue", count(Math.round(last.images_per_second)), last.learning_rate.toPrecision(3))],
        [text("best"), accuracy(run)],
        [text("network"), run.model],
        [text("data"), run.data],
        [text("updated"), date(run.updated)],
      ]),
      report ? make("p", {}, report) : null,
      run.history.length ? curves(run.history) : null,
      run.confusion ? confusion(run.confusion) : null),
  ];
}
