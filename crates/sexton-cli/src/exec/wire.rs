//! What the program and its `__exec` process say to each other over their socket.
//!
//! The program sends one [`Order`], length first, and then single bytes: [`TERMINATE`], [`KILL`].
//! The process answers with [`Reply`]s of a fixed size; behind [`Reply::Output`] comes what the
//! command said. After [`Reply::Ready`] there may be another order. Both are the same binary, so
//! nothing of this has a version.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use thiserror::Error;

use crate::tasks::{Limits, MissingCwd, RunAs};

/// Asks the command's process group to end.
pub(crate) const TERMINATE: u8 = b'T';
/// Ends the command and everything that it has started.
pub(crate) const KILL: u8 = b'K';

/// The longest order: far more than an operating system lets a command have as arguments and
/// environment, and the longest file that standard input can come from.
const ORDER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What to run, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    /// The whole environment of the command.
    pub(crate) variables: Vec<(OsString, OsString)>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) missing_cwd: MissingCwd,
    /// What the command reads; nothing if `None`.
    pub(crate) stdin: Option<Vec<u8>>,
    pub(crate) user: Option<RunAs>,
    pub(crate) umask: Option<u32>,
    pub(crate) nice: Option<i8>,
    pub(crate) limits: Limits,
}

/// An order that cannot be sent or read.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum WireError {
    #[error(
        "the command, its environment and its input are longer than {ORDER_BYTES_MAX} bytes: shorten them"
    )]
    TooLong,
    #[error("this is no order from `sexton run`")]
    Malformed,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The order has arrived. A process that ends before it says so has started nothing.
    Accepted,
    /// The command runs, as the head of the process group with this number.
    Started { pid: i32 },
    /// The command was not started: this step failed with this error of the operating system.
    NotStarted { step: Step, errno: i32 },
    /// The command ended with this status.
    Exited { code: i32 },
    /// This signal ended the command.
    Signalled { signal: i32 },
    /// The command said something: this number of bytes follows.
    Output { bytes: i32 },
    /// Nothing is left of the command, which ended by itself, and the next one may come.
    Ready,
}

/// A step on the way to a command that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Pipes for its input and output.
    Pipes,
    /// The user and the user's groups.
    User,
    Nice,
    Limits,
    /// The folder to begin in.
    Folder,
    /// The program itself.
    Program,
}

impl Step {
    const ALL: [Step; 6] = [
        Step::Pipes,
        Step::User,
        Step::Nice,
        Step::Limits,
        Step::Folder,
        Step::Program,
    ];
}

impl Order {
    /// Whether the process that starts the command is as before when the command has ended.
    pub(crate) fn is_plain(&self) -> bool {
        self.user.is_none()
            && self.umask.is_none()
            && self.nice.is_none()
            && self.limits == Limits::default()
            && self.cwd.is_some()
    }

