//! Delivery under trouble. First the daemon is killed at random moments while a webhook answers 200,
//! 500 and 429, hangs, and drops connections. Then one receiver hangs for a day of a manual clock,
//! with an alert a minute: how late the other one is told, how much memory that takes, and how fast
//! the first one is told afterwards.
//!
//! ```text
//! cargo bench --bench delivery -- [KILLS (200)] [HOURS (24)]
//! ```

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on panics")]
#![expect(dead_code, reason = "the harness of the tests has more than is needed here")]

#[path = "../tests/it/kills.rs"]
mod kills;
#[path = "../tests/it/server.rs"]
mod server;
#[path = "../tests/it/world.rs"]
mod world;

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use server::Answer;
use world::{HOOK, World};

const DEAD: &str = "/dead";
/// An interval of a minute is up to a tenth longer.
const STEP: SignedDuration = SignedDuration::from_secs(66);
/// Steps of about an hour.
const A_HOUR: u32 = 55;

#[tokio::main]
async fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let kills = numbers.first().copied().unwrap_or(200);
    let hours = numbers.get(1).copied().unwrap_or(24);
    let moment = |numbers: &mut kills::Numbers| Some(Duration::from_millis(numbers.below(400)));
    let shown = kills::trial(kills, 2023, moment).await;
    println!("{kills} kills");
    println!("  alerts stored             {}", shown.stored.len());
    println!("  of them taken             {}", shown.taken.intersection(&shown.stored).count());
    println!("  requests                  {}", shown.requests);
    println!("  taken again               {}", shown.again);
    println!("  in other words            {}", shown.changed);
    println!("  before an earlier one     {}", shown.overtook);
    println!("  dead, with a reason       {:?}", shown.dead);
    day(hours).await;
}

async fn day(hours: usize) {
    let mut world = World::new().await;
    let dead = world.server.url(DEAD);
    world.edit_main("interval = \"10m\"", "interval = \"1m\"");
    world.edit_main(
        "[[receiver]]\n",
        &format!(
            "[[receiver]]\nname = \"dead\"\ntype = \"webhook\"\nurl = \"{dead}\"\n\
             allow_private = true\ntimeout = \"100ms\"\n[[receiver]]\n"
        ),
    );
    world.server.set(DEAD, Answer::Silence);
    world.add_feed("alpha", "");
    let daemon = world.start();
    println!("a receiver that hangs for {hours} h, an alert a minute");
    println!("  {:>5} {:>12} {:>12} {:>10}", "hour", "slowest ms", "mean ms", "RSS MiB");
    let (mut told, mut shown) = (0, Vec::new());
    for hour in 1..=hours {
        let (mut slowest, mut sum) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..A_HOUR {
            told += 1;
            // The harness links by the length of the id, and an item that has the link of one which is
            // there no more is known again as that one.
            shown.insert(0, format!("{}|Wang Yi rings Lavrov, call {told}", "i".repeat(told)));
            shown.truncate(20);
            world.show("alpha", &shown.iter().map(String::as_str).collect::<Vec<_>>());
            let started = Instant::now();
            world.advance(STEP);
            world.server.asked(HOOK, told).await;
            let took = started.elapsed();
            (slowest, sum) = (slowest.max(took), sum + took);
            // The manual clock stands still while real sockets work.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if hour == 1 || hour % 6 == 0 {
            println!(
                "  {hour:>5} {:>12.1} {:>12.1} {:>10.1}",
                slowest.as_secs_f64() * 1e3,
                sum.as_secs_f64() * 1e3 / f64::from(A_HOUR),
                resident()
            );
        }
    }
    let tried = world.server.requests(DEAD).len();
    println!("  attempts meanwhile        {tried}");
    world.server.set(DEAD, Answer::status("200 OK", "", ""));
    let mut seconds = 0;
    let left = || world.deliveries().iter().filter(|row| row.state == "due").count();
    while left() > 0 && seconds < 100_000 {
        for _ in 0..30 {
            world.advance(SignedDuration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        seconds += 30;
    }
    daemon.stop().await;
    let times: Vec<i64> = world.server.requests(DEAD)[tried..]
        .iter()
        .map(|request| request.header("webhook-timestamp").unwrap().parse().unwrap())
        .collect();
    let most = |window: i64| {
        let within =
            |start: i64| times.iter().filter(|at| (start..start + window).contains(*at)).count();
        times.iter().map(|start| within(*start)).max().unwrap_or(0)
    };
    println!("  drained within            {} min", seconds / 60);
    println!("  messages then             {}", times.len());
    println!("  most in a minute, in 5 s  {}, {}", most(60), most(5));
    let dead = world.deliveries().iter().filter(|row| row.state == "dead").count();
    println!("  dead                      {dead}");
}

/// The memory that the process occupies, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
