//! The notation of problems: what it accepts, what it refuses, and that every problem can be written and read back.

use faltung::{Boundary, DType, Error, Layout, MAX_RANK, Mode, Pass, Problem, ProblemBuilder, read_suite};
use proptest::prelude::*;

fn parse(text: &str) -> Problem {
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

#[track_caller]
fn refused(text: &str, reason: &str) {
    match text.parse::<Problem>() {
        Err(Error::Parse { reason: given, .. }) => {
            assert!(given.contains(reason), "{text:?} is refused, but for {given:?} instead of {reason:?}");
        }
        other => panic!("{text:?} gives {other:?}"),
    }
}

/// Every problem of the suites that are compared with other libraries, with (batch, channels, extents) of its output.
const SUITES: &[(&str, &[usize])] = &[
    (r#"bwd_d:mb16ic64ih56oc64kh3ph1n"resnet50 2b""#, &[16, 64, 56, 56]),
    (r#"bwd_w:mb16ic64ih56oc64kh3ph1n"resnet50 2b""#, &[16, 64, 56, 56]),
    (r#"bwd_d:mb16ic64ih56oc256kh1n"resnet50 2c""#, &[16, 256, 56, 56]),
    (r#"bwd_w:mb16ic64ih56oc256kh1n"resnet50 2c""#, &[16, 256, 56, 56]),
    (r#"bwd_d:mb16ic256ih56oc512kh1sh2n"resnet50 3 shortcut""#, &[16, 512, 28, 28]),
    (r#"bwd_w:mb16ic256ih56oc512kh1sh2n"resnet50 3 shortcut""#, &[16, 512, 28, 28]),
    (r#"bwd_d:mb16ic256ih14oc256kh3ph1n"resnet50 4b""#, &[16, 256, 14, 14]),
    (r#"bwd_w:mb16ic256ih14oc256kh3ph1n"resnet50 4b""#, &[16, 256, 14, 14]),
    (r#"bwd_w:mb16ic3ih224oc64kh7sh2ph3n"resnet50 conv1""#, &[16, 64, 112, 112]),
    (r#"bwd_d:mb16ic64ih27oc192kh5ph2n"alexnet 2""#, &[16, 192, 27, 27]),
    (r#"bwd_w:mb16ic64ih27oc192kh5ph2n"alexnet 2""#, &[16, 192, 27, 27]),
    (r#"bwd_w:mb64ic1ih28oc32kh3n"seed mnist""#, &[64, 32, 26, 26]),
    (r#"mb1g32ic32ih112oc32kh3ph1n"mobilenet 112""#, &[1, 32, 112, 112]),
    (r#"mb16g32ic32ih112oc32kh3ph1n"mobilenet 112""#, &[16, 32, 112, 112]),
    (r#"mb16g64ic64ih112oc64kh3sh2ph1n"mobilenet 112 s2""#, &[16, 64, 56, 56]),
    (r#"mb16g512ic512ih14oc512kh3ph1n"mobilenet 14""#, &[16, 512, 14, 14]),
    (r#"mb1g96ic96ih56oc96kh7ph3n"convnext 56""#, &[1, 96, 56, 56]),
    (r#"mb16g96ic96ih56oc96kh7ph3n"convnext 56""#, &[16, 96, 56, 56]),
    (r#"mb16g384ic384ih14oc384kh7ph3n"convnext 14""#, &[16, 384, 14, 14]),
    (r#"mb1g128ic128ih56oc128kh31ph15n"replknet 56""#, &[1, 128, 56, 56]),
    (r#"mb4g128ic128ih56oc128kh31ph15n"replknet 56""#, &[4, 128, 56, 56]),
    (r#"mb4g256ic256ih28oc256kh29ph14n"replknet 28""#, &[4, 256, 28, 28]),
    (r#"bwd_d:mb16g96ic96ih56oc96kh7ph3n"convnext 56""#, &[16, 96, 56, 56]),
    (r#"bwd_w:mb16g96ic96ih56oc96kh7ph3n"convnext 56""#, &[16, 96, 56, 56]),
    (r#"bwd_d:mb4g128ic128ih56oc128kh31ph15n"replknet 56""#, &[4, 128, 56, 56]),
    (r#"bwd_w:mb4g128ic128ih56oc128kh31ph15n"replknet 56""#, &[4, 128, 56, 56]),
    (r#"bwd_w:mb16g32ic32ih112oc32kh3ph1n"mobilenet 112""#, &[16, 32, 112, 112]),
    (r#"mb1ic3ih224oc64kh7sh2ph3n"resnet50 conv1""#, &[1, 64, 112, 112]),
    (r#"mb1ic64ih56oc64kh1n"resnet50 2a 1x1""#, &[1, 64, 56, 56]),
    (r#"mb1ic64ih56oc64kh3ph1n"resnet50 2b 3x3""#, &[1, 64, 56, 56]),
    (r#"mb1ic64ih56oc256kh1n"resnet50 2c 1x1""#, &[1, 256, 56, 56]),
    (r#"mb1ic256ih56oc512kh1sh2n"resnet50 3 shortcut""#, &[1, 512, 28, 28]),
    (r#"mb1ic128ih28oc128kh3ph1n"resnet50 3b 3x3""#, &[1, 128, 28, 28]),
    (r#"mb1ic256ih14oc256kh3ph1n"resnet50 4b 3x3""#, &[1, 256, 14, 14]),
    (r#"mb1ic1024ih14oc256kh1n"resnet50 4a 1x1""#, &[1, 256, 14, 14]),
    (r#"mb1ic512ih7oc512kh3ph1n"resnet50 5b 3x3""#, &[1, 512, 7, 7]),
    (r#"mb16ic3ih224oc64kh7sh2ph3n"resnet50 conv1""#, &[16, 64, 112, 112]),
    (r#"mb16ic64ih56oc64kh3ph1n"resnet50 2b 3x3""#, &[16, 64, 56, 56]),
    (r#"mb16ic64ih56oc256kh1n"resnet50 2c 1x1""#, &[16, 256, 56, 56]),
    (r#"mb16ic256ih56oc512kh1sh2n"resnet50 3 shortcut""#, &[16, 512, 28, 28]),
    (r#"mb16ic256ih14oc256kh3ph1n"resnet50 4b 3x3""#, &[16, 256, 14, 14]),
    (r#"mb16ic512ih7oc512kh3ph1n"resnet50 5b 3x3""#, &[16, 512, 7, 7]),
    (r#"mb1ic64ih224oc64kh3ph1n"vgg16 1_2""#, &[1, 64, 224, 224]),
    (r#"mb1ic256ih56oc256kh3ph1n"vgg16 3_2""#, &[1, 256, 56, 56]),
    (r#"mb1ic512ih28oc512kh3ph1n"vgg16 4_2""#, &[1, 512, 28, 28]),
    (r#"mb16ic3ih227oc96kh11sh4n"alexnet 1""#, &[16, 96, 55, 55]),
    (r#"mb16ic64ih27oc192kh5ph2n"alexnet 2""#, &[16, 192, 27, 27]),
    (r#"mb64ic1ih28oc32kh3n"seed mnist""#, &[64, 32, 26, 26]),
    (r#"mb8ic32ih64oc32kh11ph5n"dense 11x11""#, &[8, 32, 64, 64]),
    (r#"mb8ic64iw2000oc64kw9pw4n"1-D, text""#, &[8, 64, 2000]),
    (r#"mb2ic16id32oc32kd3pd1ih32kh3ph1n"3-D""#, &[2, 32, 32, 32, 32]),
    ("512x512*3x3:same:symmetric", &[1, 1, 512, 512]),
    ("2048x2048*3x3:same:symmetric", &[1, 1, 2048, 2048]),
    ("2048x2048*5x5:same:symmetric", &[1, 1, 2048, 2048]),
    ("2048x2048*7x7:same:symmetric", &[1, 1, 2048, 2048]),
    ("2048x2048*11x11:same:symmetric", &[1, 1, 2048, 2048]),
    ("2048x2048*15x15:same:symmetric", &[1, 1, 2048, 2048]),
    ("2048x2048*21x21:same:symmetric", &[1, 1, 2048, 2048]),
    ("2048x2048*31x31:same:symmetric", &[1, 1, 2048, 2048]),
    ("2048x2048*63x63:same:symmetric", &[1, 1, 2048, 2048]),
    ("2048x2048*127x127:same:symmetric", &[1, 1, 2048, 2048]),
    ("4000x6000*9x9:same:nearest", &[1, 1, 4000, 6000]),
    ("1024x1024*1024x1024:full", &[1, 1, 2047, 2047]),
    ("2048x2048*31x31:same:f64", &[1, 1, 2048, 2048]),
    (r#"mb8g768ic768iw2048oc768ow2048kw4pw3n"short causal""#, &[8, 768, 2048]),
    (r#"mb4g256ic256iw1024oc256ow1024kw1024pw1023n"long 1K""#, &[4, 256, 1024]),
    (r#"mb4g256ic256iw4096oc256ow4096kw4096pw4095n"long 4K""#, &[4, 256, 4096]),
    (r#"mb1g64ic64iw65536oc64ow65536kw65536pw65535n"long 64K""#, &[1, 64, 65536]),
    (r#"bwd_d:mb4g256ic256iw4096oc256ow4096kw4096pw4095n"long 4K""#, &[4, 256, 4096]),
    (r#"bwd_w:mb4g256ic256iw4096oc256ow4096kw4096pw4095n"long 4K""#, &[4, 256, 4096]),
    ("128*16:full", &[1, 1, 143]),
    ("1000*1000:full", &[1, 1, 1999]),
    ("100000*31:same", &[1, 1, 100000]),
    ("1048576*31:full", &[1, 1, 1048606]),
    ("1048576*127:full", &[1, 1, 1048702]),
    ("1048576*511:full", &[1, 1, 1049086]),
    ("1048576*4096:full", &[1, 1, 1052671]),
    ("1048576*65536:full", &[1, 1, 1114111]),
    ("1048576*1048576:full", &[1, 1, 2097151]),
    ("1048576*127:full:f64", &[1, 1, 1048702]),
    ("1048576*65536:full:f64", &[1, 1, 1114111]),
    ("1048576*511:full:c32", &[1, 1, 1049086]),
    ("64@48000*4800:full", &[64, 1, 52799]),
    ("2@2646000*220500:full", &[2, 1, 2866499]),
    ("64x64x64*3x3x3:same", &[1, 1, 64, 64, 64]),
    ("128x128x128*3x3x3:same", &[1, 1, 128, 128, 128]),
    ("128x128x128*5x5x5:same", &[1, 1, 128, 128, 128]),
    ("128x128x128*11x11x11:same", &[1, 1, 128, 128, 128]),
    ("128x128x128*21x21x21:same", &[1, 1, 128, 128, 128]),
    ("256x256x256*9x9x9:same", &[1, 1, 256, 256, 256]),
    ("64x64x64*64x64x64:full", &[1, 1, 127, 127, 127]),
];

#[test]
fn suites() {
    for &(text, shape) in SUITES {
        let problem = parse(text);
        assert_eq!(problem.output_shape(), shape, "{text}");
        assert_eq!(parse(&problem.to_string()), problem, "{text}");
    }
}

#[test]
fn written_with_defaults_left_out() {
    for (text, written) in [
        ("3@10*3:full:zero:f32", "3@10*3"),
        ("1@10*3:same", "10*3:same"),
        ("10x12*3x4:f64:wrap:same", "10x12*3x4:same:wrap:f64"),
        ("10*3:causal:c32", "10*3:causal:c32"),
        ("10*3:constant=0.50", "10*3:constant=0.5"),
        ("10*3:constant=-1e300", "10*3:constant=-1e300"),
        ("10*3:constant=0", "10*3:constant=0"),
        ("0@5x5x5*3x3x3", "0@5x5x5*3x3x3"),
        ("10*1:valid", "10*1"),
        ("fwd:g1mb1ic3ih8iw8oc4oh6ow6kh3kw3sh1sw1ph0pw0dh0dw0", "ic3ih8oc4kh3"),
        ("bwd_d:ic3ih8oc4kh3", "bwd_d:ic3ih8oc4kh3"),
        ("bwd_w:g2mb3ic4ih8iw9oc6kh3kw5sh2sw1ph1pw2dh1dw0", "bwd_w:g2mb3ic4ih8iw9oc6kh3kw5sh2sw1ph1pw2dh1dw0"),
        ("ic64iw64oc64ow64kw9pw8", "ic64iw64oc64ow64kw9pw8"),
        ("ic1ih9oc1kh3ph-1", "ic1ih9oc1kh3ph-1"),
        ("ic1id9oc1od5oh7ow7kd3", "ic1id9oc1od5oh7kd3"),
        ("ic1iw5oc1kw3pw2:flip", "5*3"),
        ("ic1iw5oc1kw3:nhwc:conj:c64:mirror", "ic1iw5oc1kw3:conj:nhwc:mirror:c64"),
        ("ic2i5x4x3x2oc3k3x3x3x3s1x1x2x1d0x0x0x0p1", "ic2i5x4x3x2oc3k3s1x1x2x1p1"),
        ("ic2i5x5x5x5oc3k3o3x3x3x4", "ic2i5x5x5x5oc3o3x3x3x4k3"),
        ("ic2i5x4oc3k3x2", "ic2ih5iw4oc3kh3kw2"),
        ("ic2i5oc3k3p1", "ic2iw5oc3kw3pw1"),
    ] {
        assert_eq!(parse(text).to_string(), written, "{text}");
        assert_eq!(parse(written), parse(text), "{text}");
    }
    for constant in [f64::NAN, -f64::NAN, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE / 2.0] {
        let problem = Problem::field(&[10], &[3]).boundary(Boundary::Constant(constant)).build().unwrap();
        assert_eq!(parse(&problem.to_string()), problem);
    }
    assert_eq!(format!("{:>8}|{:<8}|", parse("9*2"), parse("9*2")), "     9*2|9*2     |");
}

/// The features of benchdnn's files of shapes.
#[test]
fn benchdnn_shapes() {
    let shapes = "\
# A comment, with a n\"quote
   # an indented one
mb2_ic3oc8_ih9oh9kh3sh1dh0ph1_iw7ow7kw3sw1dw0pw1_n\"net:all_axes*2\"
--strides=567x1x63x7::648x1x72x8 mb3ic7ih9oc8oh9kh3ph1n\"net:strides*1\"
mb2_ic3oc8_kd3kh3kw3_id5ih6iw7_od3oh4ow5_sd1sh1sw1_pd0ph0pw0_dd0dh0dw0n\"volume\"\r
g4mb2_ic8oc16_iw12kw3_pw1sw2_n\"line\"       # behind a name
g8ic8oc8_id5kd3pd1_n\"cube #3, one key\"\t
mb1_g2ic4_oc4_ih9_oh4_kh3_ph0sh2
ic4oc4_ih8oh9kh2ph1_iw8ow8kw3pw1n\"\"

";
    let problems: Vec<_> = read_suite(shapes).map(|(line, text)| (line, parse(text).to_string())).collect();
    let expected = [
        (3, "mb2ic3ih9iw7oc8kh3ph1"),
        (4, "mb3ic7ih9oc8kh3ph1"),
        (5, "mb2ic3id5ih6iw7oc8kd3"),
        (6, "g4mb2ic8iw12oc16kw3sw2pw1"),
        (7, "g8ic8id5oc8kd3pd1"),
        (8, "g2ic4ih9oc4kh3sh2"),
        (9, "ic4ih8oc4kh2kw3ph1"),
    ];
    assert_eq!(problems, expected.map(|(line, text)| (line, text.to_string())));
}

#[test]
fn suite_lines() {
    assert_eq!(read_suite("").count(), 0);
    assert_eq!(read_suite("\n # x\n--strides=1x1::1x1\n#").count(), 0);
    let lines: Vec<_> = read_suite("a#b\n\n n\"#\"#\n--dir=x y").collect();
    assert_eq!(lines, [(1, "a"), (3, "n\"#\""), (4, "--dir=x y")]);
}

#[test]
fn missing_padding_is_none_and_a_given_output_decides_what_lies_behind() {
    let p = parse("ic1iw10oc1ow10kw3");
    assert_eq!((p.axes()[0].padding(), p.axes()[0].padding_after()), (0, 2));
    let p = parse("ic1ih10iw12oc1oh4kh3sh2ph1");
    assert_eq!(p.output_shape(), [1, 1, 4, 4]);
    assert_eq!(p.axes()[1].padding_after(), -4);
}

#[test]
fn malformed() {
    for (text, reason) in [
        ("", "`ic` is missing"),
        ("ic3", "`oc` is missing"),
        ("oc3iw5kw3", "`ic` is missing"),
        ("ic3oc4kh3", "input's extent is missing"),
        ("ic3ih8oc4", "`kh` is missing"),
        ("ic3ih8oc4kw3", "`kh` is missing"),
        ("ic3i5x5oc4", "`k` is missing"),
        ("ic3ih8oc4kh3kh3", "\"kh\" is given twice"),
        ("ic3ic3ih8oc4kh3", "\"ic\" is given twice"),
        ("ic3i8oc4k3k3", "\"k\" is given twice"),
        ("ic3ih8oc4kh3zz1", "\"zz\" is no key"),
        ("ic3ih8oc4kh3kx1", "\"kx\" is no key"),
        ("ic3ih8oc4kh3c1", "\"c\" is no key"),
        ("IC3ih8oc4kh3", "expected a key"),
        ("ic3 ih8oc4kh3", "expected a key"),
        ("3ic3ih8oc4kh3", "expected a key"),
        ("ic3ih8oc4kh", "expected a whole number, found nothing"),
        ("icih8oc4kh3", "\"icih\""),
        ("ic3ih8oc4kh3sh-1", "only a padding may be negative"),
        ("ic-3ih8oc4kh3", "only a padding may be negative"),
        ("ic3ih8oc4kh3ph-", "expected a whole number"),
        ("ic3x3ih8oc4kh3", "\"ic\" has one value"),
        ("ic3ih8x8oc4kh3", "\"ih\" has one value"),
        ("ic3i8x8oc4kh3", "`k` has letters of axes, the input has none"),
        ("ic3ih8oc4k3", "the input has letters of axes, `k` has none"),
        ("ic3ih8i8oc4kh3", "\"i\" is given both with and without"),
        ("ic3i8ih8oc4kh3", "\"i\" is given both with and without"),
        ("ic3i8x8x8oc4k3x3", "`k` has 2 values, the input has 3 axes"),
        ("ic3i8xoc4k3", "expected a whole number"),
        ("ic3i1x1x1x1x1x1x1oc3k1", "more than 6 axes"),
        ("ic3ih8oc4kh3kd3", "`kd` is given, but no input extent `id`"),
        ("ic3iw8oc4kw3ph1", "`ph` is given, but no input extent `ih`"),
        ("ic3ih8oc4kh3n\"open", "not closed"),
        ("ic3ih8oc4kh3\"name\"", "begins no name"),
        ("ic3ih8oc4kh3nname", "\"nname\""),
        ("ic3ih8oc4kh3:", "nothing is no option of a layer"),
        ("ic3ih8oc4kh3:same", "\"same\" is no option of a layer"),
        ("ic3ih8oc4kh3:flip:flip", "besides another of its kind"),
        ("ic3ih8oc4kh3:nchw:nhwc", "besides another of its kind"),
        ("bwd:ic3ih8oc4kh3", "expected a whole number"),
        ("bwd_d:fwd:ic3ih8oc4kh3", "expected a whole number"),
        ("10*", "the kernel: expected a whole number, found nothing"),
        ("*3", "the input: expected a whole number, found nothing"),
        ("10*3*3", "the kernel: expected a whole number"),
        ("10 * 3", "the input: expected a whole number"),
        ("10x*3", "the input"),
        ("@10*3", "the batch"),
        ("1@2@10*3", "the input"),
        ("-1*3", "the input"),
        ("+1*3", "the input"),
        ("1x1x1x1x1x1x1*3", "the input has more than 6 axes"),
        ("10*3:reflect", "\"reflect\" is no option of a field"),
        ("10*3:flip", "\"flip\" is no option of a field"),
        ("10*3:same:full", "besides another of its kind"),
        ("10*3:zero:wrap", "besides another of its kind"),
        ("10*3:f32:f64", "besides another of its kind"),
        ("10*3:", "nothing is no option"),
        ("10*3:constant", "\"constant\" is no option"),
        ("10*3:constant=", "expected a number, found nothing"),
        ("10*3:constant=ten", "expected a number"),
        ("bwd_d:10*3", "a field has no pass"),
        ("10*99999999999999999999999999999999", "is too large"),
        ("99999999999999999999999999999999@10*3", "is too large"),
        ("ic3ih8oc4kh3ph-99999999999999999999999999999999", "is too large"),
        ("mb99999999999999999999999999999999ic3ih8oc4kh3", "is too large"),
    ] {
        refused(text, reason);
    }
}

#[test]
fn impossible() {
    let error = |text: &str| text.parse::<Problem>().unwrap_err();
    assert!(matches!(error("3*9:valid"), Error::KernelTooLong { axis: 0, kernel: 9, input: 3 }));
    assert!(matches!(error("ic1ih8iw3oc1kh5ph0"), Error::KernelTooLong { axis: 1, kernel: 5, input: 3 }));
    assert!(matches!(error("ic1ih3oc1ow8kh5ph0"), Error::KernelTooLong { axis: 0, kernel: 5, input: 3 }));
    for text in ["10*0", "0*10", "10x10*3", "g2ic3ih8oc4kh3", "g0ic3ih8oc4kh3", "ic3ih8oc4kh3sh0", "ic3ih8oc4oh0kh3"] {
        assert!(matches!(error(text), Error::Argument { .. }), "{text}");
    }
    let most = usize::MAX;
    for text in [
        format!("ic1iw{most}oc1kw{most}sw{most}dw{most}pw{}", isize::MAX),
        format!("ic1iw{most}oc1kw{most}sw1dw{}pw-{}", most - 1, isize::MAX),
        format!("ic1iw{most}oc1ow{most}kw{most}sw{most}dw{}", most - 1),
        format!("ic1iw{most}oc1ow{most}kw1pw{most}"),
        format!("{most}*{most}"),
        format!("{most}@{most}*{most}:same"),
        format!("mb{most}ic{most}iw1oc{most}kw1"),
    ] {
        let e = text.parse::<Problem>().unwrap_err();
        assert!(matches!(e, Error::Overflow { .. } | Error::KernelTooLong { .. }), "{text}: {e}");
    }
}

/// Long texts take no time that grows faster than they do, and messages stay short.
#[test]
fn long() {
    let n = 1_000_000;
    for text in [
        "9".repeat(n),
        format!("{}*3", "9".repeat(n)),
        format!("{}*3", "1x".repeat(n)),
        format!("3*3{}", ":".repeat(n)),
        format!("ic{}", "9".repeat(n)),
        format!("i{}", "1x".repeat(n)),
        "ic".repeat(n),
        "a".repeat(n),
        "é".repeat(n),
        "n\"a\"".repeat(n),
        "\"".repeat(n),
        "_".repeat(n),
        format!("10*3:constant={}e", "9".repeat(n)),
    ] {
        let message = text.parse::<Problem>().unwrap_err().to_string();
        assert!(message.len() < 1000, "{message}");
    }
    let named = format!("ic3ih8oc4kh3n\"{}\"{}", "x*:#".repeat(n), "_".repeat(n));
    assert_eq!(parse(&named).to_string(), "ic3ih8oc4kh3");
}

fn boundary() -> impl Strategy<Value = Boundary> {
    prop_oneof![
        Just(Boundary::Zero),
        any::<f64>().prop_map(Boundary::Constant),
        any::<u64>().prop_map(|bits| Boundary::Constant(f64::from_bits(bits))),
        Just(Boundary::Symmetric),
        Just(Boundary::Mirror),
        Just(Boundary::Nearest),
        Just(Boundary::Wrap),
    ]
}

/// One value for all axes, or one an axis; often small ones, so that axes are equal and defaults are met.
fn per_axis<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + Clone + 'static,
) -> BoxedStrategy<Vec<T>> {
    prop_oneof![proptest::collection::vec(value.clone(), 1), proptest::collection::vec(value, MAX_RANK)].boxed()
}

fn fit<T: Clone>(values: &[T], rank: usize) -> &[T] {
    if values.len() == 1 { values } else { &values[..rank] }
}

#[derive(Clone, Debug)]
enum Extent {
    Mode(Mode),
    Padding(Vec<(isize, isize)>),
    Output(Vec<(isize, usize)>),
}

fn extent() -> impl Strategy<Value = Extent> {
    let modes = [Mode::Full, Mode::Same, Mode::Valid, Mode::Causal];
    let padding = -3isize..6;
    prop_oneof![
        proptest::sample::select(modes.to_vec()).prop_map(Extent::Mode),
        per_axis(padding.clone().prop_map(|p| (p, p))).prop_map(Extent::Padding),
        per_axis((padding.clone(), padding.clone())).prop_map(Extent::Padding),
        per_axis((padding, 1usize..6)).prop_map(Extent::Output),
        per_axis((any::<isize>(), 1usize..6)).prop_map(Extent::Output),
    ]
}

fn builder() -> impl Strategy<Value = ProblemBuilder> {
    let extents = |range| proptest::collection::vec(range, MAX_RANK);
    let shapes = (1..=MAX_RANK, extents(1usize..20), extents(1usize..5), extent());
    let steps = (per_axis(1usize..4), per_axis(1usize..4), prop_oneof![Just((1, 1)), (0usize..2, 1usize..3)]);
    let channels = (
        prop_oneof![2 => Just(1usize), 1 => 0usize..4],
        prop_oneof![3 => Just((1, 1, 1)), 1 => (1usize..4, 1usize..4, 1usize..4)],
    );
    let conventions = (
        boundary(),
        any::<bool>(),
        prop_oneof![4 => Just(false), 1 => Just(true)],
        proptest::sample::select(vec![Pass::Forward, Pass::Forward, Pass::InputGradient, Pass::WeightGradient]),
        proptest::sample::select(vec![Layout::ChannelsFirst, Layout::ChannelsFirst, Layout::ChannelsLast]),
        proptest::sample::select(DType::ALL.to_vec()),
    );
    let plain = prop_oneof![Just(true), Just(false)];
    (shapes, steps, channels, conventions, plain).prop_map(|(shapes, steps, channels, conventions, plain)| {
        let (rank, input, kernel, extent) = shapes;
        let (stride, dilation, window) = steps;
        let (batch, (groups, ic, oc)) = channels;
        let (boundary, flip, conjugate, pass, layout, dtype) = conventions;
        let mut b = Problem::field(&input[..rank], &kernel[..rank]).batch(batch).boundary(boundary).dtype(dtype);
        b = match extent {
            Extent::Mode(mode) => b.mode(mode),
            Extent::Padding(p) => b.padding(fit(&p, rank)),
            Extent::Output(o) => b.output(fit(&o, rank)),
        };
        if window != (1, 1) {
            b = b.window(&[window]);
        }
        if plain {
            return b;
        }
        b.channels(ic * groups, oc * groups)
            .groups(groups)
            .stride(fit(&stride, rank))
            .dilation(fit(&dilation, rank))
            .flip(flip)
            .conjugate(conjugate)
            .pass(pass)
            .layout(layout)
    })
}

fn near_layer() -> impl Strategy<Value = String> {
    let entry = "(g|mb|ic|oc|[iokspd][dhw]?)-?[0-9]{0,20}(x[0-9]{1,3}){0,7}[_*@]?";
    let options = "(:(flip|conj|same|constant=-?[0-9e.]*|wrap|f64|nhwc|)){0,4}";
    let regex = format!("((fwd|bwd_d|bwd_w):)?({entry}){{0,9}}(n\"[a*:#\"]?)?{options}");
    proptest::string::string_regex(&regex).expect("a regular expression")
}

fn near_field() -> impl Strategy<Value = String> {
    let list = "[0-9]{0,20}(x[0-9]{1,20}){0,7}";
    let options = "(:(same|full|valid|causal|constant=-?[0-9e.]*|wrap|f64|)){0,4}";
    proptest::string::string_regex(&format!("([0-9]{{0,20}}@)?{list}\\*{list}{options}")).expect("a regular expression")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn every_problem_is_written_and_read_back(builder in builder()) {
        if let Ok(problem) = builder.build() {
            let text = problem.to_string();
            let back: Problem = text.parse().map_err(|e| TestCaseError::fail(format!("{e}")))?;
            prop_assert_eq!(&back, &problem, "{}", text);
            prop_assert_eq!(back.to_string(), text);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = text.parse::<Problem>();
        read_suite(&text).for_each(drop);
    }

    #[test]
    fn no_text_near_the_notation_panics(text in near_layer()) {
        if let Ok(problem) = text.parse::<Problem>() {
            prop_assert_eq!(problem.to_string().parse::<Problem>().ok(), Some(problem));
        }
    }

    #[test]
    fn no_field_panics(text in near_field()) {
        if let Ok(problem) = text.parse::<Problem>() {
            prop_assert_eq!(problem.to_string().parse::<Problem>().ok(), Some(problem));
        }
    }
}
