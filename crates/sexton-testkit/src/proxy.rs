//! A TCP proxy between a client and its server. It cuts their connections at a chosen answer of the
//! server, or at a chosen request of the client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The connection ends, as if the client had closed it.
    End,
    /// The connection is reset.
    Reset,
    /// Nothing passes any more, in either direction, and neither end is told. The connections of
    /// that time stay dead after [`Proxy::mend`]; later ones work.
    Silence,
    /// Nothing passes until [`Proxy::mend`], and then all of it: as from a client that is stopped
    /// for a while.
    Freeze,
}

/// What passes the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Open,
    /// This many more answers pass. The next one is dropped, and its connection ends.
    CutAfter(u32),
    /// This many more requests pass, and no answer to the last of them.
    CutAfterRequests(u32, Cut),
    Silent,
    Frozen,
}

/// A proxy, which runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// The port that clients connect to.
    pub port: u16,
    line: Arc<watch::Sender<Line>>,
    requests: Arc<AtomicU32>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// A proxy to a server on this port.
    pub async fn to(server: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = Arc::new(watch::Sender::new(Line::Open));
        let requests = Arc::default();
        let mut tasks = JoinSet::new();
        let (of_line, of_requests) = (Arc::clone(&line), Arc::clone(&requests));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (line, requests) = (Arc::clone(&of_line), Arc::clone(&of_requests));
                connections.spawn(async move {
                    let carrying = async {
                        if let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)).await {
                            carry(client, upstream, &line, &requests).await;
                        }
                    };
                    let (mut seen, mut carrying) = (line.subscribe(), std::pin::pin!(carrying));
                    let is_silent = tokio::select! {
                        biased;
                        seen = seen.wait_for(|line| *line == Line::Silent) => seen.is_ok(),
                        () = &mut carrying => false,
                    };
                    if is_silent {
                        // Both ends stay open, and nothing is read from either.
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Proxy {
            port,
            line,
            requests,
            _tasks: tasks,
        }
    }

    /// Loses the server's next answer, on any connection, and ends that connection. Later answers
    /// pass.
    pub fn cut_at_the_next_answer(&self) {
        self.cut_after(0);
    }

    /// Does the same after this many more answers have passed.
    pub fn cut_after(&self, answers: u32) {
        self.line.send_replace(Line::CutAfter(answers));
    }

    /// Cuts the connection of the last of this many more requests, at least one, once the server
    /// has that request.
    pub fn cut_after_requests(&self, requests: u32, cut: Cut) {
        self.line
            .send_replace(Line::CutAfterRequests(requests, cut));
    }

    /// Calls off a cut that has not happened yet.
    pub fn cut_no_more(&self) {
        self.line.send_if_modified(|line| {
            let is_whole = matches!(line, Line::CutAfter(_) | Line::CutAfterRequests(..));
            if is_whole {
                *line = Line::Open;
            }
            is_whole
        });
    }

    /// How many requests have passed.
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Lets everything pass again, and answers whether a cut had not happened yet.
    pub fn mend(&self) -> bool {
        let before = self.line.send_replace(Line::Open);
        matches!(before, Line::CutAfter(_) | Line::CutAfterRequests(..))
    }

    /// Returns once the cut that was asked for has happened.
    pub async fn has_cut(&self) {
        let mut seen = self.line.subscribe();
        let is_cut = |line: &Line| !matches!(line, Line::CutAfter(_) | Line::CutAfterRequests(..));
        seen.wait_for(is_cut).await.unwrap();
    }
}

async fn carry(
    client: TcpStream,
    upstream: TcpStream,
    line: &watch::Sender<Line>,
    requests: &AtomicU32,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = upstream.into_split();
    // An answer may come in several pieces, as MariaDB's do under load. Only the first piece after
    // a request counts. A server that speaks first, as MariaDB does, answers the connection.
    let is_awaited = AtomicBool::new(true);
    let asked = async {
        let mut bytes = [0; 64 * 1024];
        while let Ok(count) = from_client.read(&mut bytes).await {
            thawed(line).await;
            is_awaited.store(true, Ordering::Relaxed);
            // Either end may close at any time.
            if count == 0 || to_server.write_all(&bytes[..count]).await.is_err() {
                return false;
            }
            requests.fetch_add(1, Ordering::Relaxed);
            match asked(line) {
                Some(Cut::End) => return false,
                Some(Cut::Reset) => return true,
                Some(Cut::Silence | Cut::Freeze) | None => {}
            }
        }
        false
    };
    let answered = async {
        let mut bytes = [0; 8 * 1024];
        while let Ok(count) = from_server.read(&mut bytes).await {
            let is_first = count > 0 && is_awaited.swap(false, Ordering::Relaxed);
            let is_cut = is_first && answered(line);
            thawed(line).await;
            if count == 0 || is_cut || to_client.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    let is_reset = tokio::select! {
        // An answer that has arrived by now does not pass.
        biased;
        is_reset = asked => is_reset,
        () = answered => false,
    };
    if is_reset {
        for end in [to_client.as_ref(), to_server.as_ref()] {
            end.set_zero_linger().unwrap();
        }
    }
}

/// Counts a request, and answers how it cuts its connection, if it does.
fn asked(line: &watch::Sender<Line>) -> Option<Cut> {
    let mut cut = None;
    line.send_if_modified(|line| match line {
        Line::CutAfterRequests(left, how) => {
            *left -= 1;
            if *left == 0 {
                cut = Some(*how);
                *line = match how {
                    Cut::End | Cut::Reset => Line::Open,
                    Cut::Silence => Line::Silent,
                    Cut::Freeze => Line::Frozen,
                };
            }
            true
        }
        _ => false,
    });
    cut
}

/// Counts an answer, and answers whether it is the one that is lost.
fn answered(line: &watch::Sender<Line>) -> bool {
    line.send_if_modified(|line| match line {
        Line::CutAfter(0) => {
            *line = Line::Open;
            true
        }
        Line::CutAfter(left) => {
            *left -= 1;
            false
        }
        _ => false,
    })
}

async fn thawed(line: &watch::Sender<Line>) {
    let mut seen = line.subscribe();
    let _ = seen.wait_for(|line| *line != Line::Frozen).await;
}
