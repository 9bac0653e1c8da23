//! `--precision bf16`: the same answers from every verb, close to those in f32, or an error that says what is missing.

use common::{fail, run, succeed, trained};
use serde_json::Value;
use server::Server;

mod common;
#[path = "common/server.rs"]
mod server;

#[test]
fn every_verb_answers_in_bf16_or_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, 16, 8);
    succeed(folder, &["quantize", "run", "--images", "8"]);
    let json = |arguments: &str| -> Value {
        let arguments: Vec<_> = arguments.split(' ').chain(["--json"]).collect();
        serde_json::from_str(&succeed(folder, &arguments)).unwrap()
    };

    // Without the instructions, whatever the verb, before pictures are read.
    for verb in [
        "predict run nothing",
        "evaluate run",
        "serve run --port 0",
        "bench inference --model cnn3",
    ] {
        let output = common::pelage(folder)
            .args(verb.split(' ').chain(["--precision", "bf16"]))
            .env("PELAGE_ISA", "portable")
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{verb}: {told}");
        assert!(told.contains("AVX512-BF16") && told.contains("f32"), "{verb}: {told}");
    }
    let tried = run(folder, &["predict", "run", "data/validation", "--precision", "bf16"]);
    if !tried.status.success() {
        assert!(String::from_utf8_lossy(&tried.stderr).contains("AVX512-BF16"));
        return eprintln!("skipped: this CPU has no AVX512-BF16");
    }

    let quantized = "predict run/int8.safetensors data/validation --precision bf16";
    let refused = fail(folder, &quantized.split(' ').collect::<Vec<_>>(), 1);
    assert!(
        refused.contains("quantized") && refused.contains("made of"),
        "{refused}"
    );
    let (whole, narrow) = (
        json("predict run data/validation"),
        json("predict run data/validation --precision bf16"),
    );
    let share = |answers: &Value, i: usize| {
        let classes = answers[i]["classes"].as_array().unwrap();
        let level = classes.iter().find(|class| class[0] == "level").unwrap();
        level[1].as_f64().unwrap()
    };
    let pictures = whole.as_array().unwrap().len();
    assert_eq!(pictures, narrow.as_array().unwrap().len());
    for i in 0..pictures {
        assert!((share(&whole, i) - share(&narrow, i)).abs() < 0.02, "{i}");
    }
    assert_eq!(json("predict run data/validation --precision bf16 --threads 1"), narrow);
    let figure = |arguments: &str| json(arguments)["log_loss"].as_f64().unwrap();
    assert!((figure("evaluate run") - figure("evaluate run --precision bf16")).abs() < 0.02);

    // A picture on its own is answered as among others, here and by the server.
    let picture = "data/validation/level/1.png";
    let mut alone = json(&format!("predict run {picture} --precision bf16"));
    alone[0]["path"] = "picture".into();
    let server = Server::start(folder, &["run", "--precision", "bf16"]);
    let (status, told) = server.post("/api/predict", &std::fs::read(folder.join(picture)).unwrap());
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!((status, &told["predictions"]), (200, &alone));
    let (_, models) = server.get("/api/models");
    assert!(String::from_utf8_lossy(&models).contains("bf16"));
}
