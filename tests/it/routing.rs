//! Who is told, and when: digests and quiet hours.

use jiff::SignedDuration;
use newswatch::store::DeliveryRow;

use super::world::World;

const NEWS: &str = "Wang Yi meets Lavrov in Moscow";

/// A world in which it is 09:00 UTC and one route says when the webhook is told.
async fn world(lines: &str) -> World {
    let mut world = World::new().await;
    world.edit_main("[poll]", &format!("[[route]]\nreceivers = [\"hook\"]\n{lines}\n[poll]"));
    world.publish("alpha", NEWS);
    world
}

fn only(world: &World) -> DeliveryRow {
    let mut deliveries = world.deliveries();
    assert_eq!(deliveries.len(), 1);
    deliveries.remove(0)
}

#[tokio::test]
async fn an_alert_waits_for_its_digest_whatever_is_restarted_and_configured_meanwhile() {
    let world = world("mode = \"digest\"\ndigest_at = [\"12:00\"]").await;
    world.tick().await;
    assert_eq!(only(&world).digest, Some("2023-09-18T12:00:00Z".parse().unwrap()));
    world.edit_main("mode = \"digest\"\ndigest_at = [\"12:00\"]", "");
    world.advance(SignedDuration::from_mins(179));
    world.tick().await;
    assert_eq!((world.alerts().len(), only(&world).attempts), (0, 0));
    world.advance(SignedDuration::from_mins(1));
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn an_alert_of_quiet_hours_is_told_when_they_end() {
    let world = world("quiet = \"18:00-20:00\"\ntimezone = \"Asia/Tokyo\"").await;
    world.tick().await;
    assert_eq!(only(&world).next_attempt, Some("2023-09-18T11:00:00Z".parse().unwrap()));
    world.advance(SignedDuration::from_hours(2));
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn quiet_hours_do_not_hold_what_they_except() {
    let world = world("quiet = \"08:00-20:00\"\nexcept = [\"high\"]").await;
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn a_digest_keeps_its_time_of_day_though_the_clock_is_set_back() {
    let world = world("mode = \"digest\"\ndigest_at = [\"12:00\"]").await;
    world.tick().await;
    world.advance(SignedDuration::from_hours(-3));
    world.tick().await;
    assert_eq!(only(&world).next_attempt, Some("2023-09-18T12:00:00Z".parse().unwrap()));
}

#[tokio::test]
async fn a_digest_of_a_clock_that_was_years_ahead_comes_as_soon_as_it_would_have_come() {
    let world = world("mode = \"digest\"\ndigest_at = [\"12:00\"]").await;
    let years = SignedDuration::from_hours(24 * 1000);
    world.advance(years);
    world.tick().await;
    world.advance(-years);
    world.tick().await;
    assert_eq!(only(&world).next_attempt, Some("2023-09-18T12:00:00Z".parse().unwrap()));
}
