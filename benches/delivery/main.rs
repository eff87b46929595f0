//! Delivery under trouble. First the daemon is killed at random moments while a webhook answers 200,
//! 500 and 429, hangs, and drops connections. Then days of a manual clock, with an alert a minute for
//! two receivers, each day in a process of its own: one of them takes everything, answers slowly, or
//! takes nothing at all until the day is over. How late the other one is told, how much memory that
//! takes, and how fast the first one is told afterwards.
//!
//! ```text
//! cargo bench --bench delivery -- [KILLS (200)] [HOURS (24)]
//! MALLOC_MMAP_THRESHOLD_=131072 MALLOC_ARENA_MAX=2 cargo bench --bench delivery -- day well|slow|dead HOURS
//! ```
//!
//! The days run with the environment of the systemd unit, as far as it concerns memory.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on panics")]
#![expect(dead_code, reason = "what is shared has more than is needed here")]

mod day;
#[path = "../../tests/it/kills.rs"]
mod kills;
#[path = "../loopback/mod.rs"]
mod loopback;
#[path = "../../tests/it/retold.rs"]
mod retold;
#[path = "../../tests/it/server.rs"]
mod server;

use std::process::Command;
use std::time::Duration;

use self::day::Receiver;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments.iter().filter_map(|word| word.parse().ok()).collect();
    if arguments.iter().any(|word| word == "day") {
        let named = |receiver: &Receiver| arguments.iter().any(|word| word == receiver.as_str());
        let receiver = Receiver::ALL.into_iter().find(named).unwrap_or(Receiver::Well);
        return day::run(receiver, numbers.first().copied().unwrap_or(24)).await;
    }
    kill(numbers.first().copied().unwrap_or(200)).await;
    let hours = numbers.get(1).copied().unwrap_or(24).to_string();
    for receiver in Receiver::ALL {
        let arguments = ["day", receiver.as_str(), &hours];
        let mut day = Command::new(std::env::current_exe().unwrap());
        day.envs([("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_ARENA_MAX", "2")]);
        let ended = day.args(arguments).status();
        assert!(ended.unwrap().success(), "the day failed");
    }
}

async fn kill(kills: usize) {
    let moment = |numbers: &mut kills::Numbers| Some(Duration::from_millis(numbers.below(400)));
    let shown = kills::trial(kills, 2023, moment).await;
    let received = &shown.received;
    println!("{kills} kills");
    println!("  alerts of single hits     {}", shown.hits);
    println!("  taken, with the stories'  {}", received.taken.len());
    println!("  requests                  {}", shown.requests);
    println!("  of several alerts         {}", received.together);
    println!("  taken again               {}", received.again);
    println!("  in words not stored       {}", received.changed);
    println!("  before an earlier one     {}", received.overtook);
    println!("  neither taken nor dead    {}", received.missing);
    println!("  dead, with a reason       {:?}", received.dead);
    println!("  alerts of that            {}", received.dead_told);
    println!("  stories                   {:?}", shown.stories);
    assert_eq!((received.changed, received.overtook, received.missing), (0, 0, 0));
    assert_eq!(received.dead.0, received.dead.1);
    assert!(received.dead.0 == 0 || received.dead_told > 0);
}
