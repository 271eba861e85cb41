//! The driver, before a server that speaks its protocol and knows next to nothing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mongodb::bson::{DateTime, Document, doc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::driver::{Driver, Target};
use crate::store::{Cause, Store};

/// <https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/>
const OP_MSG: i32 = 2_013;
/// Flags, and the kind of section that a body is.
const BEFORE_BODY: usize = 5;

pub(super) struct Wire {
    /// What those who want to be let in are told.
    let_in: Document,
    /// What it says of its clock, besides the rest.
    clock: Document,
    /// How many connections were used for anything but to say hello.
    used: AtomicUsize,
    pinged: Notify,
    /// How many pings may be answered.
    answers: Semaphore,
}

impl Wire {
    pub(super) fn new(let_in: Document) -> Arc<Wire> {
        Wire::of(let_in, doc! {})
    }

    pub(super) fn with_clock(clock: Document) -> Arc<Wire> {
        Wire::of(doc! {}, clock)
    }

    fn of(let_in: Document, clock: Document) -> Arc<Wire> {
        Arc::new(Wire {
            let_in,
            clock,
            used: AtomicUsize::new(0),
            pinged: Notify::new(),
            answers: Semaphore::new(0),
        })
    }

    /// Where it listens. It ends with the test's runtime.
    pub(super) async fn listen(self: &Arc<Wire>) -> String {
        self.listen_until_aborted().await.0
    }

    /// The same, until its task is aborted: then nobody listens there any more.
    pub(super) async fn listen_until_aborted(self: &Arc<Wire>) -> (String, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let wire = Arc::clone(self);
        let serving = tokio::spawn(async move {
            // Until the client hangs up, or with the listener.
            let mut clients = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let wire = Arc::clone(&wire);
                clients.spawn(async move { wire.serve(stream).await });
            }
        });
        (format!("127.0.0.1:{port}"), serving)
    }

    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut is_used = false;
        loop {
            let (id, command) = read(&mut stream).await?;
            let name = command.keys().next().unwrap().clone();
            if name == "ping" && !is_used {
                is_used = true;
                self.used.fetch_add(1, Ordering::SeqCst);
            }
            let reply = match name.as_str() {
                "hello" | "isMaster" | "ismaster" => {
                    let mut hello = hello();
                    hello.extend(self.clock.clone());
                    hello
                }
                "find" => doc! {
                    "cursor": { "firstBatch": [], "id": 0_i64, "ns": "app.any" },
                    "ok": 1,
                },
                "update" => doc! { "n": 1, "ok": 1 },
                "saslStart" => self.let_in.clone(),
                "ping" => {
                    self.pinged.notify_one();
                    self.answers.acquire().await.unwrap().forget();
                    doc! { "ok": 1 }
                }
                _ => doc! { "ok": 1 },
            };
            write(&mut stream, id, &reply).await?;
        }
    }

    async fn driver(self: &Arc<Wire>, user: &str) -> Driver {
        let url = format!("mongodb://{user}{}/app?maxPoolSize=1", self.listen().await);
        let limit = Duration::from_secs(60);
        let target = Target::parse(&url).unwrap();
        let connecting = Driver::connect(&target, None, limit, Instant::now() + limit);
        connecting.await.unwrap()
    }
}

fn hello() -> Document {
    doc! {
        "isWritablePrimary": true,
        "ismaster": true,
        "helloOk": true,
        "localTime": DateTime::from_millis(0),
        "maxBsonObjectSize": 16 * 1024 * 1024,
        "maxMessageSizeBytes": 48_000_000,
        "maxWriteBatchSize": 100_000,
        "logicalSessionTimeoutMinutes": 30,
        "minWireVersion": 0,
        "maxWireVersion": 21,
        "ok": 1,
    }
}

/// A message's id and its command.
async fn read(stream: &mut TcpStream) -> io::Result<(i32, Document)> {
    let length = stream.read_i32_le().await?;
    let id = stream.read_i32_le().await?;
    let _answers = stream.read_i32_le().await?;
    let code = stream.read_i32_le().await?;
    let mut body = vec![0; usize::try_from(length - 16).unwrap()];
    stream.read_exact(&mut body).await?;
    assert_eq!(code, OP_MSG);
    let command = Document::from_reader(&body[BEFORE_BODY..]).unwrap();
    Ok((id, command))
}

async fn write(stream: &mut TcpStream, id: i32, reply: &Document) -> io::Result<()> {
    let body = [vec![0; BEFORE_BODY], reply.to_vec().unwrap()].concat();
    let length = i32::try_from(16 + body.len()).unwrap();
    let header = [length, 0, id, OP_MSG].map(i32::to_le_bytes).concat();
    stream.write_all(&[header, body].concat()).await
}

#[tokio::test]
async fn a_call_that_is_dropped_costs_no_connection() {
    let wire = Wire::new(doc! {});
    let driver = wire.driver("").await;
    {
        let dropped = driver.run(doc! { "ping": 1 });
        tokio::select! {
            answer = dropped => panic!("{answer:?} before it was given"),
            () = wire.pinged.notified() => {}
        }
    }
    wire.answers.add_permits(2);
    driver.run(doc! { "ping": 1 }).await.unwrap();
    assert_eq!(wire.used.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_shuts_down_while_it_lets_somebody_in_is_an_outage() {
    // ShutdownInProgress, InterruptedAtShutdown; AuthenticationFailed, the same in Atlas's words,
    // MechanismUnavailable; nothing of use.
    for (let_in, cause) in [
        (
            doc! { "ok": 0, "code": 91, "errmsg": "bye" },
            Cause::Transient,
        ),
        (
            doc! { "ok": 0, "code": 11_600, "errmsg": "bye" },
            Cause::Transient,
        ),
        (
            doc! { "ok": 0, "code": 18, "errmsg": "no" },
            Cause::AuthenticationFailed,
        ),
        (
            doc! { "ok": 0, "code": 8_000, "errmsg": "no" },
            Cause::AuthenticationFailed,
        ),
        (
            doc! { "ok": 0, "code": 334, "errmsg": "no" },
            Cause::AuthenticationFailed,
        ),
        (doc! { "ok": 1 }, Cause::AuthenticationFailed),
    ] {
        let driver = Wire::new(let_in.clone()).driver("sexton:horse@").await;
        let error = driver.run(doc! { "ping": 1 }).await.unwrap_err();
        assert_eq!(error.cause, cause, "{let_in}: {error:?}");
    }
}
