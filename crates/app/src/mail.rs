//! Mail by SMTP. The texts are written by the callers; here they are only bounded, addressed and handed over.

use std::time::Duration;

use evenhand_domain::error::{Error, Result};
use evenhand_domain::messages::SUBJECT_CHARS_MAX;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use uuid::Uuid;

/// Longest text, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Longest wait for one answer of the mail server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a whole delivery, so that a dripping server holds no worker.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Hands messages to the mail server of the installation.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The transport knows the password of the mail server.
        f.debug_struct("Mailer").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Mailer {
    /// A mailer for `smtps://user:password@host`, `smtp://user:password@host:587?tls=required` or, without
    /// encryption, `smtp://host`; `from` is an address, with or without a name. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::Internal`] with the reason when the URL or the address is wrong.
    pub fn new(smtp_url: &str, from: &str) -> Result<Self> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(smtp_url)
            .map_err(|error| Error::Internal(format!("mail.smtp_url is wrong: {error}")))?
            .timeout(Some(ANSWER_TIMEOUT))
            .build();
        let from =
            from.parse().map_err(|error| Error::Internal(format!("mail.from is not an address: {error}")))?;
        Ok(Self { transport, from })
    }

    /// Sends one plain text to one address. Returns once the mail server has taken it. A message that is sent again
    /// has the same `id`, by which its reader knows it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when a later attempt can succeed, [`Error::Internal`] when none can.
    pub async fn send(&self, id: Uuid, to: &str, subject: &str, text: &str) -> Result<()> {
        let message = self.message(id, to, subject, text)?;
        let sending = tokio::time::timeout(DELIVERY_TIMEOUT, self.transport.send(message));
        match sending.await {
            Ok(Ok(_)) => Ok(()),
            // A refusal and a fault of the client's own repeat themselves; all else is the network's.
            Ok(Err(error)) if error.is_permanent() || error.is_client() => {
                Err(Error::Internal(format!("mail refused: {error}")))
            }
            Ok(Err(error)) => Err(Error::Unavailable(format!("mail server: {error}"))),
            Err(_) => Err(Error::Unavailable("mail server: too slow".into())),
        }
    }

    fn message(&self, id: Uuid, to: &str, subject: &str, text: &str) -> Result<Message> {
        // Typed headers already fold and encode; a line break in a subject is a bug or an attack all the same.
        if subject.chars().nth(SUBJECT_CHARS_MAX).is_some() || subject.chars().any(char::is_control) {
            return Err(Error::Internal("mail subject is too long or holds control characters".into()));
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(Error::Internal(format!("mail text is longer than {TEXT_BYTES_MAX} bytes")));
        }
        let to: Address =
            to.parse().map_err(|error| Error::Internal(format!("mail address of the recipient: {error}")))?;
        Message::builder()
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text.to_owned())
            .map_err(|error| Error::Internal(format!("mail: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    /// Takes one delivery, answers `reply` to each RCPT, and returns all that the client said.
    async fn sink(reply: &'static str) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("smtp://{}", listener.local_addr().expect("an address"));
        let task = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let (reader, mut writer) = stream.into_split();
            let mut lines = BufReader::new(reader).lines();
            let (mut heard, mut in_data) = (String::new(), false);
            writer.write_all(b"220 sink\r\n").await.expect("greeted");
            while let Ok(Some(line)) = lines.next_line().await {
                heard.push_str(&line);
                heard.push('\n');
                let answer = match line.split(' ').next().unwrap_or_default() {
                    "." => {
                        in_data = false;
                        "250 taken"
                    }
                    _ if in_data => continue,
                    "DATA" => {
                        in_data = true;
                        "354 go on"
                    }
                    "RCPT" => reply,
                    "QUIT" => "221 bye",
                    _ => "250 fine",
                };
                if writer.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                    break;
                }
            }
            heard
        });
        (url, task)
    }

    const ID: Uuid = Uuid::from_u128(7);
    const FROM: &str = "Evenhand <no-reply@example.com>";

    #[tokio::test]
    async fn a_message_arrives_whole_with_its_headers_encoded() {
        let (url, task) = sink("250 fine").await;
        let mailer = Mailer::new(&url, FROM).expect("a mailer");
        mailer.send(ID, "ada@example.org", "Einladung für Zoë", "Hello\n.\nBye").await.expect("sent");
        drop(mailer);
        let heard = task.await.expect("heard");
        for expected in [
            "MAIL FROM:<no-reply@example.com>",
            "RCPT TO:<ada@example.org>",
            "From: Evenhand <no-reply@example.com>",
            "To: ada@example.org",
            "Subject: Einladung =?utf-8?b?ZsO8ciBab8Or?=",
            "Message-ID: <00000000-0000-0000-0000-000000000007@example.com>",
            "Date: ",
            "Hello\n..\nBye",
        ] {
            assert!(heard.contains(expected), "{expected} is missing in:\n{heard}");
        }
    }

    #[tokio::test]
    async fn refusals_are_told_apart_from_passing_trouble() {
        let attempt = async |reply| {
            let (url, _task) = sink(reply).await;
            Mailer::new(&url, FROM).expect("a mailer").send(ID, "ada@example.org", "Hello", "Hello").await
        };
        assert!(matches!(attempt("451 try later").await, Err(Error::Unavailable(_))));
        assert!(matches!(attempt("550 no such person").await, Err(Error::Internal(_))));

        let closed = TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr());
        let url = format!("smtp://{}", closed.expect("a port that nobody listens on"));
        let mailer = Mailer::new(&url, FROM).expect("a mailer");
        assert!(matches!(mailer.send(ID, "ada@example.org", "Hi", "Hi").await, Err(Error::Unavailable(_))));
    }

    #[test]
    fn injected_headers_and_wrong_settings_are_refused() {
        let mailer = Mailer::new("smtp://127.0.0.1:1", FROM).expect("a mailer");
        for (to, subject) in [
            ("ada@example.org", "Hi\r\nBcc: eve@example.org"),
            ("ada@example.org\r\nBcc: eve@example.org", "Hi"),
            ("ada@example.org, eve@example.org", "Hi"),
            ("ada@example.org", &*"x".repeat(SUBJECT_CHARS_MAX + 1)),
        ] {
            assert!(
                matches!(mailer.message(ID, to, subject, "Hi"), Err(Error::Internal(_))),
                "{to} {subject}"
            );
        }
        assert!(Mailer::new("http://127.0.0.1", FROM).is_err());
        assert!(Mailer::new("smtp://127.0.0.1", "nobody").is_err());
        assert!(!format!("{:?}", Mailer::new("smtp://ada:hidden@127.0.0.1", FROM)).contains("hidden"));
    }
}
