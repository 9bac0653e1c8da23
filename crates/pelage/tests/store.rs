//! The weights store: what is accepted, what is rejected, and what is kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pelage::data::cache;
use pelage::model::error::Wanted;
use pelage::model::weights::{self, Layout};
use pelage::zoo::fetch::Patience;
use pelage::zoo::published::{self, Source, Weights};
use pelage::zoo::store::{self, Store};
use pelage::{Architecture, Error};
use server::{Habit, Server};
use sha2::{Digest, Sha256};

#[path = "support/server.rs"]
mod server;

const RESNET18: Architecture = Architecture::ResNet18;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/torch")
        .join(name)
}

/// Every file under `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect();
    found.sort();
    found
}

/// The weights that an error asks for.
fn wanted(failure: Error) -> Wanted {
    match failure {
        Error::Weights {
            wanted: Some(wanted), ..
        } => wanted,
        other => panic!("{other}"),
    }
}

#[test]
fn one_file_is_kept_for_each_architecture() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    assert_eq!(store.list().unwrap(), []);

    let first = store.add(&fixture("resnet18.pth"), RESNET18).unwrap();
    assert_eq!(first.kept.path, folder.path().join("weights/resnet18/resnet18.pth"));
    assert_eq!((first.replaced.as_ref(), first.classes), (None, Some(10)));
    assert_eq!(store.find(RESNET18).unwrap(), first.kept.path);
    assert_eq!(
        std::fs::read(&first.kept.path).unwrap(),
        std::fs::read(fixture("resnet18.pth")).unwrap()
    );
    weights::load(&first.kept.path, RESNET18).unwrap();

    let keras = store.add(&fixture("keras.h5"), Architecture::Vgg16).unwrap();
    assert_eq!((keras.replaced.as_ref(), keras.classes), (None, None));
    assert_eq!(store.list().unwrap(), [keras.kept.clone(), first.kept.clone()]);

    let second = store.add(&fixture("resnet18-legacy.pth"), RESNET18).unwrap();
    assert_eq!(second.replaced.as_ref(), Some(&first.kept.path));
    assert_eq!(store.find(RESNET18).unwrap(), second.kept.path);
    // The kept file itself, once more.
    let again = store.add(&second.kept.path, RESNET18).unwrap();
    assert_eq!(
        (&again.kept, again.replaced.as_ref()),
        (&second.kept, Some(&second.kept.path))
    );
    assert_eq!(
        files(folder.path()),
        [second.kept.path.clone(), keras.kept.path.clone()]
    );

    assert_eq!(store.remove("resnet18").unwrap().path, second.kept.path);
    assert_eq!(files(folder.path()), [keras.kept.path]);
    let missing = wanted(store.remove("resnet18").unwrap_err());
    assert!(missing.downloadable && missing.architecture == "resnet18");
    assert!(fixture("resnet18.pth").is_file() && fixture("resnet18-legacy.pth").is_file());
}

#[test]
fn wrong_files_are_rejected_and_the_stored_one_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(&folder.path().join("cache"));
    let good = store.add(&fixture("resnet18.pth"), RESNET18).unwrap().kept;
    let (whole, legacy) = (
        std::fs::read(fixture("resnet18.pth")),
        std::fs::read(fixture("resnet18-legacy.pth")),
    );
    let (whole, legacy) = (whole.unwrap(), legacy.unwrap());
    let told = |name: &str, bytes: &[u8], architecture| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let told = store.add(&path, architecture).unwrap_err().to_string();
        assert!(told.starts_with(path.to_str().unwrap()), "{told}");
        told
    };
    assert!(told("cut.pth", &whole[..whole.len() / 2], RESNET18).contains("damaged"));
    assert!(told("cut.pth", &legacy[..legacy.len() - 9], RESNET18).contains("damaged"));
    assert!(told("text.pth", b"I am the weights.\n", RESNET18).contains("not a file of PyTorch weights"));
    let other = told("other.pth", &whole, Architecture::ResNet34);
    assert!(other.contains("holds weights of resnet18, not of resnet34"), "{other}");
    assert!(told("cnn3.pth", &whole, Architecture::Cnn3).contains("no known weights of cnn3"));
    // The last value of the head's weights.
    let number = 0.25f32.to_le_bytes();
    let at = legacy.windows(4).rposition(|bytes| bytes == number).unwrap();
    let mut diverged = legacy.clone();
    diverged[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let diverged = told("diverged.pth", &diverged, RESNET18);
    assert!(diverged.contains("'fc.weight' holds NaN"), "{diverged}");
    let proof = folder.path().join("proof");
    let code = format!("cposix\nsystem\n(Vtouch {}\ntR.", proof.display());
    assert!(told("code.pth", code.as_bytes(), RESNET18).contains("nothing of it was run"));
    assert!(!proof.exists());
    // A published file name implies its checksum.
    let named = told("resnet18-f37072fd.pth", &whole, RESNET18);
    assert!(named.contains("SHA-256"), "{named}");

    assert_eq!(files(&folder.path().join("cache")), std::slice::from_ref(&good.path));
    assert_eq!(std::fs::read(&good.path).unwrap(), whole);
    assert_eq!(store.list().unwrap(), [good]);
}

