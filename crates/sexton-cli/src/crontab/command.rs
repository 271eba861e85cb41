//! The command of a line, and what it reads from its standard input.

/// A command with its `%` taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CommandText {
    /// For the shell.
    pub(super) script: String,
    /// What the command reads, if the line says.
    pub(super) stdin: Option<String>,
}

impl CommandText {
    /// The first `%` ends the command, each further one is a newline; `\%` is a percent sign. A last line
    /// without a newline is given one, as cron does.
    pub(super) fn parse(text: &str) -> CommandText {
        let mut parts = vec![String::new()];
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' if characters.peek() == Some(&'%') => {
                    characters.next();
                    push(&mut parts, '%');
                }
                '%' => parts.push(String::new()),
                character => push(&mut parts, character),
            }
        }
        let mut parts = parts.into_iter();
        let script = parts.next().unwrap_or_default();
        let lines: Vec<String> = parts.collect();
        let stdin = (!lines.is_empty()).then(|| {
            let mut input = lines.join("\n");
            if !input.is_empty() && !input.ends_with('\n') {
                input.push('\n');
            }
            input
        });
        CommandText {
            script: script.trim_end().to_owned(),
            stdin,
        }
    }
}

fn push(parts: &mut [String], character: char) {
    if let Some(last) = parts.last_mut() {
        last.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs() {
        let parse = |text| {
            let CommandText { script, stdin } = CommandText::parse(text);
            (script, stdin)
        };
        assert_eq!(parse("date +\\%F"), ("date +%F".into(), None));
        assert_eq!(
            parse("mail joe%Hi,%%bye"),
            ("mail joe".into(), Some("Hi,\n\nbye\n".into()))
        );
        assert_eq!(parse("cat%"), ("cat".into(), Some(String::new())));
        assert_eq!(parse("cat%a%"), ("cat".into(), Some("a\n".into())));
        assert_eq!(
            parse(r"a \\n \%%b"),
            (r"a \\n %".into(), Some("b\n".into()))
        );
    }
}
