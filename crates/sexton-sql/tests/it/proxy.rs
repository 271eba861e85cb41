//! What stands between a client and its server, and can cut them off: when the server's next answer
//! comes, or when the client has asked for so much.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How a network goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The connection ends, as if the client had closed it.
    End,
    /// The same, in disorder.
    Reset,
    /// Nothing comes through, in either direction, and nobody is told. Connections of that time
    /// stay dead; later ones may do.
    Silence,
    /// Nothing comes through until it is mended, and then all of it: as of a client that is
    /// stopped, and goes on.
    Freeze,
}

/// What comes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Open,
    /// The server hears what is sent; after so many answers the next one is swallowed, and the
    /// connection ends.
    CutAfter(u32),
    /// The server hears so many requests more, and no answer to the last.
    CutAfterRequests(u32, Cut),
    Silent,
    Frozen,
}

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    line: Arc<watch::Sender<Line>>,
    requests: Arc<AtomicU32>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn to(server: u16) -> Proxy {
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
                        // Whatever comes now, both ends stay open, and nobody reads.
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

    /// The next answer, on whichever connection, is lost along with its connection. One only: the
    /// line is open again then.
    pub(crate) fn cut_at_the_next_answer(&self) {
        self.cut_after(0);
    }

    /// The same, once so many answers more have come through.
    pub(crate) fn cut_after(&self, answers: u32) {
        self.line.send_replace(Line::CutAfter(answers));
    }

    /// The server hears so many requests more, at least one, and then the network goes.
    pub(crate) fn cut_after_requests(&self, requests: u32, cut: Cut) {
        self.line
            .send_replace(Line::CutAfterRequests(requests, cut));
    }

    /// If it is not cut by now, it will not be.
    pub(crate) fn cut_no_more(&self) {
        self.line.send_if_modified(|line| {
            let is_whole = matches!(line, Line::CutAfter(_) | Line::CutAfterRequests(..));
            if is_whole {
                *line = Line::Open;
            }
            is_whole
        });
    }

    /// How often a client has asked for something.
    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether the answer that was to be lost has not come, and now need not be.
    pub(crate) fn mend(&self) -> bool {
        let before = self.line.send_replace(Line::Open);
        matches!(before, Line::CutAfter(_) | Line::CutAfterRequests(..))
    }

    /// Returns when an answer was lost.
    pub(crate) async fn has_cut(&self) {
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
            // Either end may go whenever it likes.
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
        // The server may have answered by now: that is not heard.
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

/// Counts a request, and says how the connection is cut by it.
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

/// Counts an answer, and says whether it is the one that is lost.
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
