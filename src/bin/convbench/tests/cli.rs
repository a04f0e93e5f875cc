//! The program as its callers see it: JSON lines, exit statuses, standard input answered line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn convbench() -> Command {
    Command::new(env!("CARGO_BIN_EXE_convbench"))
}

fn run(args: &[&str]) -> Output {
    convbench().args(args).output().expect("convbench starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the output is UTF-8")
}

fn rows(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// Runs a problem for as short a time as possible.
fn quick(args: &[&str]) -> Output {
    run(&[&["run", "--json", "--budget", "0"], args].concat())
}

#[test]
fn a_row_tells_everything_and_a_problem_is_closed() {
    let output = quick(&["1000*31:same", "--threads", "1", "--check"]);
    assert!(output.status.success());
    let rows = rows(&output);
    let [row, done] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(row["problem"], "1000*31:same");
    // What auto chose is told, not that it chose.
    assert_ne!(row["algo"], "auto");
    assert_eq!((&row["layout"], &row["prepared"], &row["threads"]), (&"nchw".into(), &false.into(), &1.into()));
    for key in ["median_ms", "min_ms", "gflops", "setup_ms"] {
        assert!(row[key].as_f64().is_some_and(|v| v > 0.0), "{key}: {row}");
    }
    assert!(row["min_ms"].as_f64() <= row["median_ms"].as_f64());
    assert!(row["workspace_bytes"].is_u64());
    assert!(row["max_rel_error"].as_f64().is_some_and(|v| v < 1e-5), "{row}");
    assert_eq!(*done, serde_json::json!({"problem": "1000*31:same", "done": true}));
}

#[test]
fn the_error_is_told_only_where_asked_for() {
    assert!(rows(&quick(&["100*3"]))[0].get("max_rel_error").is_none());
}

#[test]
fn every_algorithm_has_a_line() {
    let rows = rows(&quick(&["30x30*3x3:same:mirror", "--algo", "all"]));
    for algorithm in faltung::Algorithm::ALL {
        assert_eq!(rows.iter().filter(|r| r["algo"] == algorithm.name()).count(), 1, "{algorithm}: {rows:?}");
    }
}

#[test]
fn calls_and_layouts_are_what_was_asked_for() {
    let layer = ["mb2ic4ih9oc4kh3", "bwd_w:mb2ic4ih9oc4kh3", "--layout", "nhwc", "--prepared"];
    let rows = rows(&quick(&layer));
    assert_eq!((&rows[0]["layout"], &rows[0]["prepared"]), (&"nhwc".into(), &true.into()));
    // A weight gradient has no kernel to prepare.
    assert_eq!(rows[2]["prepared"], false);
    assert!(quick(&["100*3:c64", "--fresh"]).status.success());
    assert_eq!(quick(&["100*3", "--fresh", "--prepared"]).status.code(), Some(2));
}

#[test]
fn a_problem_that_fails_is_closed_too_and_the_others_go_on() {
    let output = quick(&["100*", "5*9:valid", "100000000000000*3", "100*3"]);
    assert_eq!(output.status.code(), Some(1));
    let rows = rows(&output);
    for (i, problem) in ["100*", "5*9:valid", "100000000000000*3"].into_iter().enumerate() {
        assert_eq!(rows[2 * i]["problem"], problem);
        assert!(rows[2 * i]["error"].is_string(), "{rows:?}");
        assert_eq!(rows[2 * i + 1]["done"], true);
    }
    assert!(rows[6]["median_ms"].is_f64());
}

#[test]
fn standard_input_is_answered_line_by_line() {
    let mut child = convbench()
        .args(["run", "--json", "--threads", "1", "--budget", "0", "--algo", "auto", "--suite", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("convbench starts");
    let mut input = child.stdin.take().expect("standard input is piped");
    let mut lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
    // The second is written only after the first has been answered.
    for problem in ["128*16:full", "mb1ic3ih8oc4kh3n\"a layer\""] {
        writeln!(input, "# a comment\n\n{problem}  # another").expect("the pipe takes it");
        loop {
            let line = lines.next().expect("an answer").expect("the answer is UTF-8");
            let row: Value = serde_json::from_str(&line).expect("a line is JSON");
            assert_eq!(row["problem"], problem);
            if row["done"] == true {
                break;
            }
        }
    }
    drop(input);
    assert!(lines.next().is_none());
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let mut child = convbench()
        .args(["run", "--budget", "0", "100*3", "200*3", "300*3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("convbench starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn what_cannot_be_done_ends_with_status_2_and_says_why() {
    for (args, says) in [
        (&["run"][..], "no problem"),
        (&["run", "--suite", "no/such/file"], "no/such/file"),
        (&["verify", "--suite", "no/such/file"], "no/such/file"),
        (&["run", "10*3", "--algo", "fastest"], "fastest"),
        (&["run", "10*3", "--threads", "0"], "threads"),
        (&["run", "10*3", "--threads", "100000"], "1024"),
        (&["run", "10*3", "--budget", "-1"], "budget"),
        (&["explain", "10*"], "10*"),
        (&["--data", "no/such/folder"], "no/such/folder"),
        (&["race"], "race"),
    ] {
        let output = run(args);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert!(message.contains(says), "{args:?}: {message}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn verify_holds_every_algorithm_to_the_definition() {
    let problems = ["100*7:same:wrap", "bwd_d:mb2ic3ih9oc4kh3sh2ph1", "bwd_w:g2ic4ih9oc4kh3:c64"];
    let output = run(&[&["verify"][..], &problems].concat());
    let text = stdout(&output);
    assert!(output.status.success(), "{text}");
    for problem in problems {
        let line = text.lines().find(|l| l.contains(problem)).expect("a line a problem");
        assert!(line.starts_with("ok") && line.contains("reference"), "{line}");
    }
    assert!(text.lines().last().is_some_and(|l| l.starts_with("3 problems: ") && l.contains("0 failed")), "{text}");
}

#[test]
fn verify_reads_suites_and_fails_on_what_it_cannot_read() {
    let path = std::env::temp_dir().join(format!("convbench-suite-{}.txt", std::process::id()));
    std::fs::write(&path, "# two\n50*3:full\n50*\n").expect("the folder for temporary files is writable");
    let output = run(&["verify", "--suite", &path.to_string_lossy(), "--algo", "reference"]);
    std::fs::remove_file(&path).expect("the file is there");
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("1 passed, 1 failed"), "{text}");
}

#[test]
fn explain_tells_the_choice_and_what_it_turns_out_to_be() {
    let plain = stdout(&run(&["explain", "2000*9:same"]));
    assert!(plain.contains("chosen") && !plain.contains("measured"), "{plain}");
    let measured = stdout(&run(&["explain", "2000*9:same", "--measure", "--budget", "0"]));
    let chosen = measured.lines().find(|l| l.starts_with('*')).expect("a chosen algorithm");
    assert!(chosen.contains("measured"), "{measured}");
}

#[test]
fn nothing_is_coloured_where_no_terminal_is() {
    let text = stdout(&run(&["run", "100*3", "--budget", "0"]));
    assert!(text.contains("auto: ") && !text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn what_is_calibrated_is_what_is_predicted_by() {
    let folder = std::env::temp_dir().join(format!("convbench-costs-{}", std::process::id()));
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (costs, runs) = (path("new/costs"), path("runs"));
    let output = run(&["calibrate", "--budget", "0", "--within", "0", "--output", &costs, "--keep", &runs]);
    let text = stdout(&output);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("slide_fma") && text.contains("before") && text.contains("after"), "{text}");
    let written = std::fs::read_to_string(&costs).expect("the costs are there");
    let mut fitted: faltung::Costs = written.parse().expect("they are costs");
    // The runs that were kept give the same.
    let again = path("again");
    assert!(run(&["calibrate", "--from", &runs, "--output", &again]).status.success());
    assert_eq!(std::fs::read_to_string(&again).expect("the costs are there"), written);
    assert_eq!(std::fs::read_dir(&folder).expect("the folder is there").count(), 3);

    // A machine that slides a hundred times slower.
    fitted.slide_fma *= 100.0;
    fitted.slide_load *= 100.0;
    std::fs::write(&costs, fitted.to_string()).expect("the file can be written");
    let problem = "512x512*5x5:same";
    let plain = stdout(&run(&["explain", problem]));
    for slow in [
        run(&["explain", problem, "--costs", &costs]),
        convbench().args(["explain", problem]).env("FALTUNG_COSTS", &costs).output().expect("convbench starts"),
    ] {
        let slow = stdout(&slow);
        assert!(plain.contains("* direct") && !slow.contains("* direct"), "{plain}{slow}");
    }
    // Costs that are none.
    std::fs::write(&costs, written.replace("slide_fma", "slide_mad")).expect("the file can be written");
    for args in [&["explain", problem, "--costs", &costs][..], &["run", problem, "--costs", "no/such/file"]] {
        let output = run(args);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("slide_mad") || message.contains("no/such/file"), "{message}");
    }
    std::fs::remove_dir_all(&folder).expect("the folder is there");
}

#[test]
fn an_audit_tells_how_far_auto_is_from_the_fastest() {
    let quick = ["audit", "--json", "--budget", "0", "--threads", "1"];
    let output = run(&[&quick[..], &["200*9:same", "--layers", "1", "--fields", "1", "--seed", "3"]].concat());
    assert!(output.status.success(), "{output:?}");
    let rows = rows(&output);
    let [problems @ .., figures] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(figures["problems"], 3);
    for row in problems {
        let ratio = row["ratio"].as_f64().expect("a ratio");
        assert!(ratio >= 1.0 && (row["best_ms"].as_f64() <= row["auto_ms"].as_f64()), "{row}");
        assert!(ratio <= figures["worst"].as_f64().expect("a worst"));
    }
    // Nothing to audit, and a limit that nothing can meet.
    assert_eq!(run(&["audit"]).status.code(), Some(2));
    assert_eq!(run(&["audit", "100*3", "--max-worst", "0.5"]).status.code(), Some(2));
    // A problem that cannot be read.
    assert_eq!(run(&[&quick[..], &["100*"]].concat()).status.code(), Some(1));
}

#[test]
fn errors_are_held_to_their_bounds_and_to_limits() {
    let output = run(&["errors", "500*31:same", "--drawn", "5", "--threads", "1"]);
    let text = stdout(&output);
    assert!(output.status.success(), "{text}");
    for name in ["direct fwd", "fft fwd", "500*31:same"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    assert_eq!(run(&["errors", "2000*31:same", "--max-slack", "1"]).status.code(), Some(1));
    assert_eq!(run(&["errors", "2000*31:same", "--max-error", "1e-9"]).status.code(), Some(1));
    assert_eq!(run(&["errors"]).status.code(), Some(2));
}
