//! What cameras, network storage, editors and operating systems leave beside pictures, often pictures themselves: to
//! read them would double a class, and put the same picture on both sides of a split.

/// Folders and files by their whole name, in lower case, and whose they are.
const NAMES: [(&str, &str); 65] = [
    ("__macosx", "left by macOS"),
    ("icon\r", "left by macOS"),
    ("network trash folder", "left by macOS"),
    ("temporary items", "left by macOS"),
    ("thumbs.db", "left by Windows"),
    ("ehthumbs.db", "left by Windows"),
    ("ehthumbs_vista.db", "left by Windows"),
    ("desktop.ini", "left by Windows"),
    ("$recycle.bin", "left by Windows"),
    ("recycler", "left by Windows"),
    ("system volume information", "left by Windows"),
    ("wpsettings.dat", "left by Windows"),
    ("indexervolumeguid", "left by Windows"),
    ("lost+found", "left by Linux"),
    ("aquota.user", "left by Linux"),
    ("aquota.group", "left by Linux"),
    ("@eadir", "left by network storage"),
    ("@tmp", "left by network storage"),
    ("@sharebin", "left by network storage"),
    ("@recycle", "left by network storage"),
    ("@recently-snapshot", "left by network storage"),
    ("@__thumb", "left by network storage"),
    ("@snapshot", "left by network storage"),
    ("#recycle", "left by network storage"),
    ("#snapshot", "left by network storage"),
    ("~snapshot", "left by network storage"),
    ("thmbnl", "left by a camera"),
    ("avf_info", "left by a camera"),
    ("canonmsc", "left by a camera"),
    ("eosmisc", "left by a camera"),
    ("zbthumbnail.info", "left by a picture editor"),
    ("picasa.ini", "left by a picture editor"),
    ("thevolumesettingsfolder", "left by macOS"),
    ("desktop folder db", "left by macOS"),
    ("recycled", "left by Windows"),
    ("windowsimagebackup", "left by Windows"),
    ("msocache", "left by Windows"),
    ("$getcurrent", "left by Windows"),
    ("$sysreset", "left by Windows"),
    ("filehistory", "left by Windows"),
    ("lost.dir", "left by Android"),
    ("@appstore", "left by network storage"),
    ("@appdata", "left by network storage"),
    ("@appconf", "left by network storage"),
    ("@apphome", "left by network storage"),
    ("@apptemp", "left by network storage"),
    ("@database", "left by network storage"),
    ("@download", "left by network storage"),
    ("@syno", "left by network storage"),
    ("@synologydrive", "left by network storage"),
    ("@sysstats", "left by network storage"),
    ("@autoupdate", "left by network storage"),
    ("@upload_tmp", "left by network storage"),
    ("@qnap", "left by network storage"),
    ("@transcode", "left by network storage"),
    ("@eastream", "left by network storage"),
    ("#snapshots", "left by network storage"),
    ("captureone", "left by a picture editor"),
    ("_gsdata_", "left by a synchroniser"),
    ("_syncapp", "left by a synchroniser"),
    ("sync.ffs_db", "left by a synchroniser"),
    ("dfsrprivate", "left by a synchroniser"),
    ("_dropbox_conflicts", "left by a synchroniser"),
    ("autprint.mrk", "left by a camera"),
    ("__pycache__", "left by Python"),
];

/// Folders by how their names end, in lower case.
const FOLDER_ENDS: [(&str, &str); 10] = [
    (".photoslibrary", "a library of macOS"),
    (".photolibrary", "a library of macOS"),
    (".migratedphotolibrary", "a library of macOS"),
    (".aplibrary", "a library of macOS"),
    (".cocatalog", "left by a picture editor"),
    (".cosessiondb", "left by a picture editor"),
    (".dtrash", "left by a picture editor"),
    (".ffs_lock", "left by a synchroniser"),
    (".lrdata", "left by a picture editor"),
    (".lrcat-data", "left by a picture editor"),
];

/// Files by how their names end, in lower case.
const FILE_ENDS: [(&str, &str); 19] = [
    (".part.json", "written by pelage"),
    (".shard.json", "written by pelage"),
    ("@synoeastream", "left by network storage"),
    ("@synoresource", "left by network storage"),
    (".thm", "a camera's thumbnail"),
    ("_original", "a picture editor's backup"),
    (".orig", "a backup"),
    (".bak", "a backup"),
    (".backup", "a backup"),
    (".old", "a backup"),
    ("~", "a backup"),
    (".part", "an unfinished download"),
    (".partial", "an unfinished download"),
    (".filepart", "an unfinished download"),
    (".crdownload", "an unfinished download"),
    (".download", "an unfinished download"),
    (".opdownload", "an unfinished download"),
    (".aria2", "an unfinished download"),
    (".tmp", "a temporary file"),
];