#[test]
fn missing_weights_are_named_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    for architecture in Architecture::ALL {
        let (name, failure) = (architecture.name(), store.find(architecture).unwrap_err());
        let told = failure.to_string();
        assert!(
            told.contains(name) && told.contains(folder.path().to_str().unwrap()),
            "{told}"
        );
        let Ok(weights) = store::published(architecture, None) else {
            // Ours, and what has weights whose checksum is not known.
            assert!(
                matches!(
                    architecture,
                    Architecture::Cnn3 | Architecture::Cnn(_) | Architecture::Lynx | Architecture::DinoV2Small
                ),
                "{name}"
            );
            continue;
        };
        let Weights { file, source, .. } = weights;
        assert!(matches!(source, Source::Url(_)));
        let expected = Wanted {
            architecture: name,
            file,
            source: source.to_string(),
            downloadable: true,
        };
        assert_eq!(wanted(failure), expected);
    }
    let second = store::published(Architecture::ResNet50, Some("resnet50-11ad3fa6.pth")).unwrap();
    assert_eq!(second.top1, 80.858);
    let unknown = store::published(Architecture::ResNet50, Some("resnet50.pth"))
        .unwrap_err()
        .to_string();
    assert!(
        unknown.contains("resnet50-0676ba61.pth, resnet50-11ad3fa6.pth"),
        "{unknown}"
    );
}

#[test]
fn clearing_the_image_cache_leaves_weights() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let kept = store.add(&fixture("resnet18.pth"), RESNET18).unwrap().kept;
    let cached = folder.path().join(format!("{:032x}.pictures", 1));
    std::fs::write(&cached, b"12345").unwrap();
    assert_eq!(cache::clear(folder.path(), std::time::Duration::ZERO).unwrap(), 5);
    assert_eq!(files(folder.path()), [kept.path]);
}

#[test]
fn a_fetched_file_is_checked_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let patience = Patience {
        attempts: 2,
        silence: Duration::from_secs(5),
        pause: Duration::from_millis(1),
    };
    let bytes = std::fs::read(fixture("resnet18.pth")).unwrap();
    let sum: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let server = Server::new(&bytes, &[Habit::Drops(bytes.len() / 2), Habit::Good]);
    let mut weights = Weights {
        layout: Layout::Torchvision,
        file: "resnet18-new.pth".into(),
        source: Source::Url(format!("{}/resnet18-new.pth", server.url)),
        sha256: sum.leak(),
        ..published::entry(RESNET18).weights.remove(0)
    };
    let earlier = store.add(&fixture("resnet18-legacy.pth"), RESNET18).unwrap().kept;
    let fetch = |architecture, weights: &Weights| store.fetch(architecture, weights, &patience, &mut |_, _| {});

    // The right bytes, for the wrong architecture.
    let told = fetch(Architecture::ResNet34, &weights).unwrap_err().to_string();
    assert!(told.contains("holds weights of resnet18"), "{told}");
    assert_eq!(files(folder.path()), std::slice::from_ref(&earlier.path));

    let added = fetch(RESNET18, &weights).unwrap();
    assert_eq!((added.replaced, added.classes), (Some(earlier.path), Some(10)));
    assert_eq!(files(folder.path()), std::slice::from_ref(&added.kept.path));
    assert_eq!(std::fs::read(&added.kept.path).unwrap(), bytes);

    // A file that is already stored is not requested again.
    let requests = server.ranges().len();
    assert_eq!(fetch(RESNET18, &weights).unwrap().kept, added.kept);
    assert_eq!(server.ranges().len(), requests);

    weights.file = "resnet18-newer.pth".into();
    weights.sha256 = "00000000";
    let failure = fetch(RESNET18, &weights).unwrap_err();
    assert!(failure.to_string().contains("wrong checksum"), "{failure}");
    let missing = wanted(failure);
    assert!(!missing.downloadable && missing.file == "resnet18-newer.pth");
    assert_eq!(files(folder.path()), [added.kept.path]);
}
