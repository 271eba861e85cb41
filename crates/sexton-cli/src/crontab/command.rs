//! The command of a line, and what it reads from its standard input.

/// A command with its `%` taken apart. Both are bytes: what is not UTF-8 is the command's affair.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CommandText {
    /// For the shell.
    pub(super) script: Vec<u8>,
    /// What the command reads, if the line says.
    pub(super) stdin: Option<Vec<u8>>,
}

impl CommandText {
    /// Takes a command apart: the first `%` ends it, each further one is a newline; `\%` is a
    /// percent sign. A last line without a newline is given one, as cron does.
    pub(super) fn parse(text: &[u8]) -> CommandText {
        let mut script = Vec::new();
        let mut stdin: Option<Vec<u8>> = None;
        let mut bytes = text.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            let byte = match byte {
                b'\\' if bytes.peek() == Some(&b'%') => bytes.next().unwrap_or(b'%'),
                b'%' if stdin.is_none() => {
                    stdin = Some(Vec::new());
                    continue;
                }
                b'%' => b'\n',
                byte => byte,
            };
            stdin.as_mut().unwrap_or(&mut script).push(byte);
        }
        if let Some(input) = &mut stdin
            && input.last().is_some_and(|last| *last != b'\n')
        {
            input.push(b'\n');
        }
        script.truncate(script.trim_ascii_end().len());
        CommandText { script, stdin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs() {
        let parse = |text: &str| {
            let CommandText { script, stdin } = CommandText::parse(text.as_bytes());
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (text(script), stdin.map(text))
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

    #[test]
    fn what_is_not_utf_8_is_left_as_it_is() {
        let command = CommandText::parse(b"echo caf\xe9 %\xff");
        assert_eq!(command.script, b"echo caf\xe9");
        assert_eq!(command.stdin.as_deref(), Some(b"\xff\n".as_slice()));
    }
}
