//! The networks by name, against PyTorch on weights that it has saved; and files of weights that are wrong.
//!
//! With `FALTUNG_MODELS` naming the folder that `tests/cases/models.py --full` has written, the networks are compared
//! at their published sizes too, and their weights saved for `models.py --check`.

use std::path::Path;

use faltung::ndarray::{ArrayD, IxDyn};
use faltung::nn::data::{Arrays, Targets};
use faltung::nn::models::{self, MobileNet, Model, ResNet, TextCnn, Vgg};
use faltung::nn::{
    Adam, BatchNorm, CrossEntropy, Dense, Float, Item, Network, Optimizer, Sequential, Trainer, read_metadata,
};
use serde_json::{Value, json};

fn number(case: &Value, key: &str) -> usize {
    case[key].as_u64().unwrap_or_else(|| panic!("{case} has a number {key}")) as usize
}

/// The network of a case at its width.
fn design<T: Float>(case: &Value) -> Sequential<T> {
    let (width, classes) = (number(case, "width"), number(case, "classes"));
    match case["model"].as_str().expect("a name") {
        "resnet18" => ResNet::basic([2, 2, 2, 2]).width(width).design(classes),
        "resnet50" => ResNet::bottleneck([3, 4, 6, 3]).width(width).design(classes),
        "vgg16" => Vgg::new([2, 2, 3, 3, 3]).width(width).hidden(number(case, "hidden")).design(classes),
        "mobilenet_v1" => MobileNet::new().width(width).design(classes),
        "alexnet" => models::alexnet(classes),
        name => panic!("no network {name}"),
    }
}

/// The largest difference of logits, relative to the largest of PyTorch's in double precision.
fn distance<T: Float>(network: &mut Network<T>, case: &Value) -> f64 {
    let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).expect("a shape");
    let expected: Vec<f64> = serde_json::from_value(case["logits"].clone()).expect("logits");
    let count = shape.iter().product();
    let x = (0..count).map(|i: usize| T::from_f64((i * 37 % 4096) as f64 / 2048.0 - 1.0)).collect();
    let x = ArrayD::from_shape_vec(IxDyn(&shape), x).expect("as many as the shape says");
    let found = network.forward(x.view()).expect("logits");
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    let differences = found.iter().zip(&expected).map(|(a, b)| (Float::as_f64(*a) - b).abs());
    differences.fold(0.0, |most: f64, d| if d <= most { most } else { d }) / largest
}

fn cases(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("models.json")).expect("the script has written it");
    serde_json::from_str(&text).expect("a list of cases")
}

fn loaded<T: Float>(folder: &Path, case: &Value) -> Network<T> {
    let mut network = design(case).build(3).expect("a network");
    assert_eq!(network.parameter_count(), number(case, "parameters"), "{}", case["model"]);
    let name = case["model"].as_str().expect("a name");
    network.load(folder.join(format!("{name}.safetensors"))).expect("PyTorch's weights");
    network
}

#[test]
fn thin_networks_compute_what_pytorch_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/models");
    let cases = cases(&folder);
    assert_eq!(cases.len(), 4);
    for case in &cases {
        let off = distance(&mut loaded::<f64>(&folder, case), case);
        assert!(off < 1e-11, "{} in f64: {off:e}", case["model"]);
        let off = distance(&mut loaded::<f32>(&folder, case), case);
        assert!(off < 1e-4, "{} in f32: {off:e}", case["model"]);
    }
}

#[test]
fn published_networks_compute_what_pytorch_does() {
    let Some(folder) = std::env::var_os("FALTUNG_MODELS") else {
        eprintln!("skipped: FALTUNG_MODELS names no folder that tests/cases/models.py --full has written");
        return;
    };
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder.join("saved")).expect("a folder");
    for case in &cases(folder) {
        let mut network = loaded::<f32>(folder, case);
        let off = distance(&mut network, case);
        println!("{} {}: {off:.1e}", case["model"], case["shape"]);
        assert!(off < 1e-4, "{} {}: {off:e}", case["model"], case["shape"]);
        let name = case["model"].as_str().expect("a name");
        network.save(folder.join(format!("saved/{name}.safetensors"))).expect("written");
    }
}

