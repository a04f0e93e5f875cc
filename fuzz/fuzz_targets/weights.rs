//! Any bytes as a file of weights and as a checkpoint: no panic, little memory, a network that is as before where they
//! are refused, and a training that goes on from what was taken.

#![no_main]

use std::cell::RefCell;

use faltung::ndarray::ArrayD;
use faltung::nn::data::{Arrays, Targets};
use faltung::nn::{Adam, BatchNorm, CrossEntropy, Dense, Item, Network, Optimizer, Sequential, Trainer};
use libfuzzer_sys::fuzz_target;

fn network() -> Network<f32> {
    let design = Sequential::new().named("fc", Dense::new(3, 2)).named("bn", BatchNorm::new(2));
    design.build(1).expect("a network")
}

fn bits(network: &mut Network<f32>) -> Vec<u64> {
    let mut bits = Vec::new();
    let visited = network.visit(&mut |_, item| {
        match item {
            Item::Parameter(p) => bits.extend(p.value.iter().map(|v| u64::from(v.to_bits()))),
            Item::Buffer(b) => bits.extend(b.iter().map(|v| u64::from(v.to_bits()))),
            Item::Count(n) => bits.push(*n),
            _ => {}
        }
        Ok(())
    });
    visited.expect("nothing is refused");
    bits
}

thread_local! {
    static NETWORK: RefCell<Network<f32>> = RefCell::new(network());
}

fuzz_target!(|bytes: &[u8]| {
    NETWORK.with_borrow_mut(|network| {
        let before = bits(network);
        let loaded = network.load_bytes(bytes).is_ok();
        assert!(loaded || bits(network) == before, "a file that was refused has changed the network");
    });

    let mut trainer = Trainer::new(network(), Optimizer::new(Adam::new(0.1)), CrossEntropy::new()).epochs(3).batch(2);
    if trainer.resume_bytes(bytes).is_ok() {
        let history = trainer.history().len();
        let data = Arrays::new(ArrayD::ones(vec![6, 3]), Targets::Classes(vec![0, 1, 0, 1, 1, 0])).expect("a data set");
        // Numbers that the file has set may make the loss none, and the training end.
        if history < 3 && trainer.fit(&data, Some(&data)).is_ok() {
            assert!(trainer.history().len() <= 3);
        }
    }
});
