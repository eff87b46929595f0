//! Mail, over a real conversation with a small server on loopback.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::world::World;

const NEWS: &str = "Wang Yi meets Lavrov in Moscow";

/// A mail that the server has taken.
#[derive(Debug, Clone)]
struct Mail {
    from: String,
    to: Vec<String>,
    data: String,
}

/// A mail server (RFC 5321). It ends with the test's runtime.
#[derive(Debug, Clone)]
struct MailServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    mails: Mutex<Vec<Mail>>,
    /// Answers to the next commands that start with a word, in place of the usual ones.
    answers: Mutex<VecDeque<(&'static str, &'static str)>>,
    commands: Mutex<Vec<String>>,
}

impl MailServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self { address, shared: Arc::default() };
        let shared = server.shared.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let shared = shared.clone();
                tokio::spawn(async move { serve(connection, &shared).await.ok() });
            }
        });
        server
    }

    /// What the next command that starts with `word` gets.
    fn answer_once(&self, word: &'static str, answer: &'static str) {
        self.shared.answers.lock().unwrap().push_back((word, answer));
    }

    fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().unwrap().clone()
    }

    fn commands(&self) -> Vec<String> {
        self.shared.commands.lock().unwrap().clone()
    }
}

impl Shared {
    fn answer(&self, command: &str, usual: &'static str) -> &'static str {
        let mut answers = self.answers.lock().unwrap();
        match answers.front() {
            Some((word, _)) if command.starts_with(word) => answers.pop_front().unwrap().1,
            _ => usual,
        }
    }
}

async fn serve(connection: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut connection = BufReader::new(connection);
    connection.write_all(b"220 mail.example ESMTP\r\n").await?;
    let (mut from, mut to) = (String::new(), Vec::new());
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let command = line.trim_end().to_owned();
        shared.commands.lock().unwrap().push(command.clone());
        let answer = match command.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => shared.answer(&command, "250-mail.example\r\n250 8BITMIME"),
            "MAIL" => shared.answer(&command, "250 OK"),
            "RCPT" => shared.answer(&command, "250 OK"),
            "DATA" => shared.answer(&command, "354 go on"),
            "QUIT" => "221 bye",
            _ => "502 what?",
        };
        connection.write_all(format!("{answer}\r\n").as_bytes()).await?;
        let address = || command.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        if command.starts_with("MAIL") {
            from = address();
        } else if command.starts_with("RCPT") && answer.starts_with("250") {
            to.push(address());
        } else if answer.starts_with("354") {
            let data = read_data(&mut connection).await?;
            let answer = shared.answer(".", "250 taken");
            if answer.starts_with("250") {
                shared.mails.lock().unwrap().push(Mail { from: from.clone(), to, data });
            }
            to = Vec::new();
            connection.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
    }
}

/// Lines up to a single dot, doubled dots undone.
async fn read_data(connection: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await? == 0 || line == ".\r\n" {
            return Ok(data);
        }
        data += line.strip_prefix('.').unwrap_or(&line);
    }
}

/// A world that tells by mail alone.
async fn world(server: &MailServer, encryption: &str) -> World {
    let world = World::new().await;
    let hook = world.server.url(super::world::HOOK);
    world.edit_main(
        &format!("type = \"webhook\"\nurl = \"{hook}\"\nallow_private = true\n"),
        &format!(
            "type = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\nencryption = \"{encryption}\"\n\
             from = \"Newswatch <newswatch@example.org>\"\n\
             to = [\"desk@example.org\", \"Night Desk <night@example.org>\"]\n",
            server.address.port()
        ),
    );
    world
}

fn header<'a>(mail: &'a Mail, name: &str) -> &'a str {
    let head = mail.data.split("\r\n\r\n").next().unwrap();
    let mut lines = head.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap()
}

#[tokio::test]
async fn an_alert_is_one_mail_to_everybody() {
    let server = MailServer::start().await;
    let mut world = world(&server, "none").await;
    world.publish("alpha", NEWS);
    world.tick().await;
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].from, "newswatch@example.org");
    assert_eq!(mails[0].to, ["desk@example.org", "night@example.org"]);
    assert_eq!(header(&mails[0], "Subject"), format!("[high] Talks: {NEWS}"));
    assert_eq!(world.deliveries()[0].state, "sent");
}

#[tokio::test]
async fn a_mail_that_was_refused_for_now_comes_again_under_the_same_id() {
    let server = MailServer::start().await;
    let mut world = world(&server, "none").await;
    world.publish("alpha", NEWS);
    server.answer_once(".", "451 try later");
    world.tick().await;
    assert_eq!(server.mails().len(), 0);
    let first = world.deliveries()[0].clone();
    assert_eq!((first.state.as_str(), first.attempts), ("due", 1));
    assert!(first.last_error.unwrap().contains("try later"));
    world.advance(SignedDuration::from_mins(1));
    world.tick().await;
    let id = format!("<{}@example.org>", first.alert);
    assert_eq!(header(&server.mails()[0], "Message-ID"), id);
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_given_up() {
    let server = MailServer::start().await;
    let mut world = world(&server, "none").await;
    world.publish("alpha", NEWS);
    server.answer_once("RCPT", "550 no such user");
    world.tick().await;
    let delivery = &world.deliveries()[0];
    assert_eq!(delivery.state, "dead");
    assert!(delivery.last_error.as_deref().unwrap().contains("no such user"), "{delivery:?}");
}

#[tokio::test]
async fn a_server_without_starttls_gets_no_mail_in_the_clear() {
    let server = MailServer::start().await;
    let mut world = world(&server, "starttls").await;
    world.publish("alpha", NEWS);
    world.tick().await;
    assert_eq!(world.deliveries()[0].state, "due");
    assert!(!server.commands().iter().any(|command| command.starts_with("MAIL")));
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle_delays_no_other_receiver() {
    let server = MailServer::start().await;
    let mut world = world(&server, "none").await;
    world.edit_main("timeout = \"5s\"", "timeout = \"200ms\"");
    world.edit_main(
        "[[receiver]]\n",
        "[[receiver]]\nname = \"log\"\ntype = \"jsonl\"\npath = \"a.jsonl\"\n[[receiver]]\n",
    );
    // An answer that is not finished.
    server.answer_once("DATA", "354-wait");
    world.publish("alpha", NEWS);
    world.tick().await;
    let states: Vec<_> = world.deliveries().into_iter().map(|it| (it.receiver, it.state)).collect();
    assert!(states.contains(&("log".to_owned(), "sent".to_owned())), "{states:?}");
    assert!(states.contains(&("hook".to_owned(), "due".to_owned())), "{states:?}");
}

#[tokio::test]
async fn a_mail_receiver_that_is_not_complete_is_refused() {
    let server = MailServer::start().await;
    let world = world(&server, "none").await;
    world.edit_main("to = [\"desk@example.org\", ", "username = \"desk\"\nto = [\"desk\", ");
    let problems = world.problems();
    for part in [
        "\"desk\" is no address of mail",
        "a password would be sent in the clear",
        "there is no password",
    ] {
        assert!(problems.contains(part), "no {part:?} in {problems}");
    }
    world.edit_main("encryption = \"none\"", "encryption = \"ssl\"");
    assert!(world.problems().contains("there is no encryption \"ssl\""), "{}", world.problems());
}