#[test]
fn weights_are_as_many_as_published() {
    let published =
        [693_962, 61_706, 288_170, 61_100_840, 132_863_336, 138_357_544, 11_689_512, 21_797_672, 25_557_032, 4_231_976];
    for (model, published) in Model::ALL.into_iter().zip(published) {
        let classes = if model.input_shape()[0] == 3 { 1000 } else { 10 };
        let mut network = model.design::<f32>(classes).build(1).expect("a network");
        assert_eq!(network.parameter_count(), published, "{model}");
        let shape: Vec<usize> = [2].iter().chain(model.input_shape()).copied().collect();
        assert_eq!(network.output_shape(&shape).expect("it takes its own shape"), [2, classes], "{model}");
    }
}

#[test]
fn networks_have_names() {
    for model in Model::ALL {
        assert_eq!(model.to_string().parse::<Model>().expect("its own name"), model);
    }
    let refused = "ResNet18".parse::<Model>().expect_err("names are in small letters").to_string();
    assert!(refused.contains("resnet18") && refused.contains("speech_cnn"), "{refused}");
}

#[test]
fn sizes_without_sense_are_refused() {
    let refused = |design: Sequential<f32>| design.build(1).is_err();
    assert!(refused(models::resnet18(0)));
    assert!(refused(ResNet::basic([1; 4]).width(0).design(10)));
    assert!(refused(ResNet::bottleneck([1; 4]).width(usize::MAX).design(10)));
    assert!(refused(Vgg::new([1; 5]).width(usize::MAX / 2).design(10)));
    assert!(refused(Vgg::new([1; 5]).hidden(usize::MAX).design(10)));
    assert!(refused(MobileNet::new().width(usize::MAX).design(10)));
    assert!(refused(MobileNet::new().in_channels(0).design(10)));
    assert!(refused(TextCnn::new(0).design(2)));
    assert!(refused(TextCnn::new(usize::MAX).design(2)));
    assert!(refused(TextCnn::new(10).widths(&[]).design(2)));
    assert!(refused(TextCnn::new(10).widths(&[3, 0]).design(2)));
    assert!(refused(TextCnn::new(10).dropout(f64::NAN).design(2)));
}

/// Sentences of the ids 2 … 9 in any places, and whether 2 is followed by 3 somewhere.
#[test]
fn the_text_network_learns_pairs_of_words() {
    let mut random = faltung::nn::Random::new(5);
    let (mut ids, mut targets) = (Vec::new(), Vec::new());
    for _ in 0..256 {
        let mut sentence: Vec<f32> = (0..8).map(|_| (2 + random.below(8)) as f32).collect();
        if random.below(2) == 0 {
            let place = random.below(7);
            sentence[place..place + 2].copy_from_slice(&[2.0, 3.0]);
        }
        targets.push(usize::from(sentence.windows(2).any(|pair| pair == [2.0, 3.0])));
        ids.extend(sentence);
    }
    let ids = ArrayD::from_shape_vec(vec![256, 8], ids).expect("as many as the shape says");
    let data = Arrays::new(ids, Targets::Classes(targets)).expect("a data set");
    let network = TextCnn::new(10).dimension(16).widths(&[2, 3]).maps(16).design(2).build(1).expect("a network");
    let mut trainer = Trainer::new(network, Optimizer::new(Adam::new(0.01)), CrossEntropy::new()).epochs(40).batch(32);
    trainer.fit(&data, None).expect("a training");
    assert_eq!(trainer.evaluate(&data).expect("metrics").accuracy(), Some(1.0));
    // Sentences of one word, and of none but padding.
    let one = trainer.network().forward(ArrayD::zeros(vec![1, 1]).view()).expect("logits");
    assert_eq!(one.shape(), [1, 2]);
}

/// `weight` (2, 3) and `bias` (2) of a dense layer, and a batch norm.
fn small() -> Network<f32> {
    let design = Sequential::new().named("fc", Dense::new(3, 2)).named("bn", BatchNorm::new(2));
    design.build(1).expect("a network")
}

