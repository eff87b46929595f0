//! How feeds are reached: headers, credentials, proxies, certificates.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use super::program::Demo;
use super::proxy::{Proxy, Tls, Users};
use super::server::{Answer, Server};
use super::world::{World, path};

const NEWS: &str = "Wang Yi meets Lavrov in Moscow";

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// A world whose server shows the feed `alpha`, which is to be asked for elsewhere.
async fn world_of_alpha(lines: &str) -> World {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    world.add_feed_elsewhere("alpha", lines);
    world
}

#[tokio::test]
async fn a_feed_is_asked_with_its_headers_and_its_token() {
    let mut world = World::new().await;
    let token = world.write("token", "s3cret\n");
    let more = world.write("headers", "# for the archive\nX-Archive: a1\nUser-Agent: curl/8\n");
    let lines = format!(
        "headers = {{ Accept = \"text/xml\", \"X-Desk\" = \"east\" }}\n\
         headers_from = \"{more}\"\ntoken_file = \"{token}\""
    );
    world.add_feed("alpha", &lines);
    world.tick().await;
    let request = &world.server.requests(&path("alpha"))[0];
    for (name, value) in [
        ("accept", "text/xml"),
        ("x-desk", "east"),
        ("x-archive", "a1"),
        ("user-agent", "curl/8"),
        ("authorization", "Bearer s3cret"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_password_is_read_anew_for_each_poll() {
    let mut world = World::new().await;
    let file = world.write("password", "one");
    world.add_feed("alpha", &format!("username = \"wire\"\npassword_file = \"{file}\""));
    world.tick().await;
    world.write("password", "two\n");
    world.tick().await;
    let requests = world.server.requests(&path("alpha"));
    assert_eq!(requests[0].header("authorization"), Some("Basic d2lyZTpvbmU="));
    assert_eq!(requests[1].header("authorization"), Some("Basic d2lyZTp0d28="));
}

#[tokio::test]
async fn headers_and_credentials_do_not_follow_a_redirect_to_another_origin() {
    let server = Server::start().await;
    let proxy = Proxy::http(server.address()).await;
    let mut world = world_of_alpha("").await;
    let token = world.write("token", "s3cret");
    let lines = format!(
        "url = \"http://news.example/first\"\nproxy = \"http://{}\"\n\
         headers = {{ \"X-Desk\" = \"east\" }}\ntoken_file = \"{token}\"",
        proxy.address()
    );
    world.add_feed_elsewhere("alpha", &lines);
    let to = |location: &str| Answer::status("302 Found", &format!("location: {location}\r\n"), "");
    server.set("/first", to("/second"));
    server.set("/second", to("http://other.example/third"));
    server.set("/third", Answer::Feed { document: world.document(&[NEWS]), version: 1 });
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
    let sent = |path: &str| {
        let request = &server.requests(path)[0];
        (request.header("authorization").is_some(), request.header("x-desk").is_some())
    };
    assert_eq!(sent("/first"), (true, true));
    assert_eq!(sent("/second"), (true, true));
    assert_eq!(sent("/third"), (false, false));
}

#[tokio::test]
async fn a_feed_whose_secret_is_missing_fails_alone_and_is_not_asked_without_it() {
    let mut world = World::new().await;
    let file = world.write("token", "");
    std::fs::remove_file(&file).unwrap();
    world.add_feed("alpha", &format!("token_file = \"{file}\""));
    world.publish("beta", NEWS);
    let summary = world.tick().await;
    assert_eq!((summary.polled, summary.failed), (1, 1));
    assert!(world.server.requests(&path("alpha")).is_empty());
    let why = world.feed("alpha").why.unwrap();
    assert_eq!(why, format!("reading {file} failed: No such file or directory (os error 2)"));
    world.write("token", "s3cret");
    world.tick().await;
    assert_eq!(world.feed("alpha").state, "active");
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_name_and_sees_the_feeds_own_request() {
    let world = world_of_alpha("").await;
    let proxy = Proxy::http(world.server.address()).await;
    let mut world = world;
    let secret = world.write("proxy", "pass");
    let lines = format!(
        "url = \"http://news.example/alpha.xml\"\nproxy = \"http://{}\"\n\
         proxy_username = \"user\"\nproxy_password_file = \"{secret}\"",
        proxy.address()
    );
    world.add_feed_elsewhere("alpha", &lines);
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
    let asked = proxy.asked();
    assert_eq!(asked[0].target, "news.example");
    assert_eq!(asked[0].user.as_deref(), Some("Basic dXNlcjpwYXNz"));
    let request = &world.server.requests(&path("alpha"))[0];
    assert_eq!(request.header("host"), Some("news.example"));
}

#[tokio::test]
async fn an_authority_of_ones_own_is_believed_only_where_it_is_named() {
    let mut world = world_of_alpha("").await;
    let tls = Tls::start("news.example", world.server.address()).await;
    let proxy = Proxy::http(tls.address).await;
    let ca = world.write("ca.pem", &tls.ca);
    let lines =
        format!("url = \"https://news.example/alpha.xml\"\nproxy = \"http://{}\"", proxy.address());
    world.add_feed_elsewhere("alpha", &lines);
    world.add_feed_elsewhere(
        "beta",
        &format!("{lines}\nca_file = \"{ca}\"").replace("alpha", "beta"),
    );
    world.show("beta", &[NEWS]);
    world.tick().await;
    let why = world.feed("alpha").why.unwrap();
    assert!(why.contains("certificate") && why.contains("UnknownIssuer"), "{why}");
    assert!(world.server.requests(&path("alpha")).is_empty());
    assert_eq!(world.feed("beta").why, None);
    assert_eq!(world.alerted(), [NEWS]);
    assert_eq!(proxy.asked()[0].target, "news.example:443");
}

#[tokio::test]
async fn a_proxy_that_is_down_fails_the_feed_and_never_leads_to_a_direct_request() {
    let mut world = World::new().await;
    for scheme in ["http", "https", "socks5", "socks5h"] {
        let proxy = format!("proxy = \"{scheme}://{}\"", nobody().await);
        world.add_feed(scheme, &proxy);
    }
    let summary = world.tick().await;
    assert_eq!(summary.failed, 4);
    for scheme in ["http", "https", "socks5", "socks5h"] {
        assert!(world.server.requests(&path(scheme)).is_empty(), "{scheme}");
        let why = world.feed(scheme).why.unwrap();
        assert!(why.contains(&format!("through proxy {scheme}://127.0.0.1:")), "{why}");
    }
}

#[tokio::test]
async fn a_socks_proxy_looks_names_up_itself_and_hears_each_feeds_name() {
    let mut world = world_of_alpha("").await;
    let proxy = Proxy::socks(world.server.address(), Users::Any).await;
    world.edit_main("[poll]\n", &format!("[poll]\nproxy = \"socks5h://{}\"\n", proxy.address()));
    world.add_feed_elsewhere("alpha", "url = \"http://newsexample.onion/alpha.xml\"");
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
    let asked = proxy.asked();
    assert_eq!(asked[0].target, "newsexample.onion:80");
    assert_eq!(asked[0].user.as_deref(), Some("alpha:alpha"));
}

#[tokio::test]
async fn a_socks_proxy_that_knows_no_users_is_asked_without_one() {
    let mut world = world_of_alpha("").await;
    let proxy = Proxy::socks(world.server.address(), Users::Refused).await;
    let lines = format!(
        "url = \"http://news.example/alpha.xml\"\nproxy = \"socks5h://{}\"",
        proxy.address()
    );
    world.add_feed_elsewhere("alpha", &lines);
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
    assert_eq!(proxy.asked()[0].user, None);
}

#[tokio::test]
async fn through_a_proxy_too_no_private_address_is_asked() {
    let mut world = World::new().await;
    let proxy = Proxy::socks(world.server.address(), Users::Any).await;
    for (name, scheme, host) in [
        ("number", "socks5h", "10.1.2.3"),
        ("home", "socks5h", "localhost"),
        // Looked up here, so that what the name leads to can be seen.
        ("name", "socks5", "localhost"),
    ] {
        let lines = format!(
            "url = \"http://{host}/alpha.xml\"\nproxy = \"{scheme}://{}\"",
            proxy.address()
        );
        world.add_feed_elsewhere(name, &lines);
    }
    let summary = world.tick().await;
    assert_eq!(summary.failed, 3);
    assert!(proxy.asked().is_empty());
    let why = world.feed("number").why.unwrap();
    assert_eq!(why, "10.1.2.3 is a private address; set allow_private = true if that is meant");
}

#[tokio::test]
async fn a_redirect_to_a_service_of_tors_is_not_looked_up() {
    let mut world = World::new().await;
    world.add_feed("alpha", "");
    let to = "location: http://newsexample.onion/\r\n";
    world.server.set(&path("alpha"), Answer::status("302 Found", to, ""));
    world.tick().await;
    let why = world.feed("alpha").why.unwrap();
    assert!(why.contains("newsexample.onion can be reached through Tor only"), "{why}");
}

#[test]
fn check_says_which_secret_is_missing_and_which_everybody_can_read() {
    let demo = Demo::new();
    let feeds = std::fs::read_dir(demo.path("feeds")).unwrap().next().unwrap().unwrap().path();
    let mut text = std::fs::read_to_string(&feeds).unwrap();
    text += "[[feed]]\nname = \"paid\"\nurl = \"https://news.example/\"\n\
             headers_from = \"missing\"\ntoken_file = \"open.secret\"\n\
             [[feed]]\nname = \"more\"\nurl = \"https://news.example/more\"\n\
             headers_from = \"broken\"\ntoken_credential = \"wire\"\nca_file = \"broken\"\n";
    std::fs::write(&feeds, text).unwrap();
    let beside = |name: &str| feeds.with_file_name(name);
    std::fs::write(beside("open.secret"), "s3cret").unwrap();
    let everybody = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(beside("open.secret"), everybody).unwrap();
    std::fs::write(beside("broken"), "X-Key: 1\ns3cret").unwrap();
    let out = demo.out(0, &["check"]);
    for expected in [
        format!("warning: reading {} failed: No such file", beside("missing").display()),
        format!("everybody on this machine can read {}", beside("open.secret").display()),
        format!("{}:2: a header is written as Name: value", beside("broken").display()),
        format!("{} holds no certificate: it must be PEM", beside("broken").display()),
        "reading credential wire failed: there are none: only a service".to_owned(),
    ] {
        assert!(out.contains(&expected), "no {expected:?} in {out}");
    }
    assert!(!out.contains("s3cret"), "{out}");
    let mut command = demo.command(&["check"]);
    let output = command.env("CREDENTIALS_DIRECTORY", feeds.parent().unwrap()).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("reading credential wire failed: No such file"), "{out}");
}

#[test]
fn config_show_names_where_secrets_are_and_hides_what_may_be_one() {
    let demo = Demo::new();
    let feeds = std::fs::read_dir(demo.path("feeds")).unwrap().next().unwrap().unwrap().path();
    let mut text = std::fs::read_to_string(&feeds).unwrap();
    text += "[[feed]]\nname = \"paid\"\nurl = \"https://news.example/\"\n\
             headers = { \"X-Api-Key\" = \"s3cret\", \"X-Desk\" = \"east\" }\n\
             username = \"wire\"\npassword_credential = \"wire\"\n\
             proxy = \"socks5://proxy.example:1080\"\nexpected_every = \"2d\"\n";
    std::fs::write(&feeds, text).unwrap();
    let main = demo.path("newswatch.toml");
    let mut text = std::fs::read_to_string(&main).unwrap();
    text += "[[receiver]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"https://hook.example/\"\n\
             headers = { Cookie = \"s3cret\" }\n";
    std::fs::write(&main, text).unwrap();
    let out = demo.out(0, &["config", "show"]);
    for expected in [
        "cookie = \"***\"",
        "x-api-key = \"***\"",
        "x-desk = \"east\"",
        "password_credential = \"wire\"",
        "proxy = \"socks5://proxy.example:1080\"",
        "expected_every = \"2d\"",
    ] {
        assert!(out.contains(expected), "no {expected:?} in {out}");
    }
    assert!(!out.contains("s3cret"), "{out}");
}
