// Teaching: classes by name, a few pictures each, a head that learns them, and a try.

import { find, make, save, say } from "./dom.js";
import { ask, insist } from "./server.js";
import { opened } from "./camera.js";
import { percent, text } from "./text.js";

// Files above these bytes are sent as smaller copies.
const SMALL = 300_000;
const SIDE = 512;

// {name, files: [{blob, address}]}
const classes = [];
let served = null;
let lesson = null;
let refused = "";
let tried = null;
let timer = null;

export const offered = (server) => Boolean(server.teaches);

export function show(server) {
  served = server;
  while (classes.length < 2) classes.push({ name: "", files: [] });
  draw();
  poll();
}

export function leave() {
  clearTimeout(timer);
  timer = null;
}

async function poll() {
  clearTimeout(timer);
  try {
    const before = lesson?.state;
    lesson = await (await ask("/api/teach/lesson")).json();
    if (before === "learning" && lesson.state === "done") say(text("learnt", accuracy()));
  } catch { /* Asked again below. */ }
  result();
  if (lesson?.state === "learning" || !lesson) timer = setTimeout(poll, 500);
}

const accuracy = () => text("interval", percent(lesson.accuracy[0], 1), ...lesson.accuracy[1].map((end) => percent(end, 1)));

function draw() {
  find("#teach-intro").textContent = text("teachIntro", served.teaches, served.least);
  find("#classes").replaceChildren(...classes.map(card));
  result();
}

function card(one, at) {
  const name = make("input", { value: one.name, maxLength: 100, autocomplete: "off", id: `class-${at}`,
    oninput: () => { one.name = name.value; result(); } });
  const chosen = make("input", { type: "file", accept: "image/*,.tif,.tiff", multiple: true, hidden: true,
    onchange: () => add(one, chosen.files) });
  const title = () => one.name || text("classNumber", at + 1);
  const element = make("li.card", {},
    make("p", {}, make("label", { htmlFor: `class-${at}` }, text("className", at + 1), " "), name),
    make("p.buttons", {},
      make("button", { onclick: () => chosen.click() }, text("choose")),
      make("button", { onclick: () => opened((file) => add(one, [file]), true) }, text("photo")),
      classes.length > 2 ? make("button", { onclick: () => { classes.splice(at, 1); draw(); } }, text("remove")) : null),
    chosen,
    make("p.quiet", {}, one.files.length === 1 ? text("onePicture") : text("pictures", one.files.length)),
    make("ul.thumbnails", {}, ...one.files.map((file, i) => make("li", {},
      make("img", { src: file.address, alt: text("said", title(), i + 1) }),
      make("button", { "aria-label": text("removeNamed", `${title()} ${i + 1}`), onclick: () => { URL.revokeObjectURL(file.address); one.files.splice(i, 1); draw(); } }, "✕")))));
  element.addEventListener("drop", (event) => { event.preventDefault(); add(one, event.dataTransfer.files); });
  return element;
}

async function add(one, files) {
  for (const file of files) {
    const blob = await smaller(file);
    one.files.push({ blob, address: URL.createObjectURL(blob) });
  }
  draw();
}

// What the browser cannot read is sent as it is; the server may.
async function smaller(file) {
  if (file.size < SMALL) return file;
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = make("canvas", { width: Math.max(1, scale * bitmap.width), height: Math.max(1, scale * bitmap.height) });
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    return await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
  } catch { return file; }
}

// What is missing before a lesson can begin, in words.
function missing() {
  const names = classes.map((one) => one.name.trim());
  if (names.some((name) => !name) || new Set(names).size < names.length) return text("nameClasses");
  const few = classes.find((one) => one.files.length < served.least);
  return few ? text("morePictures", few.name, served.least - few.files.length) : "";
}

function result() {
  const wanting = missing();
  const learning = lesson?.state === "learning";
  find("#learn").disabled = Boolean(wanting) || learning;
  const words = refused || (learning ? text("learning", lesson.epoch, lesson.epochs || "…")
    : lesson?.state === "failed" ? text("failed", lesson.error) : wanting);
  find("#learn-state").textContent = words;
  const done = lesson?.state === "done";
  find("#taught").hidden = !done;
  if (done) find("#taught-accuracy").textContent = text("taughtAccuracy", lesson.classes.join(", "), accuracy(), lesson.validated);
  find("#taught-answer").replaceChildren(...(tried ?? []));
}

find("#class-add").addEventListener("click", () => {
  classes.push({ name: "", files: [] });
  draw();
  find(`#class-${classes.length - 1}`).focus();
});
find("#learn").addEventListener("click", async () => {
  const form = new FormData();
  for (const one of classes) one.files.forEach(({ blob }, i) => form.append(one.name.trim(), blob, `${i}`));
  refused = "";
  tried = null;
  try { lesson = await (await ask("/api/teach", { method: "POST", body: form })).json(); }
  catch (failure) { refused = text("failed", failure.message); }
  poll();
});
find("#taught-file").addEventListener("click", async () =>
  save("taught.safetensors", await (await ask("/api/teach/model")).blob()));
find("#taught-choose").addEventListener("click", () => find("#taught-input").click());
find("#taught-photo").addEventListener("click", () => opened(attempt));
find("#taught-input").addEventListener("change", ({ target }) => { attempt(target.files[0]); target.value = ""; });

async function attempt(file) {
  if (!file) return;
  const image = make("img", { alt: file.name, src: URL.createObjectURL(file) });
  try {
    const answer = await (await insist("/api/teach/predict", { method: "POST", body: file })).json();
    const [{ classes: told }] = answer.predictions;
    const bars = told.map(([name, share]) => {
      const fill = make("span.fill", { "aria-hidden": "true" });
      fill.style.width = `${100 * share}%`;
      return make("li", {}, fill, make("span", {}, name), make("span.share", {}, percent(share)));
    });
    tried = [image, make("div", {}, make("p.answer", {}, told[0][0]), make("ul.bars", {}, ...bars))];
    say(text("said", file.name, `${told[0][0]} ${percent(told[0][1])}`));
  } catch (failure) { tried = [make("p.bad", {}, failure.message)]; }
  result();
}
