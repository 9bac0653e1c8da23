//! The page as it is laid out, at the widths, in the schemes and in the languages that people have.

use serde_json::json;

use super::browser::Browser;

/// Faults of the page as it is laid out.
const FAULTS: &str = r#"
const faults = [], seen = (element) => element.checkVisibility() && !element.closest(".unseen");
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
if (wide > 0) faults.push(`${wide} pixels wider than the screen`);
for (const button of document.querySelectorAll("button, select, a, input, summary")) {
  if (!seen(button) || button.closest(".skip")) continue;
  const box = button.getBoundingClientRect();
  const small = box.width < 24 || box.height < 24;
  if (small && button.matches("button, select")) faults.push(`small: ${button.outerHTML}`);
  const name = button.ariaLabel || button.textContent.trim() || button.labels?.length;
  if (!name) faults.push(`no name: ${button.outerHTML}`);
}
for (const element of document.querySelectorAll("[data-text]"))
  if (seen(element) && !element.textContent) faults.push(`no text: ${element.outerHTML}`);
for (const image of document.querySelectorAll("img")) {
  if (!image.hasAttribute("alt")) faults.push(`no alternative: ${image.outerHTML}`);
  if (seen(image) && !(image.complete && image.naturalWidth)) faults.push(`not loaded: ${image.outerHTML}`);
}
if ([...document.querySelectorAll("h1")].filter(seen).length !== 1) faults.push("not one heading");
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let text = texts.nextNode(); text; text = texts.nextNode())
  // An example of JSON may say so.
  if (!text.parentElement.closest("pre") && /undefined|NaN|\bnull\b|\[object/.test(text.data)) faults.push(text.data);
return faults;
"#;

pub(crate) fn choose_language(browser: &Browser, language: &str) {
    browser.run(&format!(
        "const choice = document.querySelector('#language'); choice.value = '{language}'; \
         choice.dispatchEvent(new Event('change'));"
    ));
}

/// At both widths, in both schemes and languages.
pub(crate) fn look(browser: &Browser, name: &str) {
    for (language, words) in [("zh", "zh-CN"), ("en", "en")] {
        choose_language(browser, language);
        assert_eq!(browser.run("return document.documentElement.lang"), words);
        for (width, height, scheme) in [(360, 800, "dark"), (1600, 1000, "light")] {
            browser.screen(width, height, scheme);
            assert_eq!(browser.run(FAULTS), json!([]), "{name} at {width} in {language}");
            browser.screenshot(&format!("{name}-{width}-{scheme}-{language}.png"));
        }
    }
}

/// Waits until so many pictures have an answer, or the reason why they have none.
pub(crate) fn answers(browser: &Browser, count: usize) {
    browser.wait(&format!(
        "return document.querySelectorAll('#results > li').length === {count} && \
         document.querySelectorAll('#results .answer, #results .bad').length === {count}"
    ));
}

/// Leaves the next file that the page lets download as text in `window.table`.
pub(crate) const TABLE: &str = "const real = URL.createObjectURL; URL.createObjectURL = (blob) => { \
     blob.text().then((text) => { window.table = text }); URL.createObjectURL = real; return real(blob) }";
