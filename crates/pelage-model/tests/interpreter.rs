//! The interpreter, which runs a graph straight on the kernels, beside the same network on Burn.

use pelage_data::RgbImage;
use pelage_data::preprocess::{Fit, Preprocessing};
use pelage_kernels::split_mix;
use pelage_model::burn::tensor::Device;
use pelage_model::interpreter::{self, Interpreter};
use pelage_model::networks::{Architecture, Head, Network, parameters};
use pelage_model::saved::{Facts, Member, Together, Voice};
use pelage_model::trust::calibration::{Calibration, Facts as Fitted};
use pelage_model::trust::density::Density;
use pelage_model::trust::{Doubt, Judge};
use pelage_model::values::Named;
use pelage_model::{Model, input};

#[path = "interpreter/bf16.rs"]
mod bf16;
#[path = "interpreter/quantized.rs"]
mod quantized;

const CLASSES: usize = 3;

/// Networks of operations with narrow kernels and without, which run between them on f32.
const MIXED: [&[&str]; 2] = [
    // Odd numbers of channels, functions, and the sum, product and order of maps.
    &[
        "stem input 3 1",
        "s = convolution(stem) channels=9 kernel=3 stride=2 padding=same groups=1 activation=silu",
        "t = convolution(s) channels=11 kernel=1 stride=1 padding=same groups=1 activation=none",
        "h = hard_swish(t)",
        "m = concatenate(h, s)",
        "f = channels(m) first=4 count=16",
        "o = shuffle(f) groups=2",
        "g = average(o)",
        "w = convolution(g) channels=16 kernel=1 stride=1 padding=same groups=1 activation=none",
        "k = sigmoid(w)",
        "p = multiply(o, k)",
        "q = convolution(p) channels=16 kernel=1 stride=1 padding=same groups=1 activation=none",
        "z = add(q, p)",
    ],
    // Groups that no narrow kernel computes, and a map that is read twice.
    &[
        "stem input 3 1",
        "g stem 3 2",
        "d g 3 8",
        "r = convolution(d, stem) channels=8 kernel=1 stride=1 padding=same groups=1 activation=relu",
        "c = concatenate(r, d)",
        "m = maximum(c) kernel=3 stride=2 padding=1",
    ],
];

fn member(architecture: Architecture, head: Option<Head>, flip: bool, [width, height]: [u32; 2]) -> Member {
    Member {
        architecture,
        head,
        flip,
        preprocessing: Preprocessing {
            width,
            height,
            mean: [0.4, 0.5, 0.45],
            std: [0.25, 0.2, 0.3],
            ..Preprocessing::new(32)
        },
    }
}

/// Values as training may leave them: statistics and shifts that are neither 0 nor 1.
fn trained(member: &Member, seed: u64) -> Named {
    let size = [member.preprocessing.height, member.preprocessing.width].map(|side| side as usize);
    let network = Network::new(member.architecture, size, CLASSES, seed, &Device::flex());
    let network = match &member.head {
        Some(head) => network.with_head(head, size, CLASSES, seed),
        None => network,
    };
    let (mut values, mut state) = (parameters::read(&network), seed);
    for (name, tensor) in &mut values {
        let mut uniform = || (split_mix::next(&mut state) >> 40) as f32 / (1 << 24) as f32;
        for value in &mut tensor.data {
            match name.rsplit('.').next() {
                Some("running_var") => *value = 0.5 + uniform(),
                Some("running_mean" | "bias") => *value = 0.3 * uniform() - 0.1,
                _ => {}
            }
        }
    }
    values
}

/// A model of `members`, and how they answer together.
fn model(members: &[Member], voices: Option<Vec<Voice>>) -> Model {
    let network = |(seed, member): (usize, &Member)| {
        let values = trained(member, seed as u64);
        Network::assemble(member.graph(CLASSES), values, &Device::flex()).unwrap()
    };
    let networks = members.iter().enumerate().map(network).collect();
    let [first, others @ ..] = members else { unreachable!() };
    let facts = Facts {
        architecture: first.architecture,
        head: first.head.clone(),
        flip: first.flip,
        preprocessing: first.preprocessing.clone(),
        classes: ["cat", "dog", "bird"].map(String::from).to_vec(),
        together: voices.map(|voices| Together {
            others: others.to_vec(),
            voices,
        }),
        training: Default::default(),
    };
    Model::new(networks, facts)
}

