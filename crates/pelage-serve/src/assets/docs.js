// The API, as its own description tells it.

import { find, make } from "./dom.js";
import { ask } from "./server.js";
import { text } from "./text.js";

let described = null;

export async function show() {
  described ??= await (await ask("/api/openapi.json")).json();
  const routes = Object.entries(described.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]) => card(path, method, route)));
  find("#routes").replaceChildren(
    make("p", {}, described.info.description, " ", make("a", { href: "/api/openapi.json" }, "openapi.json")),
    make("pre.card", {}, `curl --data-binary @cat.jpg ${location.origin}/api/predict\ncurl -F file=@cat.jpg -F file=@dog.jpg ${location.origin}/api/predict`),
    ...routes);
}

function card(path, method, route) {
  const [kind, answer] = Object.entries(route.responses["200"].content)[0];
  const options = route.parameters.map((option) =>
    make("li", {}, make("code", {}, option.name), `: ${option.description}`));
  return make("article.card", {},
    make("h2", {}, make("code", {}, `${method.toUpperCase()} ${path}`)),
    make("p", {}, route.summary),
    options.length ? make("h3", {}, text("options")) : null,
    options.length ? make("ul", {}, ...options) : null,
    make("h3", {}, text("answer")),
    make("p", {}, make("code", {}, kind)),
    answer.example ? make("pre", {}, JSON.stringify(answer.example, null, 2)) : null);
}
