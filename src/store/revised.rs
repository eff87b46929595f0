//! Items that were edited so that a rule which hit them matches no more.

use rusqlite::{Connection, params};

use super::write::{self, millis};
use super::{StoreError, evidence};
use crate::alert::story;
use crate::config::Config;
use crate::pipeline::{self, Batch, OutgoingAlert};

/// Writes down which hits of a batch's items stand no more, and tells those that were told; says of
/// which rules.
pub(super) fn take(
    connection: &Connection,
    batch: &Batch,
    config: &Config,
) -> Result<Vec<String>, StoreError> {
    let mut told = Vec::new();
    for revised in &batch.revised {
        let item = (batch.feed.as_str(), revised.item);
        let Some(hit) = evidence::of_hit(connection, config, &revised.rule, item, batch.at)? else {
            continue;
        };
        let marked = connection
            .prepare_cached(
                "UPDATE hits SET revised_at = ?2 WHERE seq = ?1 AND revised_at IS NULL",
            )?
            .execute(params![hit.seq, millis(batch.at)])?;
        // Whoever was not told of the hit need not hear that it stands no more.
        if marked == 0 || hit.alert.is_none() {
            continue;
        }
        let outlet = hit.outlet.as_deref().unwrap_or_default();
        let title = hit.title_now.as_deref().unwrap_or_default();
        let record = story::revised(hit.record, hit.story.as_deref(), outlet, title, batch.at);
        let severity = hit.severity;
        let deliveries = pipeline::rule_deliveries(config, &record, severity, false, batch.at);
        write::alert(connection, &OutgoingAlert { record, severity, deliveries }, batch.at)?;
        told.push(revised.rule.clone());
    }
    Ok(told)
}
