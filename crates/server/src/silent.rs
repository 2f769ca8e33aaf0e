//! Connections on which nothing comes. Before the first bytes it is not known which HTTP a client speaks, and nothing else looks
//! at the time: a thousand clients that say nothing would hold a thousand connections for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use mainstay_domain::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How HTTP/2 begins: until it is there, or something else is, the version is not known.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that has to say within some time which HTTP it speaks.
pub(crate) struct Impatient<S> {
    stream: S,
    /// Until it has.
    waits: Option<Waiting>,
}

struct Waiting {
    until: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Bytes of the preface that have come.
    said: usize,
}

impl<S> Impatient<S> {
    /// A connection that was just opened.
    pub(crate) fn new(stream: S, patience: Duration, clock: Clock) -> Self {
        let until = Box::pin(async move { clock.sleep(patience).await });
        Self { stream, waits: Some(Waiting { until, said: 0 }) }
    }
}

impl Waiting {
    /// Whether these bytes settle it.
    fn hear(&mut self, bytes: &[u8]) -> bool {
        let rest = &PREFACE[self.said..];
        let same = bytes.iter().zip(rest).take_while(|(byte, expected)| byte == expected).count();
        self.said += same;
        same < bytes.len() || self.said == PREFACE.len()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let Some(waiting) = &mut this.waits else { return read };
        if read.is_ready() {
            let said = &buffer.filled()[before..];
            if waiting.hear(said) {
                this.waits = None;
            }
            return read;
        }
        std::task::ready!(waiting.until.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing was said in time")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// What a server reads of a client that says this and then nothing more.
    async fn heard(said: &[u8]) -> io::Result<usize> {
        let clock = Clock::system();
        let (mut client, server) = duplex(1_024);
        let mut server = Impatient::new(server, PATIENCE, clock);
        client.write_all(said).await.unwrap();
        let mut read = 0;
        loop {
            match clock.timeout(2 * PATIENCE, server.read(&mut [0; 7])).await {
                Some(Ok(count)) => read += count,
                Some(Err(error)) => return Err(error),
                // It waits for what the protocol above it allows.
                None => return Ok(read),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_say_what_it_speaks_is_not_waited_for() {
        for unsaid in [&b""[..], b"PRI", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
            assert_eq!(heard(unsaid).await.unwrap_err().kind(), io::ErrorKind::TimedOut, "{unsaid:?}");
        }
        for said in [&b"G"[..], b"POST /", b"PRINT", PREFACE] {
            assert_eq!(heard(said).await.unwrap(), said.len(), "{said:?}");
        }
    }
}
