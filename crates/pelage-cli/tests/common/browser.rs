//! A real browser, headless Chromium, under remote control. Needs `chromedriver`; without it a test prints that it was
//! skipped, unless `PELAGE_BROWSER=required`.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A browser under remote control (W3C WebDriver).
pub(crate) struct Browser {
    driver: Child,
    session: String,
}

impl Browser {
    /// `more`: further arguments for Chromium.
    pub(crate) fn start(profile: &Path, more: &[&str]) -> Option<Browser> {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = match driver {
            Ok(driver) => driver,
            Err(failure) => {
                let required = std::env::var_os("PELAGE_BROWSER").is_some_and(|wanted| wanted == "required");
                assert!(!required, "chromedriver: {failure}");
                eprintln!("SKIPPED: no chromedriver ({failure})");
                return None;
            }
        };
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let rest = line.split("started successfully on port ").nth(1)?;
            rest.trim_end_matches('.').parse::<u16>().ok()
        });
        let url = format!("http://127.0.0.1:{}/session", port.expect("chromedriver says its port"));
        let usual = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let arguments = [&usual[..], more].concat();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}
        }}});
        let id = post(&url, &wanted)["sessionId"].as_str().unwrap().to_string();
        let session = format!("{url}/{id}");
        Some(Browser { driver, session })
    }

    pub(crate) fn open(&self, address: &str) {
        self.ask("url", json!({ "url": address }));
    }

    pub(crate) fn ask(&self, what: &str, body: Value) -> Value {
        post(&format!("{}/{what}", self.session), &body)
    }

    pub(crate) fn run(&self, script: &str) -> Value {
        self.ask("execute/sync", json!({"script": script, "args": []}))
    }

    /// Waits until `script` returns what is true.
    pub(crate) fn wait(&self, script: &str) -> Value {
        for _ in 0..600 {
            let found = self.run(script);
            if found != json!(null) && found != json!(false) {
                return found;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("never: {script}; {:?}", self.complaints());
    }

    fn element(&self, selector: &str) -> String {
        let found = self.ask("element", json!({"using": "css selector", "value": selector}));
        let id = found.as_object().and_then(|found| found.values().next()?.as_str());
        id.unwrap_or_else(|| panic!("{selector}: {found}")).to_string()
    }

    pub(crate) fn click(&self, selector: &str) {
        // The page may draw itself anew between the two.
        for _ in 0..20 {
            let url = format!("{}/element/{}/click", self.session, self.element(selector));
            if ureq::post(&url).content_type("application/json").send("{}").is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{selector} cannot be clicked");
    }

    /// Types into an element; for one that takes files, their paths, a line each.
    pub(crate) fn enter(&self, selector: &str, text: &str) {
        self.ask(
            &format!("element/{}/value", self.element(selector)),
            json!({ "text": text }),
        );
    }

    /// Presses a key, wherever the focus is.
    pub(crate) fn press(&self, key: &str) {
        let press = ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key}));
        self.ask(
            "actions",
            json!({"actions": [{"type": "key", "id": "keyboard", "actions": press}]}),
        );
    }

    /// A screen of this many pixels, light or dark.
    pub(crate) fn screen(&self, width: u32, height: u32, scheme: &str) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        for (command, parameters) in [("setDeviceMetricsOverride", metrics), ("setEmulatedMedia", scheme)] {
            let command = format!("Emulation.{command}");
            self.ask("goog/cdp/execute", json!({"cmd": command, "params": parameters}));
        }
    }

    /// Errors that the page left in the console.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.ask("se/log", json!({"type": "browser"}));
        log.as_array().unwrap().iter().map(Value::to_string).collect()
    }

    pub(crate) fn screenshot(&self, name: &str) {
        let answer = get(&format!("{}/screenshot", self.session));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let bytes = base64(answer.as_str().unwrap());
        assert!(image::load_from_memory(&bytes).unwrap().width() > 0);
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = ureq::delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn post(url: &str, body: &Value) -> Value {
    answer(
        url,
        ureq::post(url).content_type("application/json").send(body.to_string()),
    )
}

fn get(url: &str) -> Value {
    answer(url, ureq::get(url).call())
}

fn answer(url: &str, response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Value {
    let mut response = response.unwrap_or_else(|failure| panic!("{url}: {failure}"));
    let text = response
        .body_mut()
        .with_config()
        .limit(64 << 20)
        .read_to_string()
        .unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["value"].take()
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.decode(text).unwrap()
}
