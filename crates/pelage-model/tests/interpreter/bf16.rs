//! The same networks in bf16, beside themselves in f32.

use pelage_kernels::bf16::Instructions;
use pelage_kernels::isa::Isa;
use pelage_model::burn::tensor::Device;
use pelage_model::interpreter::{Answer, Bf16, Interpreter};
use pelage_model::networks::{Architecture, Head};
use pelage_model::precision::Precision;
use pelage_model::saved::{Member, Voice};
use pelage_model::{Model, input};

use super::{CLASSES, MIXED, added, member, model, picture, trained};

/// This CPU's, or portable arithmetic, which has the same bits but for curves.
fn instructions() -> Instructions {
    Instructions::of(Isa::best()).unwrap_or(Instructions::portable())
}

/// The root of the mean square of the differences, as a share of that of the values.
fn difference(ours: &[f32], truth: &[f32]) -> f64 {
    assert_eq!(ours.len(), truth.len());
    let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x * x)).sum::<f64>();
    let lost = squares(&mut ours.iter().zip(truth).map(|(a, b)| a - b));
    (lost / squares(&mut truth.iter().copied())).sqrt()
}

/// How far the features are from those in f32, at most; each image's are the same bits, whatever is computed with it,
/// on any number of threads.
fn compare(member: &Member) -> f64 {
    let what = format!("{} {:?} flip {}", member.architecture.name(), member.head, member.flip);
    let size = [member.preprocessing.height, member.preprocessing.width].map(|side| side as usize);
    let (graph, values) = (member.graph(CLASSES), trained(member, 7));
    let whole = Interpreter::new(graph.clone(), values.clone(), size).unwrap();
    let narrow = Bf16::new(instructions(), graph, values, size).unwrap();
    let images: Vec<Vec<f32>> = (0..5)
        .map(|seed| input::decode(&picture(seed), &member.preprocessing).unwrap())
        .collect();
    let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
    let on = |threads: usize, images: &[&[f32]]| -> Vec<Answer> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| narrow.run(images, member.flip))
    };
    let answers = on(1, &images);
    assert_eq!(on(2, &images), answers, "{what}");
    assert_eq!(on(3, &images[1..2]), answers[1..2], "{what}");
    assert!(answers.iter().all(|answer| answer.logits.len() == CLASSES));
    let lost = images.iter().zip(&answers).take(2).map(|(image, answer)| {
        let truth = whole.run(image.to_vec(), member.flip);
        difference(&answer.embedding, &truth.embedding)
    });
    lost.fold(0.0, f64::max)
}

#[test]
fn every_network_sees_in_bf16_what_it_sees_in_f32() {
    let mut far = Vec::new();
    let mut check = |member: &Member| {
        let lost = compare(member);
        // With weights drawn at random, narrow maps between blocks enlarge rounding; elsewhere it is a value's own.
        let bound = match member.architecture.name() {
            name if name.starts_with("mobilenet") || name.starts_with("efficientnet") => 0.15,
            _ => 0.02,
        };
        if lost.is_nan() || lost > bound {
            far.push(format!("{} {:?}: {lost}", member.architecture.name(), member.head));
        }
    };
    for architecture in Architecture::ALL {
        // As in f32; of ResNet there are others, and VGG16 is slow.
        if matches!(
            architecture,
            Architecture::Vgg16 | Architecture::Vgg19 | Architecture::ResNet34 | Architecture::EfficientNetV2S
        ) {
            continue;
        }
        check(&member(architecture, None, false, [64, 48]));
    }
    for (architecture, head, flip, size) in [
        (Architecture::ResNet18, Head::mlp(), true, [51, 65]),
        (Architecture::MobileNetV2, Head::article(), false, [64, 96]),
        (Architecture::EfficientNetLite0, Head::linear(), true, [47, 32]),
        (Architecture::Lynx, Head::mlp(), false, [47, 32]),
    ] {
        check(&member(architecture, Some(head), flip, size));
    }
    assert!(far.is_empty(), "{far:?}");
}

#[test]
fn operations_without_a_kernel_of_bf16_run_between_those_that_have_one() {
    for layers in MIXED {
        let lost = compare(&member(added(layers), None, false, [16, 16]));
        assert!(lost < 0.02, "{lost}");
    }
}

#[test]
fn a_model_answers_in_bf16_or_says_what_is_missing() {
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
        let narrow = Model::decode(&bytes, &Device::flex()).unwrap().in_bf16();
        if Instructions::of(Isa::best()).is_none() {
            let refused = narrow.unwrap_err().to_string();
            assert!(refused.contains("AVX512-BF16") && refused.contains("f32"), "{refused}");
            return eprintln!("skipped: this CPU has no AVX512-BF16");
        }
        let narrow = narrow.unwrap();
        assert_eq!(
            (narrow.precision(), whole.precision()),
            (Precision::Bf16, Precision::F32)
        );
        // The weights are those that were trained.
        assert_eq!(
            Model::decode(&narrow.encode().unwrap(), &Device::flex())
                .unwrap()
                .encode()
                .unwrap(),
            Model::decode(&bytes, &Device::flex()).unwrap().encode().unwrap()
        );
        for seed in 0..4 {
            let [ours, truth] = [&narrow, &whole].map(|model| model.predict_bytes("a", &picture(seed)));
            let share = |prediction: &pelage_model::Prediction, class: &str| {
                prediction.classes.iter().find(|(name, _)| name == class).unwrap().1
            };
            for class in ["cat", "dog", "bird"] {
                let [ours, truth] = [&ours, &truth].map(|prediction| share(prediction, class));
                assert!((ours - truth).abs() < 0.02, "{ours} instead of {truth}");
            }
        }
    }
}
