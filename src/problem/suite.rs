//! Files of problems, one a line.

/// The problems of a suite, each with the number of its line, counted from 1.
///
/// A suite has one problem a line, in the notation of [`Problem`](crate::Problem). `#` begins a comment, except
/// within a quoted name; empty lines are skipped. benchdnn's files of shapes are suites: the `--strides=…` that some
/// of their lines begin with, which says how arrays lie in memory and nothing of the problem, is skipped. The
/// problems are not checked.
///
/// ```
/// use faltung::{Problem, read_suite};
/// let suite = "# two problems\n\n128*16:full  # a filter\nic3ih8oc4kh3n\"layer #1\"\n";
/// let lines: Vec<_> = read_suite(suite).collect();
/// assert_eq!(lines, [(3, "128*16:full"), (4, "ic3ih8oc4kh3n\"layer #1\"")]);
/// for (line, text) in lines {
///     let problem: Problem = text.parse().map_err(|e| format!("line {line}: {e}"))?;
///     assert_eq!(problem.batch(), 1);
/// }
/// # Ok::<(), String>(())
/// ```
pub fn read_suite(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(i, line)| {
        let mut quoted = false;
        let comment = line.find(|c| {
            quoted ^= c == '"';
            c == '#' && !quoted
        });
        let mut problem = line[..comment.unwrap_or(line.len())].trim();
        if problem.starts_with("--strides=") {
            problem = problem.split_once(char::is_whitespace).map_or("", |(_, shapes)| shapes.trim());
        }
        (!problem.is_empty()).then_some((i + 1, problem))
    })
}
