//! MongoDB's wire protocol in front of PostgreSQL with DocumentDB, as far as the tests need it.
//! Messages become calls of `documentdb_api`, a client's connection is a session of PostgreSQL. It
//! has neither passwords nor TLS, and presents itself as a router of a sharded cluster.

use std::net::TcpListener as Listener;
use std::thread::JoinHandle;

use mongodb::bson::raw::CString;
use mongodb::bson::{RawArrayBuf, RawDocumentBuf};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::commands::{Cursors, run};
use super::hello::{Ended, MESSAGE_BYTES_MAX, hello};

const HEADER_BYTES: usize = 16;
/// The operation of each message but a driver's first one.
const OP_MSG: i32 = 2013;
/// A driver's first message, which asks who is there, and its reply.
const OP_QUERY: i32 = 2004;
const OP_REPLY: i32 = 1;
/// The flag of a message whose last four bytes are a checksum.
const HAS_CHECKSUM: u32 = 1;

/// A server of MongoDB's protocol, which runs until it is dropped.
#[derive(Debug)]
pub(super) struct Front {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Front {
    /// Starts in front of the server of these options, which need not be up yet.
    pub(super) fn start(server: PgConnectOptions) -> Front {
        let listener = Listener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            // Its end ends the connections.
            runtime.unwrap().block_on(async {
                tokio::select! {
                    () = listen(listener, server) => {}
                    _ = stopped => {}
                }
            });
        });
        Front {
            port,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The port that clients connect to.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What went wrong in it has shown itself to its clients.
            let _ = thread.join();
        }
    }
}

async fn listen(listener: Listener, server: PgConnectOptions) {
    let listener = TcpListener::from_std(listener).unwrap();
    let cursors = Cursors::default();
    let server = server.disable_statement_logging();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (server, cursors) = (server.clone(), cursors.clone());
        tokio::spawn(async move {
            // A client sees by its end that a connection has ended, as with any server.
            let _ = serve(client, &server, &cursors).await;
        });
    }
}

async fn serve(
    mut client: TcpStream,
    server: &PgConnectOptions,
    cursors: &Cursors,
) -> Result<(), Ended> {
    client.set_nodelay(true)?;
    let mut session = server.connect().await?;
    loop {
        let answered = answer_next(&mut client, &mut session, cursors).await;
        if answered.is_err() {
            // Its statement ends with the session, not only when it is through.
            let _ = session.close_hard().await;
            return answered;
        }
    }
}

async fn answer_next(
    client: &mut TcpStream,
    session: &mut PgConnection,
    cursors: &Cursors,
) -> Result<(), Ended> {
    let bytes = client.read_i32_le().await?;
    let id = client.read_i32_le().await?;
    let _of = client.read_i32_le().await?;
    let operation = client.read_i32_le().await?;
    let bytes = usize::try_from(bytes)?;
    if !(HEADER_BYTES..=MESSAGE_BYTES_MAX).contains(&bytes) {
        return Err(format!("a message of {bytes} bytes").into());
    }
    let mut body = vec![0; bytes - HEADER_BYTES];
    client.read_exact(&mut body).await?;
    match operation {
        OP_QUERY => {
            let mut reply = Vec::new();
            // Flags, a cursor's id, where its batch starts, and that it has one document.
            reply.extend(8_u32.to_le_bytes());
            reply.extend(0_i64.to_le_bytes());
            reply.extend(0_i32.to_le_bytes());
            reply.extend(1_i32.to_le_bytes());
            reply.extend(hello().to_vec()?);
            send(client, id, OP_REPLY, &reply).await
        }
        OP_MSG => {
            let command = command(&body)?;
            let answer = run(session, cursors, command).await?;
            // No flags, and one section of the first kind.
            let mut reply = vec![0; 5];
            reply.extend(answer);
            send(client, id, OP_MSG, &reply).await
        }
        other => Err(format!("a message of operation {other}").into()),
    }
}

async fn send(client: &mut TcpStream, to: i32, operation: i32, body: &[u8]) -> Result<(), Ended> {
    let bytes = i32::try_from(HEADER_BYTES + body.len())?;
    let mut message = Vec::with_capacity(HEADER_BYTES + body.len());
    for number in [bytes, 0, to, operation] {
        message.extend(number.to_le_bytes());
    }
    message.extend(body);
    client.write_all(&message).await?;
    Ok(())
}

/// The command of a message, with the documents that came beside it in their place.
fn command(body: &[u8]) -> Result<RawDocumentBuf, Ended> {
    let (flags, mut sections) = body.split_first_chunk().ok_or("a message without flags")?;
    if u32::from_le_bytes(*flags) & HAS_CHECKSUM != 0 {
        sections = sections.split_last_chunk::<4>().ok_or("no checksum")?.0;
    }
    let mut command = None;
    let mut beside = Vec::new();
    while let Some((kind, rest)) = sections.split_first() {
        let (section, rest) = cut(rest)?;
        sections = rest;
        if *kind == 0 {
            command = Some(RawDocumentBuf::from_bytes(section.to_vec())?);
        } else {
            beside.push(sequence(&section[4..])?);
        }
    }
    let mut command = command.ok_or("a message without a command")?;
    for (name, documents) in beside {
        command.append(name, documents);
    }
    Ok(command)
}

/// Splits off what begins with its length, which counts itself, from what comes after it.
fn cut(bytes: &[u8]) -> Result<(&[u8], &[u8]), Ended> {
    let length = bytes.first_chunk().ok_or("no length")?;
    let length = usize::try_from(i32::from_le_bytes(*length))?;
    let is_whole = length >= 4;
    let both = bytes.split_at_checked(length).filter(|_| is_whole);
    Ok(both.ok_or("a length beyond the message")?)
}

/// Documents that a field of the command would hold otherwise.
fn sequence(section: &[u8]) -> Result<(CString, RawArrayBuf), Ended> {
    let end = section.iter().position(|byte| *byte == 0);
    let (name, documents) = section.split_at(end.ok_or("a sequence without a name")?);
    let mut rest = &documents[1..];
    let mut array = RawArrayBuf::new();
    while !rest.is_empty() {
        let (document, others) = cut(rest)?;
        array.push(RawDocumentBuf::from_bytes(document.to_vec())?);
        rest = others;
    }
    Ok((CString::try_from(String::from_utf8(name.to_vec())?)?, array))
}
