//! Small models, a server in this process, and a client that can misbehave.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use image::{ImageFormat, Rgb, RgbImage};
use pelage::data::cache::CacheMode;
use pelage::data::dataset::{Dataset, Image, split};
use pelage::data::memory::InMemory;
use pelage::train::transfer::Transfer;
use pelage::train::{Sets, train};
use pelage::{Architecture, Compute, Control, Model, Recipe, device};
use pelage_serve::models::Models;
use pelage_serve::{App, Options, bind, serve};
use serde_json::Value;

/// An image that no other number gives.
pub(crate) fn image(number: u32, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let value = |c: u32| {
            let mixed = (x * (number % 7 + 1) + y * (number % 5 + 2) + c * number * 31).wrapping_mul(0x9E37_79B9);
            (mixed >> 24) as u8
        };
        Rgb([value(1), value(2), value(3)])
    })
}

pub(crate) fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The bytes of picture `number`.
pub(crate) fn picture(number: u32) -> Vec<u8> {
    encoded(&image(number, 24 + number % 9, 20 + number % 7), ImageFormat::Png)
}

/// A little trained model of each kind: a network of its own, and a head on a backbone with random weights.
pub(crate) fn models(folder: &Path) -> [PathBuf; 2] {
    let mut images = InMemory::new(["level", "upright"]);
    for i in 0..16 {
        let image = image(i, 24, 24);
        let image = Image::rgb(24, 24, image.into_raw()).unwrap();
        images.push(i.to_string(), i as usize % 2, image).unwrap();
    }
    let images: Arc<dyn Dataset> = Arc::new(images);
    let sets: Sets = split(images, 0.25, 0).unwrap().into();
    let own = Recipe {
        image_size: 24,
        epochs: 1,
        batch_size: 4,
        ..Recipe::default()
    };
    let transfer = Transfer {
        flip: true,
        ..Transfer::new(None)
    };
    let headed = Recipe {
        image_size: 32,
        epochs: 1,
        ..Recipe::transfer(Architecture::MobileNetV2, transfer)
    };
    [("own", own), ("headed", headed)].map(|(name, recipe)| {
        let mut go_on = |_: &_| Control::Continue;
        let (model, _) = train(&recipe, &sets, CacheMode::Auto, &device::cpu().unwrap(), &mut go_on).unwrap();
        let path = folder.join(format!("{name}.safetensors"));
        pelage::save(&model, &path).unwrap();
        path
    })
}

pub(crate) fn open(path: &Path) -> Model {
    Model::open(path).unwrap()
}

/// A server on a thread of its own; stops when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    stopped: Mutex<mpsc::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(models: &[PathBuf], options: Options) -> Server {
        let models = Models::open(models, &Compute::default(), None, None).unwrap();
        let listener = bind("127.0.0.1", 0, &options.audience).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
        let (done, stopped) = mpsc::channel();
        let app = App::start(models, options).unwrap();
        let thread = std::thread::spawn(move || {
            let stop = async {
                let _ = stopping.await;
            };
            serve(listener, &app, stop).unwrap();
            drop(app);
            done.send(()).unwrap();
        });
        Server {
            address,
            stop: Some(stop),
            stopped: Mutex::new(stopped),
            thread: Some(thread),
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Asks, with the usual headers before the given ones.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        // A server that refuses may not read to the end.
        let _ = stream.write_all(format!("{head}\r\n").as_bytes());
        let _ = stream.write_all(body);
        Answer::read(&mut stream)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Answer {
        self.ask("POST", path, &[("Content-Type", "application/octet-stream")], body)
    }

    /// Sends files as a form.
    pub(crate) fn form(&self, path: &str, files: &[(&str, &[u8])]) -> Answer {
        let mut body = Vec::new();
        for (name, bytes) in files {
            let head = "--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=";
            body.extend_from_slice(format!("{head}\"{name}\"\r\n\r\n").as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--limit--\r\n");
        self.ask(
            "POST",
            path,
            &[("Content-Type", "multipart/form-data; boundary=limit")],
            &body,
        )
    }

    /// Asks the server to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
    }

    /// Waits until it has.
    pub(crate) fn wait(&mut self) {
        self.stopped
            .get_mut()
            .unwrap()
            .recv_timeout(Duration::from_secs(120))
            .expect("the server does not end");
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.thread.is_some() && !std::thread::panicking() {
            self.stop();
            self.wait();
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn read(stream: &mut TcpStream) -> Answer {
        let mut bytes = Vec::new();
        // A reset after the answer is no matter.
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else {
            let (head, body) = (String::new(), bytes);
            return Answer { status: 0, head, body };
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = bytes[end + 4..].to_vec();
        Answer { status, head, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|failure| panic!("{failure}: {self:?}"))
    }
}
