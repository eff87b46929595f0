//! Readable text on standard output: for a terminal, or a container's log.

use std::io::{IsTerminal as _, Write as _};

use super::{Delivery, Outgoing};
use crate::alert::render;

/// Standard output.
#[derive(Debug)]
pub(super) struct Stdout {
    colour: bool,
}

impl Stdout {
    pub(super) fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour: wanted && std::io::stdout().is_terminal() }
    }

    pub(super) fn deliver(&self, alerts: &[Outgoing<'_>]) -> Delivery {
        let blocks = alerts.iter().map(|alert| render::block(alert.record, self.colour) + "\n\n");
        let mut out = std::io::stdout().lock();
        let written = out.write_all(blocks.collect::<String>().as_bytes());
        match written.and_then(|()| out.flush()) {
            Ok(()) => Delivery::Delivered,
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                Delivery::Rejected { why: "nobody reads standard output any more".to_owned() }
            }
            Err(error) => Delivery::again(format!("writing to standard output failed: {error}")),
        }
    }
}