fn values(network: &mut Network<f32>) -> Vec<f32> {
    let mut all = Vec::new();
    let visited = network.visit(&mut |_, item| {
        match item {
            Item::Parameter(p) => all.extend(p.value.iter()),
            Item::Buffer(b) => all.extend(b.iter()),
            Item::Count(n) => all.push(*n as f32),
            _ => {}
        }
        Ok(())
    });
    visited.expect("nothing is refused");
    all
}

/// A file of a header and data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// The header of the small network's weights, each entry changed by `change`, and as much data as it declares.
fn changed(change: impl Fn(&str, &mut Value)) -> Vec<u8> {
    let arrays = [
        ("fc.weight", "F32", json!([2, 3]), 24),
        ("fc.bias", "F32", json!([2]), 8),
        ("bn.weight", "F32", json!([2]), 8),
        ("bn.bias", "F32", json!([2]), 8),
        ("bn.running_mean", "F32", json!([2]), 8),
        ("bn.running_var", "F32", json!([2]), 8),
        ("bn.num_batches_tracked", "I64", json!([]), 8),
    ];
    let (mut header, mut at) = (serde_json::Map::new(), 0);
    for (name, dtype, shape, bytes) in arrays {
        let mut entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [at, at + bytes]});
        at += bytes;
        change(name, &mut entry);
        header.insert(name.to_owned(), entry);
    }
    file(&Value::Object(header).to_string(), &vec![0; at])
}

#[track_caller]
fn refused(bytes: &[u8], words: &[&str]) {
    let mut network = small();
    let before = values(&mut network);
    let error = network.load_bytes(bytes).expect_err("it should be refused");
    let told = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source());
    let told: Vec<String> = told.map(ToString::to_string).collect();
    for word in words {
        assert!(told.iter().any(|line| line.contains(word)), "{told:?} should speak of {word}");
    }
    assert_eq!(values(&mut network), before, "a file that is refused changes nothing");
}

#[test]
fn files_that_declare_too_much_are_refused() {
    small().load_bytes(&changed(|_, _| ())).expect("the file is good as it is");
    refused(&[], &[]);
    refused(&[0; 7], &[]);
    refused(&[0; 8], &[]);
    for length in [u64::MAX, u64::MAX - 7, i64::MAX as u64, 1 << 40, 100_000_001, 3] {
        refused(&[&length.to_le_bytes()[..], b"{}"].concat(), &[]);
    }
    refused(&file("[]", &[]), &[]);
    refused(&file("{\"\u{0}", &[]), &[]);
    refused(&[&4u64.to_le_bytes()[..], b"{\"\xff\"}"].concat(), &[]);
    let good = changed(|_, _| ());
    for length in 0..good.len() {
        refused(&good[..length], &[]);
    }
    refused(&[&good[..], &[0]].concat(), &[]);
    let of_bias = |key: &'static str, value: Value| {
        changed(move |name, entry| {
            if name == "fc.bias" {
                entry[key] = value.clone();
            }
        })
    };
    refused(&of_bias("shape", json!([u64::MAX, 2])), &[]);
    refused(&of_bias("shape", json!([1u64 << 62, 4])), &[]);
    refused(&of_bias("shape", json!([-2])), &[]);
    refused(&of_bias("data_offsets", json!([24, u64::MAX])), &[]);
    refused(&of_bias("data_offsets", json!([32, 24])), &[]);
    refused(&of_bias("data_offsets", json!([0, 8])), &[]);
}