    /// The order with its length in front.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, WireError> {
        let mut out = Writer(vec![0; size_of::<u32>()]);
        out.bytes(self.program.as_bytes())?;
        out.count(self.arguments.len())?;
        for argument in &self.arguments {
            out.bytes(argument.as_bytes())?;
        }
        out.count(self.variables.len())?;
        for (name, value) in &self.variables {
            out.bytes(name.as_bytes())?;
            out.bytes(value.as_bytes())?;
        }
        out.option(self.cwd.as_ref(), |out, cwd| {
            out.bytes(cwd.as_os_str().as_bytes())
        })?;
        out.0.push(match self.missing_cwd {
            MissingCwd::Fail => 0,
            MissingCwd::BeginInRoot => 1,
        });
        out.option(self.stdin.as_ref(), |out, stdin| out.bytes(stdin))?;
        out.option(self.user.as_ref(), |out, user| {
            out.bytes(user.name.as_bytes())?;
            out.number(user.uid);
            out.number(user.gid);
            Ok(())
        })?;
        out.option(self.umask, |out, umask| {
            out.number(umask);
            Ok(())
        })?;
        out.option(self.nice, |out, nice| {
            out.0.extend(nice.to_le_bytes());
            Ok(())
        })?;
        for limit in self.limits.to_array() {
            out.option(limit, |out, limit| {
                out.0.extend(limit.to_le_bytes());
                Ok(())
            })?;
        }
        let length = out.0.len() - size_of::<u32>();
        if length > ORDER_BYTES_MAX {
            return Err(WireError::TooLong);
        }
        let length = u32::try_from(length).map_err(|_| WireError::TooLong)?;
        out.0[..size_of::<u32>()].copy_from_slice(&length.to_le_bytes());
        Ok(out.0)
    }

    /// Reads an order with its length in front.
    pub(crate) fn read(mut from: impl Read) -> io::Result<Order> {
        let mut length = [0; size_of::<u32>()];
        from.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > ORDER_BYTES_MAX {
            return Err(io::Error::other(WireError::Malformed));
        }
        let mut bytes = vec![0; length];
        from.read_exact(&mut bytes)?;
        Order::decode(&bytes).map_err(io::Error::other)
    }

    fn decode(bytes: &[u8]) -> Result<Order, WireError> {
        let mut from = Reader(bytes);
        let program = from.text()?;
        let arguments = (0..from.u32()?)
            .map(|_| from.text())
            .collect::<Result<_, _>>()?;
        let variables = (0..from.u32()?)
            .map(|_| Ok((from.text()?, from.text()?)))
            .collect::<Result<_, _>>()?;
        let cwd = from.option(Reader::text)?.map(PathBuf::from);
        let missing_cwd = match from.byte()? {
            0 => MissingCwd::Fail,
            1 => MissingCwd::BeginInRoot,
            _ => return Err(WireError::Malformed),
        };
        let stdin = from.option(|from| from.bytes().map(<[u8]>::to_vec))?;
        let user = from.option(|from| {
            let name = String::from_utf8(from.bytes()?.to_vec());
            Ok(RunAs {
                name: name.map_err(|_| WireError::Malformed)?,
                uid: from.u32()?,
                gid: from.u32()?,
            })
        })?;
        let umask = from.option(Reader::u32)?;
        let nice = from.option(|from| Ok(i8::from_le_bytes(from.array()?)))?;
        let mut limits = Limits::default().to_array();
        for limit in &mut limits {
            *limit = from.option(|from| Ok(u64::from_le_bytes(from.array()?)))?;
        }
        if !from.0.is_empty() {
            return Err(WireError::Malformed);
        }
        Ok(Order {
            program,
            arguments,
            variables,
            cwd,
            missing_cwd,
            stdin,
            user,
            umask,
            nice,
            limits: Limits::from_array(limits),
        })
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u32) {
        self.0.extend(number.to_le_bytes());
    }

    fn count(&mut self, count: usize) -> Result<(), WireError> {
        self.number(u32::try_from(count).map_err(|_| WireError::TooLong)?);
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.count(bytes.len())?;
        self.0.extend(bytes);
        Ok(())
    }

    fn option<T>(
        &mut self,
        value: Option<T>,
        write: impl FnOnce(&mut Writer, T) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        self.0.push(u8::from(value.is_some()));
        value.map_or(Ok(()), |value| write(self, value))
    }
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(WireError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        self.take(N)?.try_into().map_err(|_| WireError::Malformed)
    }

    fn byte(&mut self) -> Result<u8, WireError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn bytes(&mut self) -> Result<&'b [u8], WireError> {
        let count = usize::try_from(self.u32()?).map_err(|_| WireError::Malformed)?;
        self.take(count)
    }

    fn text(&mut self) -> Result<OsString, WireError> {
        Ok(OsStr::from_bytes(self.bytes()?).to_owned())
    }

    fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'b>) -> Result<T, WireError>,
    ) -> Result<Option<T>, WireError> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(WireError::Malformed),
        }
    }
}

impl Reply {
    /// The length of every reply.
    pub(crate) const BYTES: usize = 6;

