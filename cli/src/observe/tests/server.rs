//! The server, by real connections. The time is tokio's: it goes on where everything waits.

use core::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::{listen, serve};
use super::*;
use crate::output::Exit;

const ANY: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 0);

async fn start(is_ready: Arc<AtomicBool>) -> SocketAddr {
    let observer = Arc::new(leader(Limits::default()));
    saw(&observer, &finished("u", &documented()[1]));
    let listener = listen(ANY).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, observer, move || is_ready.load(Ordering::Relaxed), || time(NOW)));
    address
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A server that closes in the middle of a request resets the connection.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn get(address: SocketAddr, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
}

fn code(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("no answer")
}

#[tokio::test(start_paused = true)]
async fn it_gives_the_metrics_and_says_whether_it_is_ready() {
    let is_ready = Arc::new(AtomicBool::new(false));
    let address = start(is_ready.clone()).await;
    let metrics = get(address, "/metrics").await;
    assert_eq!(code(&metrics), "200");
    assert!(metrics.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"), "{metrics}");
    assert!(metrics.contains("\nexeunt_pods_total{") && metrics.ends_with("\n# EOF\n"), "{metrics}");
    assert_eq!(code(&get(address, "/healthz").await), "200");
    assert_eq!(code(&get(address, "/readyz").await), "503");
    is_ready.store(true, Ordering::Relaxed);
    assert_eq!(code(&get(address, "/readyz").await), "200");
    assert_eq!(code(&get(address, "/").await), "404");
    assert_eq!(
        code(&ask(address, "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await),
        "405"
    );
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_taken_is_one_line() {
    let taken = listen(ANY).await.unwrap().local_addr().unwrap();
    let _held = listen(taken).await.unwrap();
    let failure = listen(taken).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.line.starts_with(&format!("--metrics-address {taken} cannot be used: ")), "{}", failure.line);
    assert!(!failure.line.contains('\n'));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_finish_its_header_is_left() {
    let address = start(Arc::default()).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    let answer = rest(&mut slow).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    let mut idle = TcpStream::connect(address).await.unwrap();
    assert_eq!(rest(&mut idle).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_long_header_and_what_is_no_http_are_refused() {
    let address = start(Arc::default()).await;
    let long = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(64 * 1024));
    assert!(!ask(address, &long).await.contains("200 OK"));
    assert!(!ask(address, "\u{1}\u{2}\r\n\r\n").await.contains("200 OK"));
    assert_eq!(code(&get(address, "/healthz").await), "200");
}

#[tokio::test(start_paused = true)]
async fn clients_that_only_connect_do_not_keep_others_out_for_good() {
    let address = start(Arc::default()).await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    assert_eq!(code(&get(address, "/healthz").await), "200");
}
