//! The same networks in bytes, beside themselves in f32.

use pelage_model::burn::tensor::Device;
use pelage_model::interpreter::{self, Answer, Interpreter, Quantized, lower};
use pelage_model::networks::{Architecture, Head};
use pelage_model::precision::Precision;
use pelage_model::saved::{self, Member, Voice};
use pelage_model::tensors;
use pelage_model::values::{Named, Values};
use pelage_model::{Model, input};
use serde_json::{Value, json};

use super::{CLASSES, MIXED, added, member, model, picture, trained};

fn size(member: &Member) -> [usize; 2] {
    [member.preprocessing.height, member.preprocessing.width].map(|side| side as usize)
}

fn pixels(member: &Member, seeds: std::ops::Range<u32>) -> Vec<Vec<f32>> {
    seeds
        .map(|seed| input::decode(&picture(seed), &member.preprocessing).unwrap())
        .collect()
}

fn lowered(member: &Member) -> Named {
    lower(
        member.graph(CLASSES),
        trained(member, 7),
        size(member),
        &pixels(member, 0..6),
    )
    .unwrap()
}

/// The cosine of the angle between two answers.
fn alike(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn compare(member: &Member) {
    let what = format!("{} {:?} flip {}", member.architecture.name(), member.head, member.flip);
    let whole = Interpreter::new(member.graph(CLASSES), trained(member, 7), size(member)).unwrap();
    let quantized = Quantized::new(&member.graph(CLASSES), lowered(member), size(member)).unwrap();
    let images = pixels(member, 0..3);
    let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
    let answers = quantized.run(&images, member.flip);
    for (image, answer) in images.iter().zip(&answers) {
        let truth = whole.run(image.to_vec(), member.flip);
        let cosine = alike(&answer.embedding, &truth.embedding);
        // Of weights that are noise; the narrow maps between MobileNet's blocks lose most.
        assert!(cosine > 0.94, "{what}: {cosine}");
        // One image at a time, by all threads; and among as many as there are threads, each by one.
        let alone = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let alone = alone.install(|| quantized.run(&[*image], member.flip));
        assert_eq!(alone, std::slice::from_ref(answer), "{what}");
    }
    assert!(answers.iter().all(|answer: &Answer| answer.logits.len() == CLASSES));
}

#[test]
fn every_network_sees_in_bytes_what_it_sees_in_f32() {
    use Architecture::*;
    for architecture in [
        Cnn3,
        Lynx,
        Vgg16,
        ResNet18,
        ResNet50,
        GoogLeNet,
        MobileNetV2,
        EfficientNetLite0,
    ] {
        compare(&member(architecture, None, false, [64, 48]));
    }
    for (architecture, head, flip, size) in [
        (Architecture::ResNet18, Head::mlp(), true, [51, 65]),
        (Architecture::MobileNetV2, Head::article(), false, [64, 96]),
        (Architecture::EfficientNetLite0, Head::linear(), true, [47, 32]),
        (Architecture::Lynx, Head::mlp(), false, [47, 32]),
    ] {
        compare(&member(architecture, Some(head), flip, size));
    }
}

#[test]
fn operations_without_a_kernel_of_bytes_run_between_those_that_have_one() {
    for layers in MIXED {
        compare(&member(added(layers), None, false, [16, 16]));
    }
}

#[test]
fn a_quantized_file_answers_like_the_model_it_was_made_of() {
    let small = member(Architecture::Cnn3, None, false, [24, 16]);
    let other = member(Architecture::MobileNetV2, Some(Head::linear()), true, [32, 40]);
    let voice = Voice {
        networks: 2,
        temperature: 1.0,
        weight: 1.0,
    };
    for (members, voices) in [(vec![small.clone()], None), (vec![small, other], Some(vec![voice]))] {
        let whole = model(&members, voices);
        let bytes = whole.encode().unwrap();
        let images: Vec<_> = (0..6)
            .map(|seed| whole.prepare(&picture(seed), &Default::default()).unwrap())
            .collect();
        let file = saved::quantized(&bytes, &images, json!("told")).unwrap();
        assert!(file.len() * 3 < bytes.len(), "{} {}", file.len(), bytes.len());
        let quantized = Model::decode(&file, &Device::flex()).unwrap();
        assert_eq!(
            (quantized.precision(), whole.precision()),
            (Precision::Int8, Precision::F32)
        );
        assert_eq!(quantized.facts.training["quantized"], "told");
        for seed in 0..4 {
            let [ours, truth] = [&quantized, &whole].map(|model| model.predict_bytes("a", &picture(seed)));
            let share = |prediction: &pelage_model::Prediction, class: &str| {
                prediction.classes.iter().find(|(name, _)| name == class).unwrap().1
            };
            for class in ["cat", "dog", "bird"] {
                let [ours, truth] = [&ours, &truth].map(|prediction| share(prediction, class));
                assert!((ours - truth).abs() < 0.15, "{ours} instead of {truth}");
            }
        }
        // Written again, and with a calibration, it stays what it was.
        assert_eq!(quantized.encode().unwrap(), file);
        // What cannot use it says so.
        let refused = saved::quantized(&file, &images, Value::Null).unwrap_err();
        assert!(refused.contains("quantized already"), "{refused}");
        assert!(
            saved::quantized(&bytes, &[], Value::Null)
                .unwrap_err()
                .contains("no image")
        );
        let refused = interpreter::Model::decode(&file, None).unwrap_err();
        assert!(refused.contains("quantized"), "{refused}");
        let refused = quantized.alone("explained").unwrap_err().to_string();
        assert!(
            refused.contains("quantized") && refused.contains("explained"),
            "{refused}"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        std::fs::write(&path, &file).unwrap();
        assert!(saved::trained(&path).unwrap_err().to_string().contains("quantized"));
    }
}

#[test]
fn tensors_that_are_no_network_in_bytes_are_refused() {
    let small = member(Architecture::Cnn3, None, false, [16, 16]);
    let good = lowered(&small);
    let graph = small.graph(CLASSES);
    assert!(Quantized::new(&graph, good.clone(), [16, 16]).is_ok());
    let refused = |change: &dyn Fn(&mut Named)| {
        let mut values = good.clone();
        change(&mut values);
        Quantized::new(&graph, values, [16, 16]).map(drop).unwrap_err()
    };
    let set = |name: &'static str, value: f32| move |values: &mut Named| values.get_mut(name).unwrap().data[0] = value;
    fn boxed(change: impl Fn(&mut Named) + 'static) -> Box<dyn Fn(&mut Named)> {
        Box::new(change)
    }
    for (told, change) in [
        ("conv1.scale", boxed(|values| drop(values.remove("conv1.scale")))),
        ("conv1.bias", boxed(|values| drop(values.remove("conv1.bias")))),
        ("ranges", boxed(|values| drop(values.remove("ranges")))),
        (
            "ranges",
            boxed(|values| values.get_mut("ranges").unwrap().shape = vec![1, 2]),
        ),
        (
            "surplus",
            boxed(|values| drop(values.insert("surplus".into(), Values::default()))),
        ),
        ("conv1.scale", boxed(set("conv1.scale", 0.0))),
        ("conv1.scale", boxed(set("conv1.scale", f32::NAN))),
        ("conv1", boxed(set("conv1.scale", 1e30))),
        ("conv1", boxed(set("conv1.bias", 1e30))),
        ("conv1", boxed(set("conv1.weight", 0.5))),
        ("conv1", boxed(set("conv1.weight", 128.0))),
        ("range", boxed(set("ranges", 0.5))),
        ("range", boxed(set("ranges", f32::NAN))),
    ] {
        let refused = refused(&*change);
        assert!(refused.contains(told), "{told}: {refused}");
    }
}

#[test]
fn a_file_that_says_one_thing_and_holds_another_is_refused() {
    let whole = model(&[member(Architecture::Cnn3, None, false, [16, 16])], None);
    let bytes = whole.encode().unwrap();
    let images = [whole.prepare(&picture(0), &Default::default()).unwrap()];
    let file = saved::quantized(&bytes, &images, Value::Null).unwrap();
    let again = |file: &[u8], precision: Option<Value>| {
        let (named, mut facts) = tensors::decode::<Value>(file, "model").unwrap();
        facts.as_object_mut().unwrap().remove("precision");
        if let Some(precision) = precision {
            facts["precision"] = precision;
        }
        let tensors = named
            .iter()
            .map(|(name, values)| (name.clone(), values, tensors::Precision::F32));
        let bytes = tensors::encode(tensors, "model", &facts).unwrap();
        Model::decode(&bytes, &Device::flex()).map(|model| model.precision())
    };
    assert_eq!(again(&file, Some("int8".into())), Ok(Precision::Int8));
    assert_eq!(again(&bytes, None), Ok(Precision::F32));
    assert!(again(&file, None).unwrap_err().contains("tensor"));
    assert!(again(&bytes, Some("int8".into())).unwrap_err().contains("ranges"));
    for other in [json!("int4"), json!("f32"), json!(8), Value::Null] {
        assert!(again(&bytes, Some(other.clone())).is_err(), "{other}");
    }
}
