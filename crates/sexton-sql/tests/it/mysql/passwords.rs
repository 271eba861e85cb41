//! A server of MySQL's that checks passwords by `caching_sha2_password` and offers no TLS.

use sexton_sql::mysql::MySqlOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn send(stream: &mut TcpStream, number: u8, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    let head = [length[0], length[1], length[2], number];
    stream.write_all(&[&head, payload].concat()).await.unwrap();
}

async fn receive(stream: &mut TcpStream) {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.unwrap();
    let length = u32::from_le_bytes([head[0], head[1], head[2], 0]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut payload).await.unwrap();
}

/// What MySQL 8 says to a client whose password it does not remember, which is all whom it knows
/// after a restart.
async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut greeting = b"\x0a8.0.36\0\x01\0\0\0aaaaaaaa\0".to_vec();
        // Everything but TLS; utf8mb4; autocommit.
        greeting.extend(0xf7ff_u16.to_le_bytes());
        greeting.push(255);
        greeting.extend(2_u16.to_le_bytes());
        greeting.extend(0x00ff_u16.to_le_bytes());
        greeting.push(21);
        greeting.extend([0; 10]);
        greeting.extend(b"bbbbbbbbbbbb\0caching_sha2_password\0");
        send(&mut stream, 0, &greeting).await;
        receive(&mut stream).await;
        // It wants the password itself; the client asks for a key to encrypt it by.
        send(&mut stream, 2, &[1, 4]).await;
        receive(&mut stream).await;
        send(&mut stream, 4, b"\x01-----BEGIN PUBLIC KEY-----\n").await;
        let _ = stream.read_u8().await;
    }
}

#[tokio::test]
async fn a_password_that_needs_tls_is_told_as_that() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(serve(listener));
    let url = format!("mysql://sexton:secret@127.0.0.1:{port}/app");
    let error = MySqlOptions::new().connect(&url).await.unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("TLS") && said.contains("ssl-mode=REQUIRED"),
        "{said}"
    );
    assert!(!said.contains("feature") && !error.is_transient(), "{said}");
    server.abort();
}
