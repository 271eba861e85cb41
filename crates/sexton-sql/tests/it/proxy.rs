//! What stands between a client and its server, and can cut them off: at once, or when the server's next answer comes.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Whether answers come through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Open,
    /// The server hears what is sent; after so many answers the next one is swallowed, and the connection ends.
    CutAfter(u32),
}

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    line: Arc<watch::Sender<Line>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn to(server: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = Arc::new(watch::Sender::new(Line::Open));
        let mut tasks = JoinSet::new();
        let of_line = Arc::clone(&line);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let line = Arc::clone(&of_line);
                connections.spawn(async move {
                    if let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)).await {
                        carry(client, upstream, &line).await;
                    }
                });
            }
        });
        Proxy {
            port,
            line,
            _tasks: tasks,
        }
    }

    /// The next answer, on whichever connection, is lost along with its connection. One only: the line is open again then.
    pub(crate) fn cut_at_the_next_answer(&self) {
        self.cut_after(0);
    }

    /// The same, once so many answers more have come through.
    pub(crate) fn cut_after(&self, answers: u32) {
        self.line.send_replace(Line::CutAfter(answers));
    }

    /// Whether the answer that was to be lost has not come, and now need not be.
    pub(crate) fn mend(&self) -> bool {
        self.line.send_replace(Line::Open) != Line::Open
    }

    /// Returns when an answer was lost.
    pub(crate) async fn has_cut(&self) {
        let mut seen = self.line.subscribe();
        seen.wait_for(|line| *line == Line::Open).await.unwrap();
    }
}

async fn carry(client: TcpStream, upstream: TcpStream, line: &watch::Sender<Line>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = upstream.into_split();
    let asked = async {
        // Either end may go whenever it likes.
        let _ = copy(&mut from_client, &mut to_server).await;
    };
    let answered = async {
        let mut bytes = [0; 8 * 1024];
        while let Ok(count) = from_server.read(&mut bytes).await {
            let is_cut = line.send_if_modified(|line| match line {
                Line::Open => false,
                Line::CutAfter(0) => {
                    *line = Line::Open;
                    true
                }
                Line::CutAfter(left) => {
                    *left -= 1;
                    false
                }
            });
            if count == 0 || is_cut || to_client.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = asked => {}
        () = answered => {}
    }
}
