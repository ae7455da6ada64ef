//! A mail server that keeps what it hears.

use evenhand_app::mail::Mailer;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A mail server; dropped with its runtime.
pub(crate) struct MailServer {
    url: String,
    hear: UnboundedReceiver<String>,
}

impl MailServer {
    /// Answers these greetings to its first clients, and takes the mail of all later ones.
    pub(crate) async fn start(greetings: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("smtp://{}", listener.local_addr().expect("an address"));
        let (heard, hear) = unbounded_channel();
        tokio::spawn(async move {
            let mut greetings = greetings.iter();
            while let Ok((stream, _)) = listener.accept().await {
                let greeting = greetings.next().copied().unwrap_or("220 ready");
                tokio::spawn(listen(stream, greeting, heard.clone()));
            }
        });
        Self { url, hear }
    }

    /// Somebody who sends by this server.
    pub(crate) fn mailer(&self) -> Mailer {
        Mailer::new(&self.url, "Evenhand <no-reply@sales.example>").expect("a mailer")
    }

    /// The next mail that was taken, with long lines unfolded.
    pub(crate) async fn mail(&mut self) -> String {
        let mail = self.hear.recv().await.expect("a mail");
        mail.replace("=\n", "").replace("=3D", "=")
    }

    /// All mail that was taken and not yet looked at.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.hear.try_recv().ok()).collect()
    }
}

async fn listen(stream: TcpStream, greeting: &str, heard: UnboundedSender<String>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let (mut text, mut in_data) = (String::new(), false);
    if writer.write_all(format!("{greeting}\r\n").as_bytes()).await.is_err() {
        return;
    }
    while let Ok(Some(line)) = lines.next_line().await {
        text += &format!("{line}\n");
        let answer = match line.split(' ').next().unwrap_or_default() {
            "." => {
                in_data = false;
                // Told at once: the client may keep the connection for the next mail. Nobody may listen any more.
                let _ = heard.send(std::mem::take(&mut text));
                "250 taken"
            }
            _ if in_data => continue,
            "DATA" => {
                in_data = true;
                "354 go on"
            }
            _ => "250 fine",
        };
        if writer.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}
