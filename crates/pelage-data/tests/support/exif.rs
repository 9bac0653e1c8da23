//! JPEGs that say when, by what and where they were taken, byte by byte as the standard has it.

/// A JPEG with EXIF data: the time as `2024:05:01 06:30:00`, the camera's model, of four letters or more, and
/// whether the place.
pub(crate) fn tagged(jpeg: &[u8], time: Option<&str>, camera: &str, place: bool) -> Vec<u8> {
    let data = [b"Exif\0\0".to_vec(), tiff(time, camera, place)].concat();
    let length = (data.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &data, &jpeg[2..]].concat()
}

/// A directory's entry: tag, type, count, and its value or where that is.
type Entry = (u16, u16, u32, [u8; 4]);

fn tiff(time: Option<&str>, camera: &str, place: bool) -> Vec<u8> {
    let text = |text: &str| [text.as_bytes(), &[0]].concat();
    // From byte 8 on: the directories, each with room for 4 entries, then what they point to.
    let directory = |number: u32| 8 + number * (2 + 4 * 12 + 4);
    let mut values: Vec<u8> = Vec::new();
    let mut later = |bytes: &[u8]| {
        let at = directory(3) + values.len() as u32;
        values.extend(bytes);
        at.to_le_bytes()
    };
    let model = text(camera);
    let mut main: Vec<Entry> = vec![(0x0110, 2, model.len() as u32, later(&model))];
    let mut exif: Vec<Entry> = Vec::new();
    if let Some(time) = time {
        exif.push((0x9003, 2, 20, later(&text(time))));
    }
    main.push((0x8769, 4, 1, directory(1).to_le_bytes()));
    let mut gps: Vec<Entry> = Vec::new();
    if place {
        main.push((0x8825, 4, 1, directory(2).to_le_bytes()));
        let degrees: Vec<u8> = [47u32, 1, 30, 1, 0, 1].iter().flat_map(|n| n.to_le_bytes()).collect();
        gps.push((1, 2, 2, *b"N\0\0\0"));
        gps.push((2, 5, 3, later(&degrees)));
        gps.push((3, 2, 2, *b"E\0\0\0"));
        gps.push((4, 5, 3, later(&degrees)));
    }
    let written = |entries: Vec<Entry>| {
        let mut bytes = (entries.len() as u16).to_le_bytes().to_vec();
        for (tag, kind, count, value) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(count.to_le_bytes());
            bytes.extend(value);
        }
        bytes.resize(2 + 4 * 12 + 4, 0);
        bytes
    };
    [
        b"II\x2a\0\x08\0\0\0".to_vec(),
        written(main),
        written(exif),
        written(gps),
        values,
    ]
    .concat()
}
