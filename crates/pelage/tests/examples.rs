//! Runs every example in turn, on images that are drawn here.

#![allow(dead_code, reason = "the examples' `main`s are called here")]

#[path = "../examples/explain.rs"]
mod explain;
#[path = "../examples/features.rs"]
mod features;
#[path = "../examples/own_loop.rs"]
mod own_loop;
#[path = "../examples/predict.rs"]
mod predict;
#[path = "../examples/train_folder.rs"]
mod train_folder;
#[path = "../examples/train_memory.rs"]
mod train_memory;

#[test]
fn every_example_runs() {
    let folder = tempfile::tempdir().unwrap();
    pelage::data::sample::write(&folder.path().join("pictures"), 20, 0, 64, &|_| {}).unwrap();
    std::env::set_current_dir(folder.path()).unwrap();
    train_folder::main().unwrap();
    predict::main().unwrap();
    features::main().unwrap();
    explain::main().unwrap();
    own_loop::main().unwrap();
    train_memory::main().unwrap();
    for made in [
        "runs/mine/best.safetensors",
        "features/features.npy",
        "explained/index.html",
        "grad-cam.png",
        "light-or-dark.safetensors",
    ] {
        assert!(folder.path().join(made).is_file(), "{made}");
    }
}

#[test]
fn every_example_is_short_and_tested_here() {
    let own = include_str!("examples.rs");
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            own.contains(&format!("    {name}::main().unwrap();")),
            "{name} is not run"
        );
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 30, "{name}: {lines} lines, more than 30");
    }
}