/// A picture as the bytes of a file, whose sides are none of a network's.
fn picture(seed: u32) -> Vec<u8> {
    let drawn = RgbImage::from_fn(61, 47, |x, y| {
        image::Rgb([0, 1, 2].map(|c| ((x * (3 + c) + y * 5 + seed * 40) % 251) as u8))
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    drawn.write_to(&mut bytes, image::ImageFormat::Bmp).unwrap();
    bytes.into_inner()
}

fn assert_near(what: &str, ours: &[f32], truth: &[f32]) {
    assert_eq!(ours.len(), truth.len(), "{what}");
    let largest = truth.iter().fold(0f32, |most, value| most.max(value.abs()));
    for (ours, truth) in ours.iter().zip(truth) {
        // Written so that NaN fails.
        let near = (ours - truth).abs() <= 1e-5 * largest;
        assert!(
            near,
            "{what}: {ours} instead of {truth}, where the largest is {largest}"
        );
    }
}

/// Logits and embeddings of a network on both.
fn compare(member: &Member) {
    let what = format!("{} {:?} flip {}", member.architecture.name(), member.head, member.flip);
    let size = [member.preprocessing.height, member.preprocessing.width].map(|side| side as usize);
    let values = trained(member, 7);
    let network = Network::assemble(member.graph(CLASSES), values.clone(), &Device::flex()).unwrap();
    let model = Model::new(
        vec![network.folded(|_| true)],
        Facts {
            architecture: member.architecture,
            head: member.head.clone(),
            flip: member.flip,
            preprocessing: member.preprocessing.clone(),
            classes: vec!["a".into(), "b".into(), "c".into()],
            together: None,
            training: Default::default(),
        },
    );
    let interpreter = Interpreter::new(member.graph(CLASSES), values, size).unwrap();
    for seed in 0..2 {
        let pixels = input::decode(&picture(seed), &member.preprocessing).unwrap();
        let tensor = input::images(pixels.clone(), &member.preprocessing, &Device::flex());
        let (logits, embedding) = model.logits_and_embedding(vec![tensor]);
        let answer = interpreter.run(pixels, member.flip);
        assert_near(&what, &answer.logits, &pelage_model::values::to_vec(logits));
        assert_near(&what, &answer.embedding, &pelage_model::values::to_vec(embedding));
    }
}

#[test]
fn every_network_answers_as_on_burn() {
    for architecture in Architecture::ALL {
        // VGG19 is VGG16 with more of the same, and its own head is large; with weights drawn at random EfficientNetV2
        // enlarges rounding by millions, and is made of what EfficientNet-B0 and MobileNetV2 have.
        if matches!(architecture, Architecture::Vgg19 | Architecture::EfficientNetV2S) {
            continue;
        }
        compare(&member(architecture, None, false, [64, 48]));
    }
}

/// A network of these layers: convolutions to 8 channels as `name input kernel groups`, and lines as they are written.
fn added(layers: &[&str]) -> Architecture {
    let line = |layer: &&str| match layer.split(' ').collect::<Vec<_>>()[..] {
        [name, input, kernel, groups] if !layer.contains('=') => format!(
            "{name} = convolution({input}) channels=8 kernel={kernel} stride=1 padding=same groups={groups} \
             activation=relu"
        ),
        _ => layer.to_string(),
    };
    let lines: Vec<String> = layers.iter().map(line).collect();
    let table = serde_json::json!({"name": "own", "input_size": 16, "layers": lines});
    serde_json::from_value(table).unwrap()
}

#[test]
fn chains_that_meet_and_maps_that_others_read_too_are_kept() {
    for layers in [
        // As in MobileNetV1: the 1x1 that ends one chain would begin the next.
        &[
            "stem input 3 1",
            "d1 stem 3 8",
            "p1 d1 1 1",
            "d2 p1 3 8",
            "p2 d2 1 1",
            "d3 p2 3 8",
            "p3 d3 1 1",
        ][..],
        // What a chain reads is read by another before the chain is computed.
        &[
            "stem input 3 1",
            "e stem 1 1",
            "s = sigmoid(stem)",
            "d e 3 8",
            "p d 1 1",
            "sum = add(p, s)",
        ],
        &[
            "stem input 3 1",
            "d stem 3 8",
            "s = sigmoid(stem)",
            "p d 1 1",
            "sum = add(p, s)",
        ],
    ] {
        let member = member(added(layers), None, false, [16, 16]);
        compare(&member);
        let network = Network::assemble(member.graph(CLASSES), trained(&member, 7), &Device::flex()).unwrap();
        let pixels = input::decode(&picture(1), &member.preprocessing).unwrap();
        let tensor = input::images(pixels, &member.preprocessing, &Device::flex());
        let [fused, plain] = [network.features(tensor.clone()), network.unfused().features(tensor)];
        let [fused, plain] = [fused, plain].map(pelage_model::values::to_vec);
        assert_near("fused", &fused, &plain);
    }
}

#[test]
fn so_do_other_heads_and_mirror_images() {
    use Architecture::*;
    for (architecture, head, flip, size) in [
        (Vgg19, Head::linear(), true, [33, 40]),
        (ResNet18, Head::mlp(), true, [51, 65]),
        (MobileNetV2, Head::article(), false, [64, 96]),
        (EfficientNetLite0, Head::linear(), true, [47, 32]),
        (GoogLeNet, Head::linear(), false, [32, 32]),
        (Lynx, Head::mlp(), false, [47, 32]),
    ] {
        compare(&member(architecture, Some(head), flip, size));
    }
}

fn assert_same(model: &Model, reject: Option<f64>) -> Vec<Option<Doubt>> {
    let ours = interpreter::Model::decode(&model.encode().unwrap(), reject).unwrap();
    let model = Model {
        judge: model.judge.clone().rejecting(reject),
        ..Model::decode(&model.encode().unwrap(), &Device::flex()).unwrap()
    };
    let mut doubts = Vec::new();
    for seed in 0..4 {
        let [ours, truth] = [
            ours.predict_bytes("one.bmp", &picture(seed)),
            model.predict_bytes("one.bmp", &picture(seed)),
        ];
        assert_eq!((&ours.path, ours.temperature), (&truth.path, truth.temperature));
        for ((class, share), (truth, wanted)) in ours.classes.iter().zip(&truth.classes) {
            assert_eq!(class, truth);
            assert!((share - wanted).abs() < 1e-5, "{share} instead of {wanted}");
        }
        assert_eq!(ours.classes.len(), truth.classes.len());
        // In words, which round.
        assert_eq!(
            ours.doubt.map(|doubt| doubt.to_string()),
            truth.doubt.map(|doubt| doubt.to_string())
        );
        doubts.push(ours.doubt);
    }
    assert_eq!(
        ours.predict_bytes("no.png", b"no picture"),
        model.predict_bytes("no.png", b"no picture")
    );
    doubts
}

#[test]
fn a_saved_model_says_the_same() {
    let crop = |mut member: Member| {
        member.preprocessing.fit = Fit::Crop;
        member
    };
    let small = member(Architecture::Cnn3, None, false, [24, 16]);
    let flipped = crop(member(Architecture::ResNet18, Some(Head::linear()), true, [32, 40]));
    let mut alone = model(std::slice::from_ref(&small), None);
    assert_same(&alone, None);
    let voice = |networks, temperature, weight| Voice {
        networks,
        temperature,
        weight,
    };
    assert_same(
        &model(&[small.clone(), flipped.clone()], Some(vec![voice(2, 1.0, 1.0)])),
        None,
    );
    let ensemble = vec![voice(2, 1.5, 0.25), voice(1, 0.8, 0.75)];
    assert_same(&model(&[small.clone(), flipped, small.clone()], Some(ensemble)), None);

    // Weights that come to nothing are no answer, whatever the others say.
    let lone = |member: &Member| model(std::slice::from_ref(member), None);
    let mut values = parameters::read(&lone(&small).network);
    let weights = values.get_mut("dense2.weight").unwrap();
    weights.data.iter_mut().for_each(|value| *value = 1e38);
    let mut broken = model(
        &[small.clone(), small.clone()],
        Some(vec![voice(1, 1.0, 0.5), voice(1, 1.0, 0.5)]),
    );
    broken.others[0] = Network::assemble(small.graph(CLASSES), values, &Device::flex()).unwrap();
    let ours = interpreter::Model::decode(&broken.encode().unwrap(), None).unwrap();
    let told = ours.predict_bytes("a.png", &picture(1)).error;
    assert!(
        told.is_some() && told == broken.predict_bytes("a.png", &picture(1)).error,
        "{told:?}"
    );

    // Calibrated, it doubts the same pictures for the same reasons.
    let width = alone.facts.embedding_widths()[0];
    let factor = (0..width).flat_map(|row| (0..=row).map(move |column| if row == column { 0.5 } else { 0.01 }));
    let density = Density::new(vec![0.1; CLASSES * width], factor.collect(), CLASSES).unwrap();
    let distance = density.distance(&alone.embedding(&picture(0)).unwrap()) + 1e-3;
    let fitted = Fitted {
        temperature: 1.7,
        distance,
        coverage: 0.95,
        train_images: 4,
        validation_images: 4,
    };
    alone.judge = Judge::new(Some(Calibration::new(fitted, density).unwrap()));
    assert!(assert_same(&alone, None).iter().all(Option::is_none));
    assert!(assert_same(&alone, Some(0.0)).contains(&None));
    assert!(matches!(
        assert_same(&alone, Some(1.0))[..],
        [Some(Doubt::Confidence { .. }), ..]
    ));
}

#[test]
fn what_is_no_model_is_refused() {
    let refused = |bytes: &[u8]| interpreter::Model::decode(bytes, None).unwrap_err();
    assert!(refused(b"").contains("not a safetensors file"));
    let mut bytes = model(&[member(Architecture::Cnn3, None, false, [16, 16])], None)
        .encode()
        .unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert!(refused(&bytes).contains("checksum"), "{}", refused(&bytes));
    let small = member(Architecture::Cnn3, None, false, [16, 16]);
    let mut values = trained(&small, 1);
    values.remove("conv1.bias");
    let refused = Interpreter::new(small.graph(CLASSES), values, [16, 16]).unwrap_err();
    assert!(refused.contains("conv1.bias"), "{refused}");
}
