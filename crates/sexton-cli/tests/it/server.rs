//! A small HTTP server, so that requests are tested over real sockets. It answers one request a
//! connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::program::LIMIT;

/// What a client is connected by: TCP, or TLS on it.
pub(crate) trait Connection: Read + Write {}

impl<C: Read + Write> Connection for C {}

/// What the server was asked.
#[derive(Debug)]
pub(crate) struct Request {
    /// Method, path and protocol.
    pub(crate) line: String,
    /// Names in small letters, in the order of the request.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A server on a port of its own, for as long as the test runs.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Receiver<Request>,
}

impl Server {
    /// Answers each request with what `answer` writes.
    pub(crate) fn start(answer: impl Fn(&Request, &mut dyn Connection) + Send + 'static) -> Server {
        Server::listen("http", None, answer)
    }

    /// The same through TLS. A client whose handshake fails has asked nothing.
    pub(crate) fn start_tls(
        config: Arc<ServerConfig>,
        answer: impl Fn(&Request, &mut dyn Connection) + Send + 'static,
    ) -> Server {
        Server::listen("https", Some(config), answer)
    }

    fn listen(
        scheme: &str,
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Request, &mut dyn Connection) + Send + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                match &tls {
                    None => serve(&mut connection, &answer, &sender),
                    Some(config) => {
                        let tls = ServerConnection::new(Arc::clone(config)).unwrap();
                        let mut stream = StreamOwned::new(tls, connection);
                        serve(&mut stream, &answer, &sender);
                        stream.conn.send_close_notify();
                        let _ = stream.flush();
                    }
                }
            }
        });
        Server { url, requests }
    }

    pub(crate) fn request(&self) -> Request {
        self.requests.recv_timeout(LIMIT).unwrap()
    }

    /// A request that has come already.
    pub(crate) fn request_so_far(&self) -> Option<Request> {
        self.requests.try_recv().ok()
    }
}

fn serve(
    connection: &mut dyn Connection,
    answer: &impl Fn(&Request, &mut dyn Connection),
    seen: &Sender<Request>,
) {
    // Whoever hung up before asking anything has not asked.
    let Some(request) = read(connection) else {
        return;
    };
    answer(&request, connection);
    // The test may have seen enough.
    let _ = seen.send(request);
}

fn read(connection: &mut dyn Connection) -> Option<Request> {
    let mut reader = BufReader::new(connection);
    let mut line = || {
        let mut line = String::new();
        let count = reader.read_line(&mut line).ok()?;
        (count > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request {
        line: first,
        headers,
        body: String::new(),
    };
    let length = request
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).unwrap();
    Some(request)
}

/// Writes a whole answer. A client that has hung up has seen enough.
pub(crate) fn reply(connection: &mut dyn Connection, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let _ = write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    );
}