/// Why a folder of this name is passed over: hidden, or left behind by something else.
pub(super) fn folder_rule(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    // Of a damaged Windows disk: FOUND.000.
    let found = || {
        let number = lower.strip_prefix("found.")?;
        let rescued = number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
        rescued.then_some("left by Windows")
    };
    named(&lower).or_else(|| ending(&lower, &FOLDER_ENDS)).or_else(found)
}

/// The same for a file.
pub(super) fn file_rule(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    // What an office program has open: ~$labels.xlsx.
    let open = || lower.starts_with("~$").then_some("a temporary file");
    // Of two versions Syncthing keeps the other beside the file.
    let conflict = || lower.contains(".sync-conflict-").then_some("left by a synchroniser");
    named(&lower)
        .or_else(|| ending(&lower, &FILE_ENDS))
        .or_else(open)
        .or_else(conflict)
}

fn named(lower: &str) -> Option<&'static str> {
    match lower.starts_with('.') {
        true => Some("hidden"),
        false => NAMES.iter().find(|(name, _)| lower == *name).map(|(_, why)| *why),
    }
}

/// Where something with an extension stands before the end: a file may be called `original`.
fn ending(lower: &str, ends: &[(&str, &'static str)]) -> Option<&'static str> {
    let holds = |end: &str| {
        let before = lower.strip_suffix(end);
        before.is_some_and(|before| !before.is_empty() && (end.starts_with('.') || before.contains('.')))
    };
    ends.iter().find(|(end, _)| holds(end)).map(|(_, why)| *why)
}

/// The topmost part of a file's name, with slashes, that a rule holds for: how long the name is up to its end, and why.
pub(super) fn rule_within(name: &str) -> Option<(usize, &'static str)> {
    let (mut end, mut parts) = (0, name.split('/').peekable());
    while let Some(part) = parts.next() {
        end += part.len();
        let why = match parts.peek() {
            Some(_) => folder_rule(part),
            None => file_rule(part),
        };
        if let Some(why) = why {
            return Some((end, why));
        }
        end += 1;
    }
    None
}

/// Whether a name, with slashes, is one of these or lies in one.
pub(crate) fn is_leftover(name: &str) -> bool {
    rule_within(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_passed_over() {
        for name in [
            "__MACOSX/cat.1.jpg",
            "a/.DS_Store",
            "Cat/Thumbs.db",
            "cat/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg",
            "lost+found/#123",
            "#recycle/cat/1.jpg",
            "@Recycle/1.jpg",
            "$RECYCLE.BIN/S-1-5/1.jpg",
            "System Volume Information/x",
            "DCIM/GOPR0001.THM",
            "cat/1.jpg_original",
            "cat/1.jpg~",
            "cat/1.jpg.part",
            "part-3.csv.part.json",
            "part-3.csv.shard.json",
            "FOUND.000/FILE0000.CHK",
            "~$labels.xlsx",
            "@appstore/PhotoStation/1.jpg",
            "LOST.DIR/1.jpg",
            "Photos Library.photoslibrary/originals/0/1.jpeg",
            "Recycled/1.jpg",
            "cat/CaptureOne/Cache/Thumbnails/1.jpg",
            "_gsdata_/_saved_/1.jpg",
            "cat/1.sync-conflict-20240101-120000-ABCDEFG.jpg",
            "WindowsImageBackup/1.jpg",
        ] {
            assert!(is_leftover(name), "{name}");
        }
        for name in [
            "Cat/1.jpg",
            "old/1.jpg",
            "found/1.jpg",
            "thumbs/1.jpg",
            "misc/1.jpg",
            "original/1.jpg",
            "pets_original/1.jpg",
            "me.old/1.jpg",
            "DCIM/100CANON/IMG_1.JPG",
            "lost/1.jpg",
            "private/1.jpg",
            "android/1.jpg",
            "recycled paper/1.jpg",
            "sync/1.jpg",
        ] {
            assert!(!is_leftover(name), "{name}");
        }
        assert_eq!(rule_within("cat/@eaDir/1.jpg"), Some((10, "left by network storage")));
    }
}
