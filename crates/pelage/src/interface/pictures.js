// Pictures in, answers out: the history of this session.

import { find, make, save, say } from "./dom.js";
import { opened } from "./camera.js";
import { count, percent, text } from "./text.js";

// Classes shown for a picture.
const SHOWN = 5;
// Pictures asked for at once.
const AT_ONCE = 4;
// The longer side of a thumbnail in pixels.
const SIDE = 480;

// The models, and `predict`, which asks one of them about a file.
let served = { models: [] };
// Newest first: {name, file, element, answers: by model, thumbnail, size}.
let all = [];
const waiting = [];
let running = 0;

export const offered = (server) => server.models.length > 0;

export function show(server) {
  served = server;
  const names = server.models.map((model) => model.name).join(text("and"));
  find("#try-title").textContent = text("tryTitle", names);
  find("#results").classList.toggle("two", server.models.length > 1);
  counted();
  // In the words of the language that is chosen now.
  for (const one of all) one.draw();
}

function counted() {
  find("#tools").hidden = all.length === 0;
  find("#count").textContent = all.length === 1 ? text("onePicture") : text("pictures", count(all.length));
}

export function add(files) {
  for (const file of files) {
    const one = { name: file.name || text("pasted"), file, answers: new Map() };
    one.element = make("li.card");
    one.draw = () => draw(one);
    all.unshift(one);
    find("#results").prepend(one.element);
    one.draw();
    thumbnail(one);
    waiting.push(one);
  }
  counted();
  while (running < AT_ONCE && waiting.length) work();
}

async function work() {
  running++;
  for (let one = waiting.shift(); one; one = waiting.shift()) if (all.includes(one)) await classify(one);
  running--;
}

async function classify(one) {
  const told = [];
  for (const model of served.models) {
    try {
      if (one.file.size > served.picture_bytes)
        throw new Error(text("tooLarge", Math.floor(served.picture_bytes / 1e6)));
      const busy = (words) => { one.answers.set(model.name, { waiting: words }); one.draw(); };
      const prediction = await served.predict(model, one.file, busy);
      one.answers.set(model.name, prediction);
      told.push(`${prediction.unknown ? text("unknown") : prediction.classes[0][0]} ${percent(prediction.classes[0][1])}`);
    } catch (failure) {
      one.answers.set(model.name, { error: failure.message });
      told.push(failure.message);
    }
    one.draw();
  }
  say(text("said", one.name, told.join(", ")));
}

// A small copy, upright, so that many large pictures do not fill the memory.
async function thumbnail(one) {
  try {
    const bitmap = await createImageBitmap(one.file);
    one.size = [bitmap.width, bitmap.height];
    const scale = Math.min(1, SIDE / Math.max(...one.size));
    const canvas = make("canvas", { width: Math.max(1, scale * bitmap.width), height: Math.max(1, scale * bitmap.height) });
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
    one.thumbnail = URL.createObjectURL(blob);
  } catch { one.thumbnail = null; }
  one.draw();
}

function draw(one) {
  const focused = one.element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const frame = one.thumbnail
    ? make("img", { src: one.thumbnail, alt: "" })
    : make("p.none", {}, one.thumbnail === null ? text("noPreview") : "…");
  const remove = make("button", { "aria-label": text("removeNamed", one.name), title: text("remove"), onclick: () => drop(one) }, "✕");
  remove.dataset.key = "remove";
  one.element.replaceChildren(
    make("h3.name", {}, one.name, remove),
    make("div.frame", {}, frame, ...parts("over", one)),
    make("div.says", {}, ...served.models.map((model) => says(one, model))),
  );
  one.element.append(...parts("below", one));
  if (focused) one.element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

// What others add: `over` a picture and `below` it, `beside` the answer of a model, and what is done once it is `removed`.
const more = [];
export const extend = (parts) => more.push(parts);
const parts = (place, one, model) => more.map((part) => part[place]?.(one, served, model)).filter(Boolean);

function says(one, model) {
  const answer = one.answers.get(model.name);
  const title = served.models.length > 1 ? make("p.quiet", {}, model.name) : null;
  if (!answer || answer.waiting) return make("div", {}, title, make("p.quiet", {}, answer?.waiting ?? text("waiting")));
  if (answer.error) return make("div", {}, title, make("p.bad", {}, answer.error));
  const [likely] = answer.classes;
  const bars = answer.classes.slice(0, SHOWN).map(([name, share]) => {
    const fill = make("span.fill", { "aria-hidden": "true" });
    fill.style.width = `${100 * share}%`;
    return make("li", {}, fill, make("span", {}, name), make("span.share", {}, percent(share)));
  });
  return make("div", {}, title,
    make("p.answer", {}, answer.unknown ? text("unknown") : likely[0]),
    answer.unknown ? make("p.unknown", {}, reason(answer.reason)) : null,
    make("ul.bars", {}, ...bars),
    ...parts("beside", one, model));
}

const reason = (words) => text(words.startsWith("distance") ? "tooFar" : "tooUnsure", words);

function drop(one) {
  const at = all.indexOf(one);
  all.splice(at, 1);
  one.element.remove();
  if (one.thumbnail) URL.revokeObjectURL(one.thumbnail);
  parts("removed", one);
  counted();
  // The focus goes to what comes next, not to nowhere.
  (all[Math.min(at, all.length - 1)]?.element.querySelector("button") ?? find("#choose")).focus();
}

// Quoted; what a spreadsheet would take for a formula is text.
const cell = (value) => `"${String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;

function table() {
  const head = ["picture", "model", "answer", "reason", "error"];
  const classes = [...new Set(served.models.flatMap((model) => model.classes))];
  const rows = [[...head, ...classes.map((name) => `probability of ${name}`)].map(cell).join(",")];
  for (const one of [...all].reverse())
    for (const [model, { classes: seen = [], unknown, reason, error }] of one.answers) {
      const answer = unknown ? "unknown" : seen[0]?.[0];
      const shares = classes.map((name) => seen.find(([known]) => known === name)?.[1]);
      rows.push([...[one.name, model, answer, reason, error].map(cell), ...shares.map((share) => share ?? "")].join(","));
    }
  // A mark by which spreadsheets know the encoding.
  return new Blob(["\uFEFF", rows.join("\r\n"), "\r\n"], { type: "text/csv;charset=utf-8" });
}

const images = (list) => [...list].filter((file) => file.type.startsWith("image/") || /\.(tiff?|webp|bmp|jpe?g|png|gif)$/i.test(file.name));
const zone = find("#drop");
find("#choose").addEventListener("click", () => find("#files").click());
for (const input of [find("#files"), find("#capture")])
  input.addEventListener("change", () => { add(input.files); input.value = ""; });
find("#photo").addEventListener("click", () => opened((file) => add([file])));
find("#csv").addEventListener("click", () => save("predictions.csv", table()));
find("#clear").addEventListener("click", () => { for (const one of [...all]) drop(one); });

const isShown = () => !find("#try").hidden;
document.addEventListener("paste", (event) => { if (isShown()) add(images(event.clipboardData.files)); });
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  zone.classList.toggle("over", isShown());
});
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) zone.classList.remove("over"); });
document.addEventListener("drop", (event) => {
  // Else the browser would show the picture instead of the page.
  event.preventDefault();
  zone.classList.remove("over");
  // What is dropped on purpose is asked for, whatever it is called.
  if (isShown()) add(event.dataTransfer.files);
});
