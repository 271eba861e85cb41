//! What stands between a program and its server, and can lose the network: nothing comes through
//! any more, and nobody is told.

use std::net::TcpListener as Listener;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A line to a server, which ends when it is dropped.
pub(crate) struct Line {
    pub(super) port: u16,
    is_open: watch::Sender<bool>,
    _carrying: Runtime,
}

impl Line {
    pub(super) fn to(server: u16) -> Line {
        Line::at(0, server)
    }

    /// A line that begins at this port.
    pub(crate) fn at(port: u16, server: u16) -> Line {
        let listener = Listener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let carrying = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let is_open = watch::Sender::new(true);
        carrying.spawn(listen(listener, server, is_open.subscribe()));
        Line {
            port,
            is_open,
            _carrying: carrying,
        }
    }

    /// Neither end hears anything any more, not even that the other one has gone.
    pub(super) fn lose(&self) {
        self.is_open.send_replace(false);
    }

    /// What was sent meanwhile arrives.
    pub(super) fn mend(&self) {
        self.is_open.send_replace(true);
    }
}

async fn listen(listener: Listener, server: u16, is_open: watch::Receiver<bool>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let mut is_open = is_open.clone();
        tokio::spawn(async move {
            if is_open.wait_for(|is_open| *is_open).await.is_err() {
                return;
            }
            if let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await {
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::join!(
                    carry(from_client, to_server, is_open.clone()),
                    carry(from_server, to_client, is_open),
                );
            }
        });
    }
}

/// Carries bytes, and that there are no more, as long as the line is open.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut is_open: watch::Receiver<bool>,
) {
    let mut bytes = [0; 8 * 1024];
    loop {
        // Either end may go whenever it likes.
        let count = from.read(&mut bytes).await.unwrap_or(0);
        let is_over = is_open.wait_for(|is_open| *is_open).await.is_err();
        if count == 0 || is_over || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
