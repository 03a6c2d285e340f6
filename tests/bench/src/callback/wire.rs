//! Minimal HTTP client on one kept-alive connection, for load generators.

use anyhow::{Context, bail, ensure};
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Connection to a server on this machine.
pub struct HttpConnection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Answer of a server.
pub struct HttpReply<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

/// Lengths of head and body in bytes, known once the head is complete.
struct ReplyExtent {
    status: u16,
    headers: usize,
    body: usize,
}

impl HttpConnection {
    pub async fn connect(port: u16) -> anyhow::Result<HttpConnection> {
        let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
        let stream = connected.with_context(|| format!("nothing listens on port {port}"))?;
        stream.set_nodelay(true)?;
        Ok(HttpConnection { stream, buffer: vec![0; 64 << 10] })
    }

    /// Sends a whole request and reads the whole answer.
    pub async fn request(&mut self, request: &[u8]) -> anyhow::Result<HttpReply<'_>> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            ensure!(read > 0, "the server closed the connection");
            filled += read;
            let Some(ReplyExtent { status, headers, body }) = reply_extent(&self.buffer[..filled])?
            else {
                ensure!(filled < self.buffer.len(), "a longer head than was expected");
                continue;
            };
            ensure!(headers + body <= self.buffer.len(), "a longer answer than was expected");
            if filled == headers + body {
                return Ok(HttpReply { status, body: &self.buffer[headers..headers + body] });
            }
            ensure!(filled < headers + body, "more than one answer to one request");
        }
    }
}

fn reply_extent(answer: &[u8]) -> anyhow::Result<Option<ReplyExtent>> {
    let Some(end) = find(answer, b"\r\n\r\n") else { return Ok(None) };
    let headers = std::str::from_utf8(&answer[..end])?;
    let mut lines = headers.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|line| line.get(..3)).context("not an HTTP answer")?.parse()?;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { bail!("not a header") };
        if name.eq_ignore_ascii_case("content-length") {
            return Ok(Some(ReplyExtent { status, headers: end + 4, body: value.trim().parse()? }));
        }
    }
    bail!("an answer without Content-Length");
}

impl HttpReply<'_> {
    /// Serial of the number in a reply to a scan, such as 7 of `A007`.
    pub fn ticket_serial(&self) -> Option<u32> {
        let content = &self.body[find(self.body, b"<Content>")?..];
        let content = &content[find(content, " A".as_bytes())? + 2..];
        let digits = content.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let serial = std::str::from_utf8(&content[..digits]).ok()?;
        (digits >= 3).then(|| serial.parse().ok()).flatten()
    }
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).position(|window| window == pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_an_extent_once_its_head_is_whole() {
        let response =
            b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nContent-Length: 5\r\n\r\nhello";
        for cut in 0..response.len() - 5 {
            assert!(reply_extent(&response[..cut]).unwrap().is_none());
        }
        let ReplyExtent { status, headers, body } = reply_extent(response).unwrap().unwrap();
        assert_eq!((status, headers, body), (200, response.len() - 5, 5));
        assert!(reply_extent(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(reply_extent(b"SSH-2.0\r\n\r\n").is_err());
    }

    #[test]
    fn a_number_is_found_where_a_person_reads_it() {
        let number = |text: &str| HttpReply { status: 200, body: text.as_bytes() }.ticket_serial();
        assert_eq!(number("<Content><![CDATA[取号成功 A007\n综合]]></Content>"), Some(7));
        assert_eq!(number("<Content><![CDATA[取号成功 A1234\n综合]]></Content>"), Some(1234));
        assert_eq!(number("<Content><![CDATA[系统繁忙，没有取到号]]></Content>"), None);
        assert_eq!(number("<X> A007</X><Content></Content>"), None);
        assert_eq!(number("success"), None);
    }
}