    pub(crate) fn encode(self) -> [u8; Reply::BYTES] {
        let (kind, step, number) = match self {
            Reply::Started { pid } => (b'S', 0, pid),
            Reply::NotStarted { step, errno } => {
                let place = Step::ALL.iter().position(|known| *known == step);
                let place = place.and_then(|place| u8::try_from(place).ok());
                (b'N', place.unwrap_or(u8::MAX), errno)
            }
            Reply::Exited { code } => (b'E', 0, code),
            Reply::Signalled { signal } => (b'X', 0, signal),
            Reply::Accepted => (b'A', 0, 0),
            Reply::Output { bytes } => (b'O', 0, bytes),
            Reply::Ready => (b'R', 0, 0),
        };
        let [a, b, c, d] = number.to_le_bytes();
        [kind, step, a, b, c, d]
    }

    pub(crate) fn decode(bytes: [u8; Reply::BYTES]) -> Option<Reply> {
        let [kind, step, number @ ..] = bytes;
        let number = i32::from_le_bytes(number);
        Some(match kind {
            b'S' => Reply::Started { pid: number },
            b'N' => Reply::NotStarted {
                step: *Step::ALL.get(usize::from(step))?,
                errno: number,
            },
            b'E' => Reply::Exited { code: number },
            b'X' => Reply::Signalled { signal: number },
            b'A' => Reply::Accepted,
            b'O' => Reply::Output { bytes: number },
            b'R' => Reply::Ready,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn order() -> Order {
        Order {
            program: OsString::from_vec(b"/bin/\xff".to_vec()),
            arguments: vec!["".into(), "a b\n".into()],
            variables: vec![("A".into(), "=".into()), ("B".into(), "".into())],
            cwd: Some("/srv/é".into()),
            missing_cwd: MissingCwd::BeginInRoot,
            stdin: Some(vec![0, 1, 0xff]),
            user: Some(RunAs {
                name: "news".into(),
                uid: 9,
                gid: u32::MAX,
            }),
            umask: Some(0o077),
            nice: Some(-20),
            limits: Limits {
                memory: Some(u64::MAX),
                core: Some(0),
                ..Limits::default()
            },
        }
    }

    #[test]
    fn an_order_arrives_as_it_was_sent() {
        let bare = Order {
            arguments: Vec::new(),
            variables: Vec::new(),
            cwd: None,
            missing_cwd: MissingCwd::Fail,
            stdin: None,
            user: None,
            umask: None,
            nice: None,
            limits: Limits::default(),
            ..order()
        };
        for order in [order(), bare] {
            let bytes = order.encode().unwrap();
            assert_eq!(Order::read(bytes.as_slice()).unwrap(), order);
        }
    }

    #[test]
    fn an_order_cut_off_anywhere_or_with_something_behind_it_is_none() {
        let bytes = order().encode().unwrap();
        let body = &bytes[size_of::<u32>()..];
        for end in 0..body.len() {
            assert_eq!(Order::decode(&body[..end]), Err(WireError::Malformed));
            Order::read(&bytes[..end]).unwrap_err();
        }
        let longer = [body, b"\0"].concat();
        assert_eq!(Order::decode(&longer), Err(WireError::Malformed));
    }

    #[test]
    fn an_order_that_is_too_long_is_refused_by_both_ends() {
        let long = Order {
            stdin: Some(vec![0; ORDER_BYTES_MAX]),
            ..order()
        };
        assert_eq!(long.encode(), Err(WireError::TooLong));
        Order::read(u32::MAX.to_le_bytes().as_slice()).unwrap_err();
    }

    #[test]
    fn a_reply_arrives_as_it_was_sent() {
        let steps = Step::ALL.map(|step| Reply::NotStarted { step, errno: 2 });
        let others = [
            Reply::Started { pid: i32::MAX },
            Reply::Exited { code: -1 },
            Reply::Signalled { signal: 9 },
            Reply::Accepted,
            Reply::Output { bytes: 4096 },
            Reply::Ready,
        ];
        for reply in steps.into_iter().chain(others) {
            assert_eq!(Reply::decode(reply.encode()), Some(reply));
        }
        assert_eq!(Reply::decode(*b"?\0\0\0\0\0"), None);
        assert_eq!(Reply::decode(*b"N\x06\0\0\0\0"), None);
    }
}
