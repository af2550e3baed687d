//! A change of a file, line by line, as `diff -u` would show it.

use std::path::Path;

use crate::render::Style;

/// The whole file with its changes: what is new, gone and kept. `None` is a file that is not there.
pub(crate) fn of(path: &Path, before: Option<&str>, after: Option<&str>, style: Style) -> String {
    let path = path.display();
    let side = |text: Option<&str>, letter: &str| match text {
        Some(_) => format!("{letter}/{path}"),
        None => "/dev/null".into(),
    };
    let mut text = format!("--- {}\n+++ {}\n", side(before, "a"), side(after, "b"));
    let old: Vec<&str> = before.unwrap_or("").lines().collect();
    let new: Vec<&str> = after.unwrap_or("").lines().collect();
    let range = |lines: &[&str]| format!("{},{}", usize::from(!lines.is_empty()), lines.len());
    text.push_str(&format!("@@ -{} +{} @@\n", range(&old), range(&new)));
    for (sign, line) in lines(&old, &new) {
        let line = format!("{sign}{line}");
        text.push_str(&match sign {
            '-' => style.bad(&line),
            '+' => style.good(&line),
            _ => line,
        });
        text.push('\n');
    }
    text
}

/// Lines that are only taken out or put in are found as such; what is changed in place is both.
fn lines<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<(char, &'t str)> {
    let (mut lines, mut from) = (Vec::new(), 0);
    let mut at = 0;
    while at < old.len() || from < new.len() {
        match (old.get(at), new.get(from)) {
            (Some(a), Some(b)) if a == b => {
                lines.push((' ', *a));
                (at, from) = (at + 1, from + 1);
            }
            // The next new line comes later in the old text: what is between is gone.
            (Some(a), Some(b)) if old[at..].contains(b) => {
                lines.push(('-', *a));
                at += 1;
            }
            (_, Some(b)) => {
                lines.push(('+', *b));
                from += 1;
            }
            (Some(a), None) => {
                lines.push(('-', *a));
                at += 1;
            }
            (None, None) => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_stay_are_told_from_those_that_go() {
        let shown = of(Path::new("m/1.sql"), Some("a\nb\nc\n"), Some("a\nc\nd\n"), Style { colours: false });
        assert_eq!(shown, "--- a/m/1.sql\n+++ b/m/1.sql\n@@ -1,3 +1,3 @@\n a\n-b\n c\n+d\n");
        assert!(of(Path::new("n"), None, Some("x"), Style { colours: false }).starts_with("--- /dev/null\n"));
    }
}
