//! TensorBoard event files: Protocol Buffers records, framed by lengths and checksums
//! (tensorboard/compat/proto/{event,summary}.proto; tensorflow/core/lib/io/record_writer.h).

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::{Error, Result};

/// The part of `Event` that scalars need.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// An event file, appended to during the run.
pub struct EventFile {
    file: File,
}

impl EventFile {
    /// A new `events.out.tfevents.<seconds>.pelage` in `folder`; TensorBoard joins several in one folder.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn create(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let path = folder.join(format!("events.out.tfevents.{:010}.pelage", seconds() as u64));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Error::io(&path))?;
        let mut events = EventFile { file };
        let version = Event {
            wall_time: seconds(),
            file_version: Some("brain.Event:2".into()),
            ..Event::default()
        };
        events.append(&version).map_err(Error::io(&path))?;
        Ok(events)
    }

    /// Appends scalars (tag, value) at `step`.
    ///
    /// # Errors
    /// A full disk.
    pub fn scalars(&mut self, step: u64, scalars: &[(&str, f64)]) -> std::io::Result<()> {
        let value = |&(tag, value): &(&str, f64)| Value {
            tag: tag.into(),
            simple_value: Some(value as f32),
        };
        let summary = Some(Summary {
            values: scalars.iter().map(value).collect(),
        });
        self.append(&Event {
            wall_time: seconds(),
            step: step as i64,
            file_version: None,
            summary,
        })
    }

    /// One record: length, checksum of the length, data, checksum of the data; little-endian.
    fn append(&mut self, event: &Event) -> std::io::Result<()> {
        let data = event.encode_to_vec();
        let length = (data.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(data.len() + 16);
        record.extend(length);
        record.extend(masked_checksum(&length).to_le_bytes());
        record.extend(&data);
        record.extend(masked_checksum(&data).to_le_bytes());
        self.file.write_all(&record)
    }
}

/// CRC-32C, masked as in TensorFlow so that checksums of checksums stay useful.
fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

fn seconds() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