#[test]
fn arrays_that_do_not_fit_are_listed() {
    let misshapen = changed(|name, entry| match name {
        "fc.weight" => entry["shape"] = json!([3, 2]),
        "bn.bias" => entry["shape"] = json!([2, 1]),
        _ => {}
    });
    refused(&misshapen, &["of another shape", "fc.weight [3, 2] for [2, 3]", "bn.bias [2, 1] for [2]"]);
    for (dtype, told) in [("I32", "I32"), ("F16", "F16")] {
        let bytes = changed(|name, entry| {
            if name == "fc.bias" {
                entry["dtype"] = json!(dtype);
                entry["shape"] = json!([8 / if dtype == "I32" { 4 } else { 2 }]);
            }
        });
        // The shape speaks first where both are wrong.
        refused(&bytes, &[if dtype == "I32" { told } else { "fc.bias" }]);
    }
    let counted = changed(|name, entry| {
        if name == "bn.num_batches_tracked" {
            entry["dtype"] = json!("F64");
        }
    });
    refused(&counted, &["num_batches_tracked"]);

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("other.safetensors");
    let other = Sequential::<f32>::new().named("fc", Dense::new(3, 2)).named("head", Dense::new(2, 2));
    other.build(1).expect("a network").save(&path).expect("written");
    let bytes = std::fs::read(&path).expect("just written");
    refused(&bytes, &["missing: bn.weight, bn.bias", "unexpected: head.bias, head.weight"]);
    let found = small().load_matching(&path).expect("what fits is taken");
    assert_eq!((found.missing.len(), found.unexpected.len(), found.misshapen.len()), (5, 2, 0));
    assert!(read_metadata(&path).expect("a header").is_empty());
    std::fs::write(&path, [0xff; 16]).expect("written");
    assert!(read_metadata(&path).is_err() && small().load(&path).is_err());
}

#[test]
fn names_that_come_twice_are_refused() {
    let good = changed(|_, _| ());
    let length = u64::from_le_bytes(good[..8].try_into().expect("eight bytes")) as usize;
    let (header, data) = good[8..].split_at(length);
    let header = std::str::from_utf8(header).expect("JSON");
    let more = r#","fc.bias":{"dtype":"F32","shape":[2],"data_offsets":[72,80]}}"#;
    let twice = header.strip_suffix('}').expect("an object").to_owned() + more;
    refused(&file(&twice, &[data, &[0; 8]].concat()), &[]);
}

#[test]
fn weights_alone_are_no_checkpoint() {
    let good = changed(|_, _| ());
    let mut trainer = Trainer::new(small(), Optimizer::new(Adam::new(0.01)), CrossEntropy::new());
    let told = trainer.resume_bytes(&good).expect_err("it is no checkpoint").to_string();
    assert!(told.contains("checkpoint") && told.contains("weights alone"), "{told}");
    assert!(trainer.resume_bytes(&good[..40]).is_err());
}

#[test]
fn damaged_files_are_refused_or_gone_on_from() {
    let data = Arrays::new(ArrayD::ones(vec![6, 3]), Targets::Classes(vec![0, 1, 0, 1, 1, 0])).expect("a data set");
    let trainer =
        || Trainer::new(small(), Optimizer::new(Adam::new(0.01)), CrossEntropy::new()).epochs(2).batch(2).seed(1);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("checkpoint.safetensors");
    trainer().epochs(1).checkpoint(&path, None).fit(&data, Some(&data)).expect("a training");
    let checkpoint = std::fs::read(&path).expect("just written");
    trainer().resume_bytes(&checkpoint).expect("the file is good as it is");

    let mut random = faltung::nn::Random::new(11);
    let mut network = small();
    let (mut taken, mut left) = (0, 0);
    for good in [checkpoint, changed(|_, _| ())] {
        let header = 8 + u64::from_le_bytes(good[..8].try_into().expect("eight bytes")) as usize;
        for _ in 0..1500 {
            let mut bytes = good.clone();
            for _ in 0..1 + random.below(3) {
                // Digits become other digits: numbers that are read, and mean something else.
                let place = random.below(header);
                bytes[place] = match bytes[place] {
                    b'0'..=b'9' => b'0' + random.below(10) as u8,
                    _ if random.below(8) == 0 => random.bits() as u8,
                    byte => byte,
                };
            }
            let before = values(&mut network);
            if network.load_bytes(&bytes).is_err() {
                assert_eq!(values(&mut network), before);
            }
            let mut trainer = trainer();
            match trainer.resume_bytes(&bytes) {
                // What the numbers say may end it, but not by a panic.
                Ok(()) => taken += usize::from(trainer.fit(&data, Some(&data)).is_ok()),
                Err(_) => left += 1,
            }
        }
    }
    assert!(taken > 0 && left > 0, "{taken} taken, {left} refused");
}
